"""Credentials of a real PostgreSQL that a real OpenBao leases: an engine, roles and logins of their own.

Does not belong here: how a server misbehaves (``vendors/server``).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any

from hvac.exceptions import InvalidPath

from controlplane import OpenBao, PostgreSQL, Refused
from vendors.base import Made, Request, Response, word
from vendors.server import handed_on

_CREATE = """CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"""
_RENEW = """ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'"""
#: What everybody may by the policy ``default``, which nobody has here, so that nothing is allowed unseen.
_SELF = ("lookup-self", "renew-self", "revoke-self")
_ACCESSORS = ("renew-accessor", "lookup-accessor", "revoke-accessor")


class Leasing:
    """An engine for one database, and who may have roles made there.

    Attributes:
        engine: where it is mounted.
        path: what is read for a new role.
        method: where AppRole is enabled; its role ``app`` may have roles made.
        life: seconds that a lease lasts, and may last at most.
    """

    life = (600, 3600)

    def __init__(self, bao: OpenBao, database: PostgreSQL) -> None:
        self.database, self.client = database, bao.client()
        place = urllib.parse.urlsplit(bao.url)
        self._place = (str(place.hostname), int(place.port or 0))
        own = word(8).lower()
        self.engine, self.method, self._policy = f"db-{own}", f"approle-{own}", f"mint-{own}"
        self.path = f"{self.engine}/creds/app"
        self._has_roles()
        self.denies = False
        self.client.sys.enable_auth_method("approle", path=self.method)
        self.role_id, self.admin = self.who("app")
        self.rights = {"admin": self.admin}

    def _has_roles(self) -> None:
        self.client.sys.enable_secrets_engine("database", path=self.engine)
        where = f"127.0.0.1:{self.database.port}/postgres?sslmode=disable"
        about = {
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": "*",
            "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{where}",
            "username": "postgres",
            "password": self.database.password,
        }
        self.client.write_data(f"{self.engine}/config/one", data=about)
        lasts = {"default_ttl": f"{self.life[0]}s", "max_ttl": f"{self.life[1]}s"}
        made = {"creation_statements": [_CREATE], "renew_statements": [_RENEW]}
        self.client.write_data(f"{self.engine}/roles/app", data={"db_name": "one", **made, **lasts})

    def who(self, role: str, **settings: Any) -> tuple[str, str]:
        """Let there be somebody who may log in; return the id of the role, and a secret id."""
        told = {"token_policies": [self._policy], "token_no_default_policy": True, **settings}
        self.client.write_data(f"auth/{self.method}/role/{role}", data=told)
        found: Any = self.client.read(f"auth/{self.method}/role/{role}/role-id")
        made: Any = self.client.write_data(f"auth/{self.method}/role/{role}/secret-id", data={})
        return str(found["data"]["role_id"]), str(made["data"]["secret_id"])

    def token(self, **settings: Any) -> str:
        """Make a token that may have roles made, and nothing else but look after itself."""
        made: Any = self.client.auth.token.create(policies=[self._policy], no_default_policy=True, **settings)
        return str(made["auth"]["client_token"])

    def may(self, *, accessors: bool = True) -> None:
        """Let who has roles made do so, and look after tokens by their accessors or not."""
        paths = [f"{self.engine}/creds/app", "sys/leases/renew", "sys/leases/revoke"]
        paths += [f"auth/token/{each}" for each in (*_SELF, *(_ACCESSORS if accessors else ()))]
        rules = (f'path "{each}" {{ capabilities = ["read", "update"] }}' for each in paths)
        self.client.sys.create_or_update_policy(self._policy, "\n".join(rules))

    @property
    def denies(self) -> bool:
        """Whether who has roles made may not."""
        return self._denies

    @denies.setter
    def denies(self, denies: bool) -> None:
        self._denies = denies
        if denies:
            self.client.sys.create_or_update_policy(self._policy, 'path "nothing" { capabilities = ["read"] }')
        else:
            self.may()

    @property
    def made(self) -> dict[str, Made]:
        """The leases that there are; without what was leased."""
        try:
            found: Any = self.client.sys.list_leases(prefix=self.path)  # type: ignore[no-untyped-call]
        except InvalidPath:
            return {}
        return {lease: Made(lease, "", {}) for each in found["data"]["keys"] if (lease := f"{self.path}/{each}")}

    def make(self, handle: str, name: str, kind: str) -> Made:
        """Lease a role, as a person does."""
        made: Any = self.client.read(self.path)
        return Made(made["lease_id"], "", dict(made["data"]))

    def knows(self, parts: Mapping[str, str]) -> bool:
        """Whether the database lets somebody in."""
        try:
            return self.database.run("SELECT current_user", parts["username"], parts["password"]) == parts["username"]
        except Refused:
            return False

    def answer(self, request: Request) -> Response:
        """Hand a request on, so that what stands in front may misbehave."""
        return handed_on(self._place, request)
