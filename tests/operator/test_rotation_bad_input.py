"""Issuers that answer nonsense, and stores that take no key: each is told by name, and the old key stays what it was.

Many at once in one world, each with an issuer of its own and a key of its own, so that what is alive there is counted.

Does not belong here: what is refused before anything is asked (``test_rotation.py``), faults on the way
(``tests/sweeping``).
"""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.trails import Kept
from build import API, api_key_secret, credential, entry, key_action, key_issuer, openai_admin
from keywright.keyfile import keys, sealed
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue
from rotating import QUICK
from rotating_many import Many
from vendors import VendorServer, serving
from vendors.base import Request, Response
from world import Json, World

#: What may be answered in the place of a key, after it was made.
TWO_MB = Response(200, b'{"value": "' + b"x" * (2 << 20) + b'"}')
NONSENSE = Response(200, b"\xff\x00{no key at all")
KEY = b"\x07" * 32
LARGE = "answered 200 with more than 1048576 bytes for"
RIGHTS = "Check the admin key, and that it may write API keys of that project."


class Subject:
    """One credential that rotates, and who makes its keys.

    Attributes:
        first: the key that a person has made.
    """

    def __init__(self, world: World, name: str, server: VendorServer) -> None:
        self.world, self.name, self.server = world, name, server
        self.vendor: Any = server.vendor
        self.first: str = self.vendor.make(f"key_{name}", "by-hand", "service account key").parts["apiKey"]

    def wants(self, *, issuer: Json | None = None, path: str = "", part: str | None = "api_key", **spec: Any) -> None:
        """Have it rotated."""
        made_by = issuer or {"openai": openai_admin(self.server.url)}
        # All name the same account, each at a server of its own.
        self.world.apply(key_issuer(self.name, limits={"settle": "1s", "rotationsAtOnce": 16}, **made_by))
        rotation = {"overlap": "0", "consumers": "Optional", "test": QUICK}
        one = credential("openai", "KEY", self.server.url, issuerRef={"name": self.name}, rotation=rotation)
        read = entry("KEY", path or f"llm/{self.name}", part)
        self.world.apply(api_key_secret(self.name, read, credentials=[one], refreshInterval="1h", **spec))

    def answers(self, there: Callable[[Request], bool], said: Response) -> None:
        """Let the issuer answer this to some requests, and do nothing."""
        answer = self.vendor.answer
        self.vendor.answer = lambda request: said if there(request) else answer(request)

    def spoils(self, there: Callable[[Request], bool], said: Response) -> None:
        """Let the issuer do what some requests ask, and answer this."""
        answer = self.vendor.answer

        def otherwise(request: Request) -> Response:
            done = answer(request)
            return said if there(request) else done

        self.vendor.answer = otherwise

    def asks(self, action: str) -> None:
        """Ask for something by a KeyAction."""
        self.world.apply(key_action(f"{self.name}-{action}".lower(), self.name, action=action))

    def ends(self, action: str, phase: str) -> str:
        """Wait until that came to something; return its reason and message without what differs from run to run."""
        said = self.world.ends(f"{self.name}-{action}".lower(), phase)
        return self._plain(f"{said['reason']}: {said['message']}")

    def waits(self, said: str) -> None:
        """Wait until this is told of the rotation."""
        self.world.until(lambda: self.told().get("waits") == said, lambda: f"{said}; it is {self.told()}")

    def told(self) -> Json:
        """Return what the status tells of the rotation."""
        found = (self.world.object(self.name).get("status") or {}).get("rotations") or [{}]
        return dict(found[0])

    def condition(self) -> str:
        """Return the reason and the message of the condition; empty where there is none."""
        found = self.world.condition(self.name, type_="Rotating")
        return self._plain(f"{found['reason']}: {found['message']}") if found else ""

    def turned_back(self) -> str:
        """Wait until the rotation is over; return why it turned back."""
        self.world.until(lambda: self.told().get("last"), lambda: f"{self.name} is over; it is {self.told()}")
        assert (self.told()["step"], self.told()["last"]["outcome"]) == ("Idle", "RolledBack"), self.told()
        return str(self.told()["last"]["why"])

    def events(self) -> str:
        """Return what Events say of it."""
        return self._plain(" ".join(each["note"] for each in self.world.events(self.name)))

    def keeps(self) -> None:
        """See that the old key is in the Secret, and the only one that the issuer accepts."""
        assert self.world.secret(self.name) == {"KEY": self.first}
        assert {made.parts["apiKey"] for made in self.vendor.made.values()} == {self.first}
        assert self.vendor.state(self.first) == "valid"

    def _plain(self, said: str) -> str:
        return re.sub("request [-0-9a-f]{36}", "request ID", said).replace(self.world.namespace, "NS")


