"""Another version of the operator takes over in mid-rotation: it goes on, and what a later one has written stays.

Does not belong here: journals themselves (``rotate/test_versions.py``), crashes of one version (``sweeping``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from rotate.test_versions import DEBT, HALF, JOURNAL
from rotating import Rotating
from vendors import VendorServer
from world import Json, World

#: What a later version says of a rotation and for good, of its key, and of what it is about.
OF_ROTATION = {"lasts": ["frozen"], "frozen": {"by": "somebody"}, "paused": [1.5, None]}
OF_KEY, OF_IT = {"region": "eu"}, {"team": "a"}
MARGIN = {"older.apiKey": "sk-older"}

Entries = dict[str, str]


class Versions:
    """The journal of a rotation, as other versions find it and leave it."""

    def __init__(self, rotating: Rotating) -> None:
        self.rotating, self.world = rotating, rotating.world

    def entries(self) -> Entries:
        """Return what stands in the journal's Secret."""
        (found,) = self.rotating.journals()
        return {name: base64.b64decode(value).decode() for name, value in found["data"].items()}

    def journal(self) -> Json:
        """Return the journal."""
        return dict(json.loads(self.entries()["journal"]))

    def changed(self, change: Callable[[Entries], Entries]) -> None:
        """Write the Secret as another version does, while no operator runs."""
        (found,) = self.rotating.journals()
        data = {name: base64.b64encode(text.encode()).decode() for name, text in change(self.entries()).items()}
        path = f"/api/v1/namespaces/{self.world.system}/secrets/{found['metadata']['name']}"
        self.world.must("PUT", path, found | {"data": data})

    def in_grace(self, name: str) -> None:
        """Rotate up to the grace, and stop the operator."""
        self.rotating.asks("Rotate", name)
        self.world.ends(name, "Succeeded")
        self.rotating.reaches("Grace")
        assert self.world.operators[-1].stop() == 0

    def ends(self, name: str) -> None:
        """Have the old key revoked, and see that one is left."""
        self.rotating.asks("RevokeNow", name)
        self.world.ends(name, "Succeeded")
        assert self.rotating.reaches("Idle")["last"]["outcome"] == "Rotated"
        assert self.rotating.alive() == {self.rotating.key()} == {self.rotating.stored()["api_key"]}


def later(entries: Entries) -> Entries:
    """Return a journal with what a later version has written besides."""
    journal = json.loads(entries["journal"]) | OF_ROTATION
    journal |= {name: journal[name] | OF_KEY for name in ("old", "new")}
    about = json.loads(entries["about"]) | OF_IT
    return entries | MARGIN | {"journal": json.dumps(journal), "about": json.dumps(about)}


def as_before(entries: Entries) -> Entries:
    """Return a journal as the first version has written it, which knows nothing of all that."""
    said = json.loads(entries["journal"])
    journal = {name: value for name, value in said.items() if name in JOURNAL}
    for half in filter(None, (journal["old"], journal["new"], journal["left"])):
        for name in half.keys() - HALF:
            del half[name]
    journal["debts"] = [{name: each[name] for name in DEBT} for each in journal["debts"]]
    about = {name: value for name, value in json.loads(entries["about"]).items() if name not in OF_IT}
    return {**entries, "journal": json.dumps(journal), "about": json.dumps(about)}


def test_a_rotation_goes_on_under_another_version_and_nothing_is_lost(world: World, openai: VendorServer) -> None:
    rotating = Rotating(world, openai)
    own = Versions(rotating)
    rotating.begins(overlap="1h")
    rotating.starts()
    world.is_ready()

    # Down: what a later version has begun goes on.
    own.in_grace("please")
    assert read(as_before(own.entries())) == read(own.entries()), "the version before reads it"
    own.changed(later)
    rotating.starts()
    rotating.asks("Pin", "pin")
    world.ends("pin", "Succeeded")
    found = own.journal()
    assert found["pinned"] is True
    assert found.items() >= OF_ROTATION.items()
    assert [found[name].items() >= OF_KEY.items() for name in ("old", "new")] == [True, True]
    assert own.entries().items() >= MARGIN.items()
    own.ends("now")
    rests = own.entries()
    assert rests.keys() == {"about", "journal"}
    assert json.loads(rests["about"]).items() >= OF_IT.items()
    assert (own.journal()["frozen"], "paused" in own.journal()) == (OF_ROTATION["frozen"], False)
    assert own.journal()["left"]["region"] == "eu"

    # Up: what the first version has begun goes on as well.
    own.in_grace("again")
    own.changed(as_before)
    rotating.starts()
    own.ends("now-again")
    assert own.journal().keys() == JOURNAL

    # What cannot be understood stands still, by name, and whoever has written it finds it again.
    needs_more(own)


def needs_more(own: Versions) -> None:
    """See that a journal which asks for a later version is left alone."""
    world = own.world
    own.in_grace("last")
    key = own.rotating.key()
    own.changed(lambda entries: entries | {"journal": json.dumps(json.loads(entries["journal"]) | {"version": 2})})
    before = own.entries()

    own.rotating.starts()

    told = world.until(lambda: is_unreadable(world), "it is told")
    assert "needs a later version of Keywright" in told["message"]
    assert (own.entries(), own.rotating.key()) == (before, key)


def is_unreadable(world: World) -> Json | None:
    """Return the condition that says so."""
    told = world.condition(type_="Rotating")
    return told if told.get("reason") == "JournalUnreadable" else None


def read(entries: Entries) -> list[Json]:
    """Return what is no value, as it is read."""
    return [json.loads(entries[name]) for name in ("about", "journal")]
