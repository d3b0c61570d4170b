"""An encrypted file in a ConfigMap is a store: read through the API, opened with what a Secret holds."""

from __future__ import annotations

import asyncio
import base64
import pathlib
from typing import Any

import pytest

from build import API, api_key_secret, entry
from keywright import errors
from keywright.engine.credentials import ClusterCredentials
from keywright.errors import Reason
from keywright.keyfile import keys
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue
from world import World

PASSPHRASE = "correct horse battery staple"


class Committed:
    """A file as somebody edits it and commits it, under a passphrase."""

    def __init__(self, world: World, passphrase: str = PASSPHRASE) -> None:
        self.world = world
        kdf = Kdf.fresh("argon2id")
        self.contents = Contents.new(kdf, keys.derive(kdf, SecretValue(passphrase)))

    def put(self, **values: str) -> None:
        for path, value in values.items():
            self.contents = self.contents.put(f"llm/{path}", SecretValue(value), "text")
        self.push(self.contents.to_bytes())

    def push(self, data: bytes) -> None:
        """Let the ConfigMap hold this."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "keys"},
            "binaryData": {"keys.kw": base64.b64encode(data).decode()},
        }
        place = f"/api/v1/namespaces/{self.world.namespace}/configmaps/keys?fieldManager=git&force=true"
        self.world.must("PATCH", place, body, "application/apply-patch+yaml")


def wanted(world: World, *names: str) -> None:
    """Let there be a store that reads the file, and an ApiKeySecret that wants some of its entries."""
    config = {
        "configMapRef": {"name": "keys", "key": "keys.kw"},
        "passphraseRef": {"name": "master", "key": "passphrase"},
    }
    store: dict[str, Any] = {"apiVersion": API, "kind": "KeyStore", "metadata": {"name": "git"}}
    world.apply(store | {"spec": {"encryptedFile": config}})
    entries = [entry(name.upper(), f"llm/{name}") for name in names]
    world.apply(api_key_secret("llm", *entries, storeRef={"name": "git"}, refreshInterval="10s"))


def test_a_committed_file_becomes_a_secret_and_a_new_commit_follows(world: World) -> None:
    file = Committed(world)
    file.put(one="sk-one", two="sk-two")
    world.secret_is("master", {"passphrase": PASSPHRASE})
    world.start()

    wanted(world, "one", "two")

    world.secret_becomes({"ONE": "sk-one", "TWO": "sk-two"})
    world.is_ready("git", "KeyStore")
    file.put(one="sk-newer")
    world.annotate("llm", refresh="now")
    world.secret_becomes({"ONE": "sk-newer", "TWO": "sk-two"})


def test_one_read_of_the_file_serves_all_entries_and_objects_that_asked_before_it(world: World) -> None:
    file = Committed(world)
    file.put(**{f"k{number}": f"sk-{number}" for number in range(60)})
    world.secret_is("master", {"passphrase": PASSPHRASE})
    operator = world.start()
    wanted(world, *(f"k{number}" for number in range(60)))
    world.is_ready()
    for number in range(20):
        one = entry("KEY", f"llm/k{number}")
        world.apply(api_key_secret(f"app-{number}", one, storeRef={"name": "git"}, refreshInterval="10s"))
    for number in range(20):
        world.is_ready(f"app-{number}")
    begun = operator.metric("keywright_syncs_total")
    mark = world.plane.mark()

    # All are due at the same moments, as they read the same store: two rounds.
    world.until(lambda: operator.metric("keywright_syncs_total") >= begun + 42, "they are refreshed twice", 60)

    reads = [each for each in world.requests(operator, mark) if (each.verb, each.resource) == ("get", "configmaps")]
    assert len(reads) <= 8
    assert not world.writes(operator, mark)


def test_a_wrong_passphrase_is_told_once_by_the_store_and_a_right_one_is_enough(world: World) -> None:
    Committed(world).put(one="sk-one")
    world.secret_is("master", {"passphrase": "another one"})
    world.start()
    wanted(world, "one")

    message = world.is_refused("AuthFailed", "git", "KeyStore")["message"]
    world.is_refused("AuthFailed")
    world.change_secret("master", passphrase=PASSPHRASE)
    world.annotate("llm", refresh="now")

    world.secret_becomes({"ONE": "sk-one"})
    assert "KeyStore/git reads ConfigMap keys, which is not opened by the passphrase or key" in message
    assert "another one" not in message


@pytest.mark.parametrize("fault", ["FileCorrupt", "FileRolledBack", "CredentialMissing"])
def test_a_file_that_went_wrong_changes_no_secret_and_is_told_by_name(world: World, fault: str) -> None:
    file = Committed(world)
    file.put(one="sk-one")
    older = file.contents.to_bytes()
    file.put(one="sk-two")
    world.secret_is("master", {"passphrase": PASSPHRASE})
    world.start()
    wanted(world, "one")
    world.secret_becomes({"ONE": "sk-two"})
    world.is_ready()

    with world.untouched():
        if fault == "CredentialMissing":
            world.must("DELETE", f"/api/v1/namespaces/{world.namespace}/configmaps/keys")
        else:
            file.push(older if fault == "FileRolledBack" else file.contents.to_bytes()[:-1])
        world.annotate("llm", refresh="now")
        world.is_refused(fault, "git", "KeyStore")

    file.put(one="sk-three")
    world.annotate("llm", refresh="again")
    world.secret_becomes({"ONE": "sk-three"})


def test_a_mounted_file_is_for_cluster_stores(world: World, tmp_path: pathlib.Path) -> None:
    file = Committed(world)
    file.put(one="sk-one")
    root = tmp_path / "root"
    root.mkdir()
    (root / "keys.kw").write_bytes(file.contents.to_bytes())
    world.secret_is("master", {"passphrase": PASSPHRASE}, namespace=world.system)
    world.start(f"--file-store-root={root}")
    name = world.namespace
    config = {"path": "keys.kw", "passphraseRef": {"name": "master", "key": "passphrase"}}
    spec = {"namespaceSelector": {}, "encryptedFile": config}

    world.apply({"apiVersion": API, "kind": "ClusterKeyStore", "metadata": {"name": name}, "spec": spec})
    reference = {"kind": "ClusterKeyStore", "name": name}
    world.apply(api_key_secret("llm", entry("ONE", "llm/one"), storeRef=reference))

    world.secret_becomes({"ONE": "sk-one"})


def credentials(root: pathlib.Path | None) -> ClusterCredentials:
    """Return what a store may ask for, where nothing is asked of the cluster."""
    nothing: Any = None
    with asyncio.Runner() as runner:
        return ClusterCredentials(nothing, runner.get_loop(), "team-a", "team-a", str(root) if root else None)


def test_a_mounted_file_is_read_below_the_root_and_nowhere_else(tmp_path: pathlib.Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "keys.kw").write_bytes(b"here")
    (tmp_path / "outside").write_bytes(b"there")
    held = credentials(tmp_path / "root")

    assert held.file("keys.kw", 100).reveal() == b"here"
    with pytest.raises(errors.Stalled, match="is not below the root") as caught:
        held.file("../outside", 100)
    assert caught.value.reason is Reason.FILE_REFUSED
    assert caught.value.__context__ is None


def test_without_a_root_no_file_is_read() -> None:
    with pytest.raises(errors.Stalled, match="may read no files") as caught:
        credentials(None).file("keys.kw", 100)

    assert caught.value.reason is Reason.FILE_REFUSED


def files_of(world: World) -> list[Any]:
    """Return what the store's status says to have been read."""
    found: list[Any] = world.object("git", "KeyStore").get("status", {}).get("files", [])
    return found