class Subjects:
    """Many of them."""

    def __init__(self, world: World, stack: contextlib.ExitStack) -> None:
        self.world, self._stack = world, stack
        self._all: list[Subject] = []
        world.secret_is("openai-admin", {"key": "none"})

    def has(self, name: str) -> Subject:
        """Let there be one more, whose key is nowhere yet."""
        made = Subject(self.world, name, self._stack.enter_context(serving("openai")))
        made.vendor.admin = "sk-admin-of-all"
        self._all.append(made)
        return made

    def starts(self, *flags: str) -> None:
        """Start an operator that may ask all of them, and wait until every Secret has its key."""
        self.world.change_secret("openai-admin", key="sk-admin-of-all")
        allowed = (f"--allow-issuer-endpoint={each.server.url}" for each in self._all)
        self.world.start(*allowed, "--condemn-seconds=3", "--rotations", *flags)
        for each in self._all:
            self.world.is_ready(each.name)


@pytest.fixture
def subjects(world: World) -> Iterator[Subjects]:
    """Credentials of the world."""
    with contextlib.ExitStack() as stack:
        yield Subjects(world, stack)


def posts(request: Request) -> bool:
    """Whether a key is asked for."""
    return request.method == "POST"


def lists(request: Request) -> bool:
    """Whether the keys are asked for."""
    return request.path.endswith("/api_keys") and request.method == "GET"


def blind(url: str) -> Json:
    """Return an issuer that does not tell which keys there are."""
    project = "/v1/organization/projects/proj_abc"
    secret = {"name": "admin", "secretRef": {"name": "openai-admin", "key": "key"}}
    issue = {
        "path": f"{project}/service_accounts/user-abc/api_keys",
        "body": '{"name": "{name}"}',
        "handle": "id",
        "parts": {"apiKey": "value"},
    }
    calls = {"issue": issue, "revoke": {"path": f"{project}/api_keys/{{handle}}", "done": [200]}}
    return {"webhook": {"server": url, "secrets": [secret], "headers": {"Authorization": "Bearer {admin}"}, **calls}}


def in_vault(world: World, subject: Subject) -> str:
    """Return the key that the store has of a credential."""
    read = world.vault.secrets.kv.v2.read_secret_version
    found = read(f"llm/{subject.name}", mount_point=world.mount, raise_on_deleted_version=True)
    return str(found["data"]["data"]["api_key"])


def nonsense(world: World, subjects: Subjects) -> list[Subject]:
    """Let there be issuers that answer it, each in its own way, and an operator that rotates."""
    names = ("huge", "garbage", "unlisted", "same", "denied", "blind")
    huge, garbage, unlisted, same, denied, unseen = every = [subjects.has(name) for name in names]
    huge.spoils(posts, TWO_MB)
    garbage.spoils(posts, NONSENSE)
    unlisted.answers(lists, TWO_MB)
    same.answers(posts, Response(200, {"id": f"key_{same.name}", "value": same.first, "created_at": 1}))
    refusal = {"message": "no", "type": "invalid_request_error", "param": None, "code": "forbidden"}
    denied.answers(posts, Response(403, {"error": refusal}))
    unseen.spoils(posts, TWO_MB)
    world.has_store(access="ReadWrite")
    for each in every:
        world.put(f"llm/{each.name}", api_key=each.first)
        each.wants(issuer=blind(each.server.url) if each is unseen else None)
    subjects.starts()
    return every


def test_an_issuer_that_answers_nonsense_is_named_and_no_key_is_replaced(world: World, subjects: Subjects) -> None:
    every = huge, garbage, unlisted, same, denied, unseen = nonsense(world, subjects)

    for each in every:
        each.asks("Rotate")

    _waited_for(huge, garbage, unlisted)
    for each in (huge, garbage):
        # What was made, and not told, is found by its name.
        assert each.turned_back() == "Asked"
        assert each.ends("Rotate", "Failed").startswith("RolledBack: The rotation turned back. Somebody asked for it.")
    assert same.turned_back() == "SameKey"
    assert "turned back. The issuer gave the old key once more." in same.ends("Rotate", "Failed")
    assert denied.turned_back() == "IssueRefused"
    said = f"KeyIssuer/denied answered 403 (invalid_request_error) for a new key. {RIGHTS}"
    said = f"The issuer refuses to make a key. {said}"
    assert f"turned back. {said}" in denied.ends("Rotate", "Failed")
    assert f"Credential openai: the rotation has turned back. {said}" in denied.events()
    assert unseen.turned_back() == "IssueUnclear"
    said = (
        f"The issuer did not say in time whether it made a key, or what keys there are. KeyIssuer/blind {LARGE} a new"
    )
    assert f"turned back. {said}" in unseen.ends("Rotate", "Failed")
    assert unlisted.turned_back() == "Asked"

    for each in (huge, garbage, unlisted, same, denied):
        assert in_vault(world, each) == each.first
        assert "debts" not in each.told()
        each.keeps()
    # Nobody can find that one but a person.
    assert [debt["owed"] for debt in unseen.told()["debts"]] == ["Find"]
    assert world.secret("blind") == {"KEY": unseen.first} == {"KEY": in_vault(world, unseen)}
    codes = {each["code"] for each in Kept(world).records("rotation.outcome")}
    assert codes >= {"IssuerAnswerInvalid", "IssuerDenied", "Revoke"}
    assert "StoreOld" not in codes


