"""The stage with AWS behind it: IAM makes access keys of two parts, two at most, and Secrets Manager stores them.

Both are asked by POST / alone, so a place is a server here, and a point one of its requests. Whether a key is accepted
nobody asks: moto looks at the signatures of all or of nobody.

Does not belong here: rotations (``stage``), the servers (``amazon``, ``iam``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Self

from amazon import REGION, Amazon
from build import API, api_key_secret, entry, key_action, key_issuer
from controlplane import ControlPlane, FaultProxy, OpenBao
from controlplane.proxy import Upstream
from iam import Iam
from sweeping.issuer import Life
from sweeping.stage import QUICK, Front, Stage, Subject
from vendors.base import Made, Request, Response
from vendors.server import MoodyServer
from world import Json, World

ENTRIES = {"AWS_ACCESS_KEY_ID": "accessKeyId", "AWS_SECRET_ACCESS_KEY": "secretAccessKey"}
_MADE = re.compile(rb"<SecretAccessKey>([^<]+)</SecretAccessKey>")
_ID = re.compile(rb"<AccessKeyId>([^<]+)</AccessKeyId>")


def pair(parts: Mapping[str, str]) -> str:
    """Return both parts of a key as one word: a pair of two keys is none that was ever made."""
    return " ".join(parts.get(part, "") for part in ENTRIES.values()).strip()


class Keeper(MoodyServer):
    """IAM, which remembers when each key was made and ended; one that is switched off counts as ended."""

    def __init__(self) -> None:
        self.iam = Iam()
        self.iam.trust()
        self.lives: dict[str, Life] = {}
        super().__init__(self._remember)

    @property
    def issuer(self) -> Keeper:
        """Who makes the keys."""
        return self

    @property
    def made(self) -> dict[str, Made]:
        """The keys that there are, by id."""
        return self.iam.made

    def make(self) -> dict[str, str]:
        """Make a key as a person does."""
        parts = dict(self.iam.make("", "", "").parts)
        self._lives(pair(parts))
        return parts

    def close(self) -> None:
        """Listen no more."""
        super().close()
        self.iam.close()

    def _remember(self, request: Request) -> Response:
        asked = dict(urllib.parse.parse_qsl(request.body.decode()))
        off = asked.get("Action") == "DeleteAccessKey" or asked.get("Status") == "Inactive"
        if off:
            # It counts as dead before anybody is told so.
            self._ended(asked["AccessKeyId"], time.monotonic())
        answer = self.iam.answer(request)
        body = answer.body if isinstance(answer.body, bytes) else b""
        if asked.get("Action") == "CreateAccessKey" and (secret := _MADE.search(body)) and (found := _ID.search(body)):
            self._lives(f"{found[1].decode()} {secret[1].decode()}")
        if asked.get("Status") == "Active":
            self._ended(asked["AccessKeyId"], None)
        return answer

    def _lives(self, key: str) -> None:
        now = time.monotonic()
        self.lives[key] = Life(now, passed=now)

    def _ended(self, name: str, at: float | None) -> None:
        for key, life in self.lives.items():
            if key.startswith(name):
                life.ended = at


class AmazonStage(Stage):
    """A stage on which one key of an IAM user is rotated again and again."""

    def __init__(self, world: World, keeper: Keeper, aws: Amazon, proxies: dict[str, FaultProxy]) -> None:
        super().__init__(world, keeper, proxies)
        self.keeper, self.aws = keeper, aws
        self.store = {"name": "aws"}
        # Where keys are asked about: beside the proxies, as that is no step of a rotation.
        self.shelf.flags = (f"--allow-issuer-endpoint={keeper.url}",)
        self._only: Subject | None = None

    @classmethod
    @contextlib.contextmanager
    def with_account(
        cls, plane: ControlPlane, bao: OpenBao, namespace: str, folder: pathlib.Path, aws: Amazon
    ) -> Iterator[Self]:
        """Make everything that is needed."""
        with contextlib.ExitStack() as stack:
            keeper = Keeper()
            stack.callback(keeper.close)
            proxies: dict[str, FaultProxy] = {}

            def answer(request: Request) -> Response | None:
                # What is signed is the name that the client knows.
                host = urllib.parse.urlsplit(proxies["store"].url).netloc
                return aws.answer(dataclasses.replace(request, headers={**request.headers, "host": host}))

            shown = MoodyServer(answer)
            stack.callback(shown.close)
            fronts: dict[str, Upstream] = {
                "api": plane,
                "store": Front(shown.url),
                "issuer": Front(keeper.url),
            }
            for name, each in fronts.items():
                proxies[name] = stack.enter_context(FaultProxy(each, folder / name))
            yield cls(stack.enter_context(World(plane, bao, namespace, folder)), keeper, aws, proxies)

    def begins(self, issuer: Json | None = None) -> None:
        """Let there be a store and an issuer, and an operator that works with them."""
        login = self.aws.user()
        self.world.secret_is("login", {"id": login["accessKeyId"], "key": login["secretAccessKey"]})
        self.world.secret_is("right", dict(self.keeper.iam.rights))
        auth = {
            "accessKeyIdSecretRef": {"name": "login", "key": "id"},
            "secretAccessKeySecretRef": {"name": "login", "key": "key"},
        }
        url = self.proxies["store"].url
        config = {"region": REGION, "endpoint": url, "stsEndpoint": self.aws.url, "auth": {"accessKey": auth}}
        spec = {"access": "ReadWrite", "aws": config}
        self.world.apply({"apiVersion": API, "kind": "KeyStore", "metadata": {"name": "aws"}, "spec": spec})
        self.world.apply(key_issuer("openai", limits={"settle": "1s"}, **(issuer or self._iam())))
        self.starts()
        self.settled()

    def _iam(self) -> Json:
        right = {"id": {"name": "right", "key": "id"}, "admin": {"name": "right", "key": "admin"}}
        return {
            "awsIam": {
                "endpoint": self.proxies["issuer"].url,
                "user": self.keeper.iam.user,
                "accessKeyIdRef": right["id"],
                "secretAccessKeyRef": right["admin"],
            }
        }

    def subject(self, *, key: bool = True) -> Subject:
        """Let there be the key, in use by two Secrets, whose rotation before is over."""
        if self._only is None:
            parts = self.keeper.make()
            self._only = Subject("run-1", pair(parts))
            self.aws.put(self._only.path, json.dumps({**parts, "region": "eu"}))
            self.wants(self._only)
            spec = {"storeRef": self.store, "refreshInterval": "1h"}
            self.world.apply(api_key_secret("run-1-reader", *self._entries(self._only.path), **spec))
        self._only = Subject("run-1", self.stored(self._only)["api_key"])
        self.world.is_ready("run-1")
        self.world.is_ready("run-1-reader")
        return self._only

    def _entries(self, path: str) -> list[Json]:
        return [entry(name, path, part) for name, part in ENTRIES.items()]

    def wants(self, subject: Subject, *, path: str = "", name: str = "", **rotation: Any) -> None:
        """Have it rotated."""
        said = {"overlap": "0", "consumers": "Optional", "test": QUICK, **rotation}
        parts = {part: each for each, part in ENTRIES.items()}
        one = {"name": "it", "issuer": "aws", "parts": parts, "endpoint": self.keeper.url}
        one |= {"issuerRef": self.issuer, "rotation": said}
        spec = {"storeRef": self.store, "credentials": [one], "refreshInterval": "1h"}
        self.world.apply(api_key_secret(name or subject.name, *self._entries(path or subject.path), **spec))

    def key(self, name: str) -> str | None:
        """Return the key in a Secret."""
        found = self.world.secret(name)
        return pair({part: found[each] for each, part in ENTRIES.items()}) if found else None

    def stored(self, subject: Subject) -> Json:
        """Return what the store has."""
        found = self.aws.client.get_secret_value(SecretId=subject.path, VersionStage="AWSCURRENT")
        return {"api_key": pair(json.loads(found["SecretString"]))}

    def ends(self, subject: Subject, outcome: str, phase: str = "", seconds: float = 120.0) -> None:
        """Wait until its rotation is over; nobody waits for whoever misses the old key once that is switched off."""

        def spread() -> bool:
            self.lives()
            told = self.told(subject)
            return str(told.get("id")).startswith(f"kw-{subject.uid}-") and told.get("step") == "Grace"

        self.world.until(spread, lambda: f"both keys are in use: {self.told(subject)}", seconds)
        self.world.apply(key_action(f"{subject.action}-now", subject.name, action="RevokeNow", reason="Test"))
        super().ends(subject, outcome, phase, seconds)

    def is_well(self, subject: Subject, outcome: str = "Rotated") -> None:
        """See that one key is there, that it is in use everywhere, and that nothing is left over."""
        key = self.stored(subject)["api_key"]
        assert key != subject.first
        assert set(self.keeper.made) == {key.partition(" ")[0]}
        assert self.key(subject.name) == self.key(f"{subject.name}-reader") == key
        assert len(self.journals(subject)) == 1
        self.is_recorded()
