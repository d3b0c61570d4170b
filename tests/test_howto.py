"""Three how-tos, walked from their first step to a Secret: the commands are run as they stand on the page."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest

import shown
from build import key_store
from shown import LOOKS
from vendors import serving, vendors
from world import PATIENCE, World

ROOT = pathlib.Path(__file__).parent.parent
BIN = pathlib.Path(sys.executable).parent
PASSPHRASE = "correct horse battery staple"

#: What stands in for what a reader has: OpenBao's client, and a Git that has nothing to say.
AT_HAND = 'vault() { bao "$@"; }; git() { :; }; read() { builtin read -r "${@: -1}" || true; }; set -e -o pipefail\n'
#: What a reader does only where it is not there yet; here it is.
THERE = ("kubectl create namespace", "vault secrets enable", "git clone")


class Reader:
    """Somebody who follows a page, in a namespace of their own.

    Args:
        folder: where they work.
        knows: what they have in variables.
    """

    def __init__(
        self, world: World, folder: pathlib.Path, page: str, knows: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._world, self._folder, self._knows = world, folder, knows
        #: What else stands in place of what is on the page.
        self.places: dict[str, str] = {}
        self._text = (ROOT / "docs/howto" / page).read_text()
        self.passphrase(PASSPHRASE)

    def passphrase(self, text: str, name: str = "passphrase") -> pathlib.Path:
        """Write down a passphrase, in place of typing it."""
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def saves(self, number: int, name: str) -> None:
        """Save one of the manifests on the page."""
        found = re.findall(r"^```yaml\n(.*?)^```$", self._text, re.MULTILINE | re.DOTALL)
        (self._folder / name).write_text(self._here(found[number]))

    def walks(self, title: str, stdin: str = "") -> str:
        """Run the commands below a heading; return what they print.

        Args:
            stdin: what is typed where something is asked.
        """
        blocks = re.findall(r"^```(bash|console)\n(.*?)^```$", self._section(title), re.MULTILINE | re.DOTALL)
        assert blocks, title
        return "".join(self.runs(each, stdin) for kind, text in blocks for each in _commands(kind, text))

    def sees(self, title: str) -> None:
        """Run the commands below a heading; see that they print what the page shows."""
        for step in shown.steps(self._section(title)):
            ends = time.monotonic() + PATIENCE
            printed = self._run(step.command).stdout
            expected = shown.alike(self._here(step.shown))
            while shown.alike(printed) != expected and LOOKS.match(step.command) and time.monotonic() < ends:
                time.sleep(0.2)
                printed = self._run(step.command).stdout
            if step.shown:
                assert shown.alike(printed) == expected, f"$ {step.command}\n{printed}"

    def _section(self, title: str) -> str:
        return self._text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]

    def runs(self, command: str, stdin: str = "") -> str:
        """Run a command; return what it prints."""
        if command.startswith(THERE):
            return ""
        done = self._run(command, stdin)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _run(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", AT_HAND + self._here(command)],
            cwd=self._folder,
            env=os.environ | self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def _here(self, text: str) -> str:
        """Put the names of this run in place of the page's."""
        text = text.replace("team-a", self._world.namespace).replace(
            "https://vault.example.com:8200", self._world.bao.url
        )
        for name, place in self.places.items():
            text = text.replace(name, place)
        text = re.sub(r"(mount[=:] ?)kv\b", rf"\g<1>{self._world.mount}", text)
        return text.replace('"kv/data', f'"{self._world.mount}/data')

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "KUBECONFIG": str(self._world.plane.kubeconfig),
            "VAULT_ADDR": self._world.bao.url,
            "VAULT_TOKEN": self._world.bao.root_token,
            "KEYWRIGHT_MASTER_KEY_FILE": str(self._folder / "passphrase"),
            **self._knows,
        }


def _commands(kind: str, text: str) -> list[str]:
    """Return the commands of a block: of a terminal those after a prompt, else the lines, with those that go on."""
    if kind == "console":
        return re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    joined = re.sub(r"(\\|\|)\n\s*", lambda found: found.group(1).strip("\\") + " ", text)
    # What a line reads, the next one uses.
    return re.sub(r"^(read .*)\n", r"\1; ", joined, flags=re.MULTILINE).splitlines()


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "deploy"
    made.mkdir()
    return made


def test_an_encrypted_file_goes_from_a_laptop_through_git_into_a_secret(world: World, folder: pathlib.Path) -> None:
    reader = Reader(world, folder, "encrypted-file-in-git.md")
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
    reader = Reader(world, folder, "pull-secret.md")
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
        reader = Reader(world, folder, "check-keys.md", known)
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