def test_an_older_file_is_refused_after_a_restart_and_an_edit_of_the_store_too(world: World) -> None:
    file = Committed(world)
    file.put(one="sk-one")
    older, id_ = file.contents.to_bytes(), file.contents.header.store_id
    world.secret_is("master", {"passphrase": PASSPHRASE})
    operator = world.start()
    wanted(world, "one")
    world.is_ready()
    world.until(lambda: files_of(world) == [{"id": id_, "generation": 1}], "the file is remembered")
    mark = world.plane.mark()
    file.put(one="sk-two")
    world.annotate("llm", refresh="1")
    world.secret_becomes({"ONE": "sk-two"})
    world.until(lambda: files_of(world) == [{"id": id_, "generation": 2}], "the newer one is remembered")
    told = [each for each in world.requests(operator, mark) if (each.verb, each.resource) == ("patch", "keystores")]
    assert len(told) == 1
    operator.stop()

    file.push(older)
    world.start()
    message = world.is_refused("FileRolledBack", "git", "KeyStore")["message"]
    assert "is at generation 1, after 2 was read" in message
    store = world.object("git", "KeyStore")
    world.apply(
        {key: store[key] for key in ("apiVersion", "kind")}
        | {
            "metadata": {"name": "git"},
            "spec": store["spec"] | {"environment": "production"},
        }
    )
    world.until(lambda: world.object("git", "KeyStore")["status"]["observedGeneration"] == 2, "the edit is seen")
    world.holds(lambda: world.secret() == {"ONE": "sk-two"}, "the newer value stays")

    # Whoever means the older file makes the store anew.
    world.delete("KeyStore", "git")
    wanted(world, "one")
    world.secret_becomes({"ONE": "sk-one"})
    world.until(lambda: files_of(world) == [{"id": id_, "generation": 1}], "it begins anew")
