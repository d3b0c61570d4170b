"""Two entries of one encrypted file whose keys have no names: what the one asks for is not taken for what the other
has lost, nor for a sign that it has lost nothing; and of several that are owed a person says which one is settled.
"""

from __future__ import annotations

import pathlib
import time

import pytest

from keyfile.files import at, stored
from keywright import errors
from keywright.cli._keyfile import Keys
from keywright.cli._local.book import Book, Kept
from keywright.cli._local.driving import Driver, Patience
from keywright.cli._local.looking import Looking
from keywright.cli._local.task import Task
from keywright.cli._local.telling import Telling
from keywright.decide.rotate.journal import Ask, Debt, Half, Journal, Owed, Step
from keywright.decide.rotate.recipe import Recipe
from keywright.decide.rotate.sight import Keys as Listing
from keywright.decide.rotate.sight import Rules, Wish
from keywright.errors import Reason
from keywright.issuing.webhook import Webhook
from keywright.kinds import CredentialSpec
from keywright.schema import NAMELESS
from keywright.secret import SecretValue
from stores.contract import HeldCredentials
from vendors.base import Response
from vendors.server import MoodyServer

PATH, OTHER = "llm/key", "llm/other"
NOW = time.time()
MADE = [{"id": "k1", "at": NOW - 90_000}, {"id": "k2", "at": NOW - 30}]
ISSUER = "webhook https://keys.example/keys"


def task(path: pathlib.Path, key: pathlib.Path, url: str) -> Task:
    said = {
        "server": url,
        "issue": {"path": "/keys", "handle": "id", "parts": {"apiKey": "key"}},
        "list": {"path": "/keys", "handle": "id", "createdAt": "at"},
        "revoke": {"path": "/keys/{handle}"},
    }
    issuing = Webhook(Webhook.Config.model_validate(said), HeldCredentials({}), 5.0)
    spec = CredentialSpec.model_construct(name=PATH, issuer="custom", parts={})
    rules = Rules(names=False, tests=False, issuer=ISSUER)
    return Task(
        Keys(str(path), str(key)), PATH, Recipe(spec, None, PATH, {"apiKey": None}), "it", issuing, None, None, rules
    )


@pytest.mark.parametrize(
    ("step", "neighbour", "ago", "known"),
    [
        (Step.IDLE, Step.IDLE, 10, True),
        (Step.IDLE, Step.ISSUING, 10, False),
        (Step.GRACE, Step.ISSUING, 10, True),
        # It was given up long ago.
        (Step.IDLE, Step.ISSUING, 90_000, True),
    ],
)
def test_while_a_neighbour_asks_for_a_key_nobody_knows_which_one_was_lost(
    tmp_path: pathlib.Path, step: Step, neighbour: Step, ago: float, known: bool
) -> None:
    path, key = tmp_path / "keys.kw", tmp_path / "key"
    key.write_bytes(b"\x07" * 32)
    key.chmod(0o600)
    stored(at(path), PATH, "sk-1")
    stored(at(path), OTHER, "sk-2")
    server = MoodyServer(lambda _: Response(200, MADE))
    own = task(path, key, server.url)
    lost = Ask(NOW - 20, frozenset({"k1"}), "r1", ISSUER)
    journal = Journal("r1", step, NOW, new=Half("f1", "k1"), unanswered=(lost,), issuer=ISSUER)
    asking = Journal("r2", neighbour, NOW, asked_at=NOW - ago, issuer=ISSUER)
    Book(own.keys, OTHER).write(Kept(asking, own.layout, {}, {"apiKey": SecretValue("sk-2")}))

    sight = Looking(own).look(Kept(journal, own.layout, {}, {}), Wish())
    server.close()

    keys, alone = sight.seen.keys, neighbour is Step.IDLE or ago > 10
    assert (keys is not None) is known
    assert alone is not ("that of llm/other, asks for a key" in sight.said)
    if isinstance(keys, Listing):
        assert keys.ours == ({"k2"} if alone else set())


def test_of_two_keys_without_a_handle_one_is_forgotten_and_not_the_other(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, key = tmp_path / "keys.kw", tmp_path / "key"
    key.write_bytes(b"\x07" * 32)
    key.chmod(0o600)
    stored(at(path), PATH, "sk-1")
    own = task(path, key, "http://127.0.0.1:9")
    lost = Debt(Owed.FIND, "", "", 3000.0, made_from=1000.0, made_until=2000.0)
    refused = Debt(Owed.REVOKE, "", "f1", 4000.0)
    book, telling = Book(own.keys, PATH), Telling(PATH, "table", own.rules)
    kept = book.write(Kept(Journal("r1", Step.IDLE, NOW, debts=(lost, refused)), own.layout, {}, {}))
    driver = Driver(own, book, telling, Patience())

    for name, which in ((NAMELESS, None), ("", None), (NAMELESS, 1500.0)):
        with pytest.raises(errors.Stalled) as caught:
            driver.forget(kept, name, which)
        assert caught.value.reason is Reason.NOT_FOUND
        if which is None:
            assert caught.value.hint == "Say which one with --made-from: 1970-01-01T00:16:40Z, 1970-01-01T01:06:40Z"
    telling.end(driver.forget(kept, NAMELESS, 1000.0), back=False)

    assert capsys.readouterr().out.splitlines() == [
        "llm/key: what was owed for that key is remembered no more.",
        "llm/key: owed for key (unknown): it is still to be revoked, and what its issuer calls it is not known. Do so"
        " at the issuer; then --forget -.",
    ]
    left = book.read()
    assert left and left.journal.debts == (refused,)
