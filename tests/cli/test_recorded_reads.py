"""What ``plan`` and ``check`` leave in the audit trail of the machine on which a person calls them."""

from __future__ import annotations

import pathlib

from audit.trails import judged, records
from build import api_key_secret, entry
from cli.terminal import keywright, person, place
from world import Json, World

CANARY = "sk-canary-one"


def test_reads_of_a_clusters_stores_are_recorded_with_their_versions(world: World, tmp_path: pathlib.Path) -> None:
    trail = tmp_path / "trail"

    def call(*arguments: str, kubeconfig: pathlib.Path | None = None, folder: str = str(trail)) -> int:
        said = keywright(*arguments, *place(world, kubeconfig), KEYWRIGHT_AUDIT_FOLDER=folder)
        assert CANARY not in said.everything
        if folder != str(trail):
            assert said.out == ""
            assert said.err.startswith("Error: nothing can be recorded, so nothing is shown or changed: ")
        return said.code

    def last() -> Json:
        assert judged(trail).findings == ()
        return records(trail)[-1]

    world.put("llm/openai", api_key=CANARY)
    world.has_store()
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))

    # Nobody has a key yet under which a fingerprint would mean something.
    assert call("plan", "llm") == 4
    first = last()
    assert (first["type"], first["code"], first["secret"]) == ("value.read", "Planned", "llm")
    about = {"kind": "ApiKeySecret", "namespace": world.namespace, "name": "llm", "generation": 1}
    assert first["object"] == about | {"uid": first["object"]["uid"]}
    read = {"key": "KEY", "store": "KeyStore/vault", "path": "llm/openai"}
    assert first["keys"] == [read | {"new": {"version": "1"}}]

    world.start()
    (written,) = world.is_ready()["status"]["versions"]
    version = {"version": "1", "fingerprint": written["fingerprint"]}
    assert call("plan", "llm") == 0
    assert last()["keys"] == [read | {"new": version}]
    assert call("check", "llm") == 0
    assert (last()["code"], last()["keys"], last()["object"]) == ("Checked", [read | {"new": version}], first["object"])

    count = len(records(trail))
    for command in (["status"], ["check", "nothing"], ["plan", "nothing"]):
        call(*command)
    nobody = person(world, {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets"], "verbs": ["get"]})
    assert call("plan", "llm", kubeconfig=nobody) == 1
    assert call("plan", "llm", folder="/dev/null/trail") == call("check", "llm", folder="/dev/null/trail") == 1
    assert len(records(trail)) == count

    world.apply(api_key_secret("llm", entry("KEY", "not/there", "api_key")))
    assert call("plan", "llm") == 1
    assert (last()["code"], last()["keys"]) == ("NotFound", [read | {"path": "not/there"}])
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), suspend=True))
    assert call("plan", "llm") == 0
    assert call("check", "llm") == 3
    assert len(records(trail)) == count + 1
    assert not any(CANARY.encode() in each.read_bytes() for each in trail.iterdir())
