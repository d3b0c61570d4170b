"""What the encrypted file remembers of a rotation: also what a later version has put there, and only as long as it is
wanted.

Does not belong here: rotations from a laptop as a whole (``test_rotate_local``).
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

from keyfile.files import at, stored
from keywright.cli._keyfile import Keys
from keywright.cli._local.book import Book, Kept
from keywright.decide.rotate.journal import Half, Journal, Step
from keywright.secret import SecretValue

OLD, NEW = ({"apiKey": SecretValue(text)} for text in ("sk-old", "sk-new"))
JOURNAL = Journal("r1", Step.GRACE, 1000.0, old=Half("f1", "k1"), new=Half("f2", "k2"))
KEPT = Kept(JOURNAL, {"issuer": "openai", "parts": {"apiKey": None}}, OLD, NEW)


def test_what_a_later_version_has_put_there_stays_until_the_rotation_is_over(tmp_path: pathlib.Path) -> None:
    path, key = tmp_path / "keys.kw", tmp_path / "key"
    key.write_bytes(b"\x07" * 32)
    key.chmod(0o600)
    file = at(path)
    stored(file, "llm/key", "sk-old")
    book = Book(Keys(str(path), str(key)), "llm/key")
    book.write(KEPT)
    said = remembered(path)
    journal = json.loads(said["journal"]) | {"lasts": ["frozen"], "frozen": True, "paused": 1}
    later = said | {"journal": json.dumps(journal), "older": {"apiKey": "c2stb2xkZXI="}}
    text = SecretValue(json.dumps(later))
    file.update(lambda contents: contents.remember("rotations/llm/key", text))

    taken = book.read()
    assert taken
    first = book.write(taken.but(taken.journal.but(urgent=True)))
    on = remembered(path)
    book.write(first.but(first.journal.rest(1010.0)))
    rests = remembered(path)

    assert (taken.old, taken.new, taken.layout) == (OLD, NEW, KEPT.layout)
    assert on["older"] == later["older"]
    assert json.loads(on["journal"]) == journal | {"urgent": True}
    assert (rests["old"], rests["new"], "older" in rests) == ({}, {}, False)
    assert (json.loads(rests["journal"])["frozen"], "paused" in json.loads(rests["journal"])) == (True, False)
    assert said.keys() == {"journal", "layout", "act", "came", "old", "new"}


def remembered(path: pathlib.Path) -> dict[str, Any]:
    """Return what the file remembers."""
    found = at(path).open().remembered("rotations/llm/key")
    assert found
    told: dict[str, Any] = json.loads(found[1].reveal())
    return told