def _waited_for(huge: Subject, garbage: Subject, unlisted: Subject) -> None:
    """See what is told while it lasts, and have it turned back."""
    hint = "Check the address, and what proxy is in between."
    for each, said in (
        (huge, f"KeyIssuer/huge {LARGE} a new key. {hint}"),
        (garbage, f"KeyIssuer/garbage answered 200 for a new key, and not in the form of its answers. {hint}"),
        (unlisted, f"KeyIssuer/unlisted {LARGE} the list of keys. {hint}"),
    ):
        each.waits(said)
        assert each.condition() == f"Rotating: Credential openai: A new key is being made. {said}"
        each.asks("Rollback")


def test_no_place_of_two_is_filled_while_it_is_not_known_which_one_is_in_use(
    world: World, tmp_path: pathlib.Path
) -> None:
    with contextlib.ExitStack() as stack:
        many = Many(world, tmp_path, stack)
        place = many.has("azureOpenai")
        vendor = many.desks["azureOpenai"].vendor
        neither = vendor.samples()["key"]
        vendor.knows(neither)
        world.put("keys/azureopenai", **neither, note="stays")
        many.starts()
        world.is_ready("azureopenai")
        before = {name: made.parts for name, made in vendor.made.items()}

        many.asks("Rotate", "azureOpenai")

        many.until("azureOpenai", step="Issuing", why="SlotUnknown")
        condition = world.condition("azureopenai", type_="Rotating")
        assert condition["reason"] == "RotationWaits"
        assert "Write the key of the place that is in use to the store" in condition["message"]
        many.writes("azureOpenai", place.parts)
        assert "another key to the store" in world.ends("rotate-azureopenai", "Failed")["message"]
        assert before == {name: made.parts for name, made in vendor.made.items()}
        world.until(lambda: many.key("azureOpenai") == place.parts, "the Secret has the one that was written")


def limited(world: World, name: str, *rules: str) -> None:
    """Let there be a store of this name for the KV engine, whose login may do this and no more."""
    world.vault.sys.create_or_update_policy(f"{world.namespace}-{name}", "\n".join(rules))
    made = world.vault.auth.token.create(policies=[f"{world.namespace}-{name}"])
    world.secret_is(f"login-{name}", {"token": made["auth"]["client_token"]})
    auth = {"token": {"secretRef": {"name": f"login-{name}", "key": "token"}}}
    world.has_store(name, access="ReadWrite", vault={"auth": auth})


def rule(world: World, room: str, *rights: str) -> str:
    """Return a rule of a policy, for what there is in one room of the KV engine."""
    return f'path "{world.mount}/{room}/*" {{ capabilities = {json.dumps(rights)} }}'


def file_of(entries: dict[str, str], *, full: bool) -> bytes:
    """Return an encrypted file, which may be as large as one may be, but for a few bytes."""
    kdf = Kdf.fresh("raw")
    contents = Contents.new(kdf, keys.derive(kdf, SecretValue(base64.b64encode(KEY))))
    for path, value in entries.items():
        contents = contents.put(path, SecretValue(value), "text")
    for number in range(5 if full else 0):
        room = sealed.MAX_CLUSTER_FILE - len(contents.to_bytes()) - 400
        contents = contents.put(f"more/{number}", SecretValue("x" * min(sealed.MAX_VALUE, room)), "text")
    return contents.to_bytes()


def has_files(world: World, root: pathlib.Path, committed: Subject, full: Subject) -> None:
    """Let there be stores ``git``, which is committed, and one of the namespace's name, which is a full file."""
    root.mkdir()
    (root / "keys.kw").write_bytes(file_of({full.name: full.first}, full=True))
    for namespace in (world.namespace, world.system):
        world.secret_is("master", {"key": base64.b64encode(KEY).decode()}, namespace=namespace)
    data = base64.b64encode(file_of({committed.name: committed.first}, full=False)).decode()
    place = f"/api/v1/namespaces/{world.namespace}/configmaps"
    world.must("POST", place, {"metadata": {"name": "keys"}, "binaryData": {"keys.kw": data}})
    opened = {"keyRef": {"name": "master", "key": "key"}}
    git = {"access": "ReadWrite", "encryptedFile": {"configMapRef": {"name": "keys", "key": "keys.kw"}, **opened}}
    world.apply({"apiVersion": API, "kind": "KeyStore", "metadata": {"name": "git"}, "spec": git})
    alone = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
    file = {"namespaceSelector": alone, "access": "ReadWrite", "encryptedFile": {"path": "keys.kw", **opened}}
    world.apply({"apiVersion": API, "kind": "ClusterKeyStore", "metadata": {"name": world.namespace}, "spec": file})


