"""Three how-tos, walked from their first step to a Secret: the commands are run as they stand on the page."""

from __future__ import annotations

import pathlib
import re
import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from build import key_store
from reader import PASSPHRASE, Reader
from vendors import serving, vendors
from world import World


class InCluster(Reader):
    """Somebody who follows a page, in a namespace of their own."""

    def __init__(
        self, world: World, folder: pathlib.Path, page: str, knows: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(folder, page, knows)
        self._world = world

    def here(self, text: str) -> str:
        """Put the names of this run in place of the page's."""
        text = super().here(text.replace("team-a", self._world.namespace))
        text = text.replace("https://vault.example.com:8200", self._world.bao.url)
        text = re.sub(r"(mount[=:] ?)kv\b", rf"\g<1>{self._world.mount}", text)
        return text.replace('"kv/data', f'"{self._world.mount}/data')

    def environment(self) -> dict[str, str]:
        """Return what commands find."""
        return {
            "KUBECONFIG": str(self._world.plane.kubeconfig),
            "VAULT_ADDR": self._world.bao.url,
            "VAULT_TOKEN": self._world.bao.root_token,
            **super().environment(),
        }


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "deploy"
    made.mkdir()
    return made


def test_an_encrypted_file_goes_from_a_laptop_through_git_into_a_secret(world: World, folder: pathlib.Path) -> None:
    reader = InCluster(world, folder, "encrypted-file-in-git.md")
    world.start()

    reader.walks("2. The file", stdin="sk-demo-1")
    reader.saves(0, "llm.yaml")
    reader.saves(1, "kustomization.yaml")
    reader.walks("3. The file as a ConfigMap")
    reader.walks("4. The passphrase as a Secret", stdin=PASSPHRASE)
    assert reader.walks("5. Commit, and look").endswith("condition met\nsk-demo-1")

    reader.walks("Change a key", stdin="sk-demo-2")
    world.refreshes("changed")
    world.secret_becomes({"OPENAI_API_KEY": "sk-demo-2"})

    new = reader.passphrase("another good passphrase", "new")
    reader.runs(f"keywright rekey --file keys/keys.kw --new-key-file {new}")
    reader.runs("kubectl -n team-a delete secret llm-keys-passphrase")
    reader.walks("4. The passphrase as a Secret", stdin="another good passphrase")
    reader.passphrase("another good passphrase")
    reader.runs("keywright store llm/openai --file keys/keys.kw", stdin="sk-demo-3")
    reader.runs("kubectl apply -k .")
    world.refreshes("sealed-anew")
    world.secret_becomes({"OPENAI_API_KEY": "sk-demo-3"})

    assert reader.walks("When the passphrase is lost").startswith("another good passphrase")
    reader.runs("kubectl apply -k .")
    world.refreshes("begun-anew")
    world.is_ready()
    assert reader.runs("keywright list --file keys/keys.kw -o json").count('"version": 1') == 1


def test_a_registrys_token_goes_from_vault_into_a_pull_secret(world: World, folder: pathlib.Path) -> None:
    reader = InCluster(world, folder, "pull-secret.md")
    world.start()
    auth = '{"auths":{"ghcr.io":{"auth":"cm9ib3Q6cmVnLWRlbW8tMQ==","password":"reg-demo-1","username":"robot"}}}'

    world.delete_secret("vault-token")
    (folder / "keys").mkdir(0o700)
    reader.walks("1. The user and the token into a store", stdin="reg-demo-1")
    reader.saves(1, "store.yaml")
    reader.runs("kubectl apply -f store.yaml")
    reader.walks("2. A store that Keywright reads from")
    reader.saves(0, "registry.yaml")

    assert reader.walks("3. The pull secret").endswith(auth)
    reader.saves(2, "pod.yaml")
    reader.runs("kubectl apply --dry-run=server --validate=strict -f pod.yaml")
    assert reader.runs("keywright get registry/ghcr --file keys/keys.kw --reveal") == (
        '{"user": "robot", "token": "reg-demo-1"}'
    )


def test_bad_keys_are_stopped_at_three_in_the_morning(world: World, folder: pathlib.Path) -> None:
    with serving("openai") as server:
        keys = {name: server.vendor.samples()["project key"] for name in ("KEY", "NEW_KEY", "REVOKED_KEY")}
        for name in ("KEY", "NEW_KEY"):
            server.vendor.knows(keys[name])
        known = {name: parts["apiKey"] for name, parts in keys.items()}
        known["ANTHROPIC_KEY"] = vendors()["anthropic"]().samples()["API key"]["apiKey"]
        reader = InCluster(world, folder, "check-keys.md", known)
        reader.places["issuer: openai\n"] = f"issuer: openai\n    endpoint: {server.url}\n"
        world.start(f"--allow-issuer-endpoint={server.url}", "--condemn-seconds=10")
        world.apply(key_store("vault", world.bao.url, world.mount))
        reader.saves(0, "llm.yaml")

        reader.sees("A good key")
        with world.untouched():
            reader.sees("At 3 in the morning")
        assert {each.bearer for each in server.requests} == {known["KEY"]}
        reader.sees("A key that its issuer refuses")
        with world.untouched():
            server.vendor.states.pop(known["NEW_KEY"])
            # What was found a second ago is as good as new.
            time.sleep(1.1)
            reader.sees("A key that dies later")
        reader.sees("The version before")
        world.secret_becomes({"OPENAI_API_KEY": known["KEY"]})
