"""What ``plan`` and ``check`` leave in the audit trail of the machine on which a person calls them."""

from __future__ import annotations

import pathlib

from audit.local_trails import judged, records
from build import api_key_secret, entry
from cli.terminal import Said, keywright, person, place
from world import Json, World

CANARY = "sk-canary-one"


class Person:
    """Somebody at a machine with a trail of its own."""

    def __init__(self, world: World, trail: pathlib.Path) -> None:
        self._world, self.trail = world, trail

    def calls(self, *arguments: str, kubeconfig: pathlib.Path | None = None, trail: str = "") -> Said:
        said = keywright(*arguments, *place(self._world, kubeconfig), KEYWRIGHT_AUDIT_FOLDER=trail or str(self.trail))
        assert CANARY not in said.everything
        return said

    @property
    def last(self) -> Json:
        """The newest record; the trail is whole, and holds no value."""
        assert judged(self.trail).findings == ()
        assert not any(CANARY.encode() in each.read_bytes() for each in self.trail.iterdir())
        return records(self.trail)[-1]

    @property
    def count(self) -> int:
        return len(records(self.trail))


def test_reads_of_a_clusters_stores_are_recorded_with_their_versions(world: World, tmp_path: pathlib.Path) -> None:
    someone = Person(world, tmp_path / "trail")
    world.put("llm/openai", api_key=CANARY)
    world.has_store()
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))

    # Nobody has a key yet under which a fingerprint would mean something.
    assert someone.calls("plan", "llm").code == 4
    first = someone.last
    assert (first["type"], first["code"], first["secret"]) == ("value.read", "Planned", "llm")
    about = {"kind": "ApiKeySecret", "namespace": world.namespace, "name": "llm", "generation": 1}
    assert first["object"] == about | {"uid": first["object"]["uid"]}
    read = {"key": "KEY", "store": "KeyStore/vault", "path": "llm/openai"}
    assert first["keys"] == [read | {"new": {"version": "1"}}]

    world.start()
    (written,) = world.is_ready()["status"]["versions"]
    version = {"version": "1", "fingerprint": written["fingerprint"]}
    assert someone.calls("plan", "llm").code == 0
    assert someone.last["keys"] == [read | {"new": version}]
    assert someone.calls("check", "llm").code == 0
    last = someone.last
    assert (last["code"], last["keys"], last["object"]) == ("Checked", [read | {"new": version}], first["object"])

    for command in ("plan", "check"):
        said = someone.calls(command, "llm", trail="/dev/null/trail")
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("Error: nothing can be recorded, so nothing is shown or changed: ")


def test_what_reads_no_store_leaves_no_record_and_a_read_in_vain_does(world: World, tmp_path: pathlib.Path) -> None:
    someone = Person(world, tmp_path / "trail")
    world.put("llm/openai", api_key=CANARY)
    world.has_store()
    world.apply(api_key_secret("llm", entry("KEY", "not/there", "api_key")))

    assert someone.calls("plan", "llm").code == 1
    last = someone.last
    assert (last["code"], last["keys"]) == (
        "NotFound",
        [{"key": "KEY", "store": "KeyStore/vault", "path": "not/there"}],
    )
    assert someone.calls("check", "llm", "--timeout=1s").code == 1
    assert (someone.last["code"], "keys" in someone.last) == ("Unanswered", False)

    count = someone.count
    for command in (["status"], ["check", "nothing"], ["plan", "nothing"]):
        someone.calls(*command)
    nobody = person(world, {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets"], "verbs": ["get"]})
    assert someone.calls("plan", "llm", kubeconfig=nobody).code == 1
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), suspend=True))
    assert someone.calls("plan", "llm").code == 0
    assert someone.calls("check", "llm").code == 3
    assert someone.count == count