@pytest.fixture
def version_1(world: World) -> Iterator[str]:
    """A KV engine of version 1."""
    mount = f"{world.mount}-one"
    world.vault.sys.enable_secrets_engine("kv", path=mount, options={"version": "1"})
    yield mount
    world.vault.sys.disable_secrets_engine(mount)  # type: ignore[no-untyped-call]


def taking_no_key(world: World, subjects: Subjects, version_1: str, root: pathlib.Path) -> list[Subject]:
    """Let there be stores that cannot be written, each for its own reason, and an operator that rotates."""
    reads, marks, old, git, full = every = [subjects.has(name) for name in ("reads", "marks", "old", "git", "full")]
    limited(world, "reads", rule(world, "data", "read"))
    limited(world, "marks", rule(world, "data", "read"), rule(world, "metadata", "read", "patch"))
    world.has_store("old", access="ReadWrite", vault={"mount": version_1})
    has_files(world, root, git, full)
    for each in (reads, marks):
        world.put(f"llm/{each.name}", api_key=each.first)
        each.wants(storeRef={"name": each.name})
    world.vault.secrets.kv.v1.create_or_update_secret("llm/old", {"api_key": old.first}, mount_point=version_1)
    old.wants(storeRef={"name": "old"})
    git.wants(path="git", part=None, storeRef={"name": "git"})
    full.wants(path="full", part=None, storeRef={"kind": "ClusterKeyStore", "name": world.namespace})
    subjects.starts(f"--file-store-root={root}")
    return every


def test_a_store_that_takes_no_key_is_named_and_keeps_the_old_one(
    world: World, subjects: Subjects, version_1: str, tmp_path: pathlib.Path
) -> None:
    every = reads, marks, old, git, full = taking_no_key(world, subjects, version_1, tmp_path / "root")
    before = (tmp_path / "root" / "keys.kw").read_bytes()

    for each in every:
        each.asks("Rotate")

    _refused_before(reads, old, git)
    _refused_after(marks, full)
    for each in every:
        assert "debts" not in each.told()
        each.keeps()
    read = world.vault.secrets.kv.v1.read_secret("llm/old", mount_point=version_1)
    assert (in_vault(world, reads), in_vault(world, marks), read["data"]["api_key"]) == (
        reads.first,
        marks.first,
        old.first,
    )
    assert (tmp_path / "root" / "keys.kw").read_bytes() == before
    assert "StoreReadOnly" in {each["code"] for each in Kept(world).records("rotation.outcome")}


def _refused_before(reads: Subject, old: Subject, git: Subject) -> None:
    """See what is told of stores that are known not to be written before any key is made."""
    may = "KeyStore/reads answered 403 for llm/reads. Check that the token in Secret login-reads may read NS/metadata/"
    assert f"StoreReadOnly: {may}llm/reads in Vault." in reads.ends("Rotate", "Failed")
    version = "KeyStore/old keeps no versions (KV version 1), so llm/old is not written: of two writers one would lose"
    assert f"Unsupported: {version} unseen. Use a KV engine of version 2." in old.ends("Rotate", "Failed")
    file = "KeyStore/git reads ConfigMap keys, which is not written from here. Change the file by keywright store, and"
    assert f"Unsupported: {file} commit it." in git.ends("Rotate", "Failed")
    assert git.condition() == f"Unsupported: Credential openai: {file} commit it."
    for each in (reads, old, git):
        assert each.told()["step"] == "Idle"
        assert not any(asked.method == "POST" for asked in each.server.requests), each.name


def _refused_after(marks: Subject, full: Subject) -> None:
    """See what is told of stores that refuse a key which is made, and tested."""
    may = "KeyStore/marks answered 403 for llm/marks. Check that the token in Secret login-marks may create and update"
    for each, said in (
        (marks, f"{may} NS/data/llm/marks in Vault."),
        (full, "ClusterKeyStore/NS reads file keys.kw, which would be larger than 4096 KiB. Spread its entries over"),
    ):
        assert each.turned_back() == "StoreRefused"
        why = f"turned back. The store does not take the new key. {said}"
        assert f"RolledBack: The rotation {why}" in each.ends("Rotate", "Failed")
        assert f"Credential openai: the rotation has {why}" in each.events()
        assert [asked.method for asked in each.server.requests if asked.method != "GET"] == ["POST", "DELETE"]
