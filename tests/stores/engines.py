"""KV engines in a real OpenBao: each test has one of its own, with a policy that may read it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import hvac
from hvac import exceptions

from keywright.stores.vault import Vault
from stores.contract import TIMEOUT, HeldCredentials


@dataclasses.dataclass
class Engine:
    """A KV engine of a test's own, and a policy that may read it."""

    url: str
    root: hvac.Client
    mount: str
    version: int
    policy: str

    def put(self, path: str, values: Mapping[str, Any]) -> None:
        if self.version == 2:
            self.root.secrets.kv.v2.create_or_update_secret(path, dict(values), mount_point=self.mount)
        else:
            self.root.secrets.kv.v1.create_or_update_secret(path, dict(values), mount_point=self.mount, method="POST")

    def token(self, *policies: str, **options: Any) -> str:
        made = self.root.auth.token.create(policies=list(policies or [self.policy]), **options)
        return str(made["auth"]["client_token"])

    def store(
        self, auth: Mapping[str, Any], credentials: HeldCredentials, timeout: float = TIMEOUT, **config: Any
    ) -> Vault:
        said = {"server": self.url, "mount": self.mount, "auth": auth} | config
        return Vault(Vault.Config.model_validate(said), credentials, timeout)

    def with_token(self, token: str | None = None, **config: Any) -> Vault:
        held = HeldCredentials({("vault", "token"): token or self.token()})
        return self.store({"token": {"secretRef": {"name": "vault", "key": "token"}}}, held, **config)

    def logged_in(self, token: str | None = None, **config: Any) -> Vault:
        store = self.with_token(token, **config)
        store.login()
        return store


@contextlib.contextmanager
def engine_of(root: hvac.Client, version: int) -> Iterator[Engine]:
    name = f"kv-{uuid.uuid4().hex[:8]}"
    root.sys.enable_secrets_engine("kv", path=name, options={"version": str(version)})
    root.sys.create_or_update_policy(name, f'path "{name}/*" {{ capabilities = ["read"] }}')
    engine = Engine(str(root.url), root, name, version, name)
    for _ in range(50):  # version 2 takes a moment to come up
        with contextlib.suppress(exceptions.InvalidRequest):
            engine.put("ready", {"yes": "1"})
            break
        time.sleep(0.1)
    yield engine
    root.delete(f"/sys/mounts/{name}")
