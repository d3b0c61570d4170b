"""Vault and OpenBao: credentials that are leased, of any engine that leases them: databases, clouds, SSH.

A lease ends with the token that asked for it. So each has a login of its own, which is renewed with it, by its
accessor, and ended with it; where a login cannot be renewed any more, the credential ends with that. A token that is
given is shared, and never ended.

Facts: the API of OpenBao, tried against it (``sys/leases``, ``auth/token``): a lease of a batch token ends with that
one, and tells so itself; a lease that is not there is revoked without a word, and one that cannot be revoked at the
moment is answered 400.

Does not belong here: keys that lie in a KV engine (``stores/vault``), roles and policies, whether a credential is
accepted (the credential's issuer).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic

from .. import dates, errors
from ..errors import Reason
from ..schema import Cel, Duration, canonical_url, seconds
from ..secret import SecretMap, SecretValue
from ..stores._vault_login import SEGMENT, way_of
from ..stores._vault_session import Login, VaultServer, log_in
from ..stores.base import Credentials
from .base import Issued, Issuing, Order, Way

if TYPE_CHECKING:
    from ..hvac_adapter import Reply

#: What stands between the id of a lease and the accessor of its login, in what names a credential.
_BETWEEN = "#"
#: Of the time of a call, what is kept for undoing what came to nothing.
_UNDOING = 0.2
#: What an issuer's errors are called, where those of a store have names of their own; all other outages: unavailable.
_REASONS = {Reason.STORE_ANSWER_INVALID: Reason.ISSUER_ANSWER_INVALID, Reason.AUTH_FAILED: Reason.ISSUER_DENIED}
#: How it begins to say that a lease stays because what is behind did not answer.
_LATER = "failed to revoke"
#: Seconds that a lease may last: more than any does, and few enough to be a date.
_LONGEST = 10**9

FieldName = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128, pattern="^[A-Za-z0-9_.-]+$")]
Text = Annotated[str, pydantic.StringConstraints(max_length=1024, pattern="^[ -~]*$")]
LeasedPath = Annotated[str, pydantic.StringConstraints(max_length=256, pattern=rf"^{SEGMENT}(/{SEGMENT})+$")]
Parts = Annotated[
    dict[str, FieldName],
    pydantic.Field(min_length=1, max_length=8),
    Cel(
        "self.all(part, part.matches('^[a-z][a-zA-Z0-9]{0,31}$'))",
        "the name of a part is of letters and digits, at most 32, and begins with a small one",
    ),
]
Parameters = Annotated[
    dict[str, Text],
    pydantic.Field(min_length=1, max_length=16),
    Cel("self.all(name, name.matches('^[A-Za-z0-9_]{1,64}$'))", "the name of a parameter is of letters, digits and _"),
]


class VaultDynamic(Issuing, name="vaultDynamic", title="Vault dynamic credentials", way=Way.MINTED):
    """Credentials that one path leases."""

    class Config(VaultServer):
        """Which path leases credentials, and how to log in there."""

        path: LeasedPath
        """What is read for each credential, with the engine's mount: `database/creds/app`, `aws/creds/deploy`."""
        method: Literal["Read", "Write"] = "Read"
        """How it is asked: `Read` (GET), or `Write` (POST), where the engine wants that. Default `Read`."""
        parameters: Parameters | None = None
        """What is told besides, for example `{ttl: 1h}` for `aws/creds/…`."""
        parts: Parts | None = None
        """Fields of the answer by the part that each becomes. Omitted, `username` and `password` are parts of these
        names."""
        increment: Duration | None = None
        """For how long a lease is renewed each time; the engine may allow less. Omitted, as long as its role says."""

    names = False

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config, self._credentials, self._timeout = config, credentials, timeout

    @property
    def account(self) -> str:
        """The server, its namespace, and the path."""
        space = self._config.namespace.strip("/")
        return f"{canonical_url(self._config.server)} {f'{space}/' if space else ''}{self._config.path}"

    def issue(self, order: Order) -> Issued:
        """Have a credential leased. It has no name of ours, so none is known by its order."""
        with self._asked("a new key") as call, contextlib.ExitStack() as undone:
            # What was leased without our knowing of it ends with the login.
            undone.callback(call.login.end, call.last)
            issued = self._issued(call)
            undone.pop_all()
            return issued

    def _issued(self, call: _Call) -> Issued:
        ends, now = call.own_end(), time.time()
        target, said = f"/v1/{self._config.path}", self._config.parameters
        if self._config.method == "Write":
            reply: Reply = call.send("POST", target, json=said or {})
        else:
            reply = call.send("GET", target, params=said)
        lease, life = _lease(reply)
        parts = self._parts(call, reply, lease)
        accessor = call.login.accessor if call.login.minted else ""
        handle = f"{lease}{_BETWEEN}{accessor}" if accessor else lease
        return Issued(parts, handle, str(dates.of_unix(min(now + life, ends))))

    def _parts(self, call: _Call, reply: Reply, lease: str) -> SecretMap:
        """Return what was leased, part by part; end the lease where one is missing."""
        found = reply.part("data")
        wanted = self._config.parts or {"username": "username", "password": "password"}
        parts: dict[str, SecretValue] = {}
        for part, field in wanted.items():
            text = found.get(field)
            if isinstance(text, str) and text:
                with contextlib.suppress(ValueError):
                    parts[part] = SecretValue(text)
                    continue
            with contextlib.suppress(errors.Error):
                call.send("POST", "/v1/sys/leases/revoke", json={"lease_id": lease})
            said = f"{reply.said}, without text in field {field}"
            raise errors.Stalled(Reason.ISSUER_REFUSED, said, "Correct vaultDynamic.parts")
        return parts

    def renew(self, handle: str) -> str:
        """Renew a lease, and the login that it ends with."""
        lease, _, accessor = handle.partition(_BETWEEN)
        said: dict[str, Any] = {"lease_id": lease}
        if self._config.increment:
            said["increment"] = max(1, int(seconds(self._config.increment)))
        with self._asked("a longer life of a key", ends=True) as call:
            ends, now = call.end_with(accessor), time.time()
            _, life = _lease(call.send("POST", "/v1/sys/leases/renew", json=said))
            return str(dates.of_unix(min(now + life, ends)))

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Revoke a lease; its login ends with it. One that is not there is revoked."""
        lease, _, accessor = handle.partition(_BETWEEN)
        with self._asked("the revocation of a key", ends=True) as call:
            call.send("POST", "/v1/sys/leases/revoke", json={"lease_id": lease, "sync": True})
            if accessor:
                # It has no lease any more: without the right to, it lies about until it ends by itself.
                with contextlib.suppress(errors.Error):
                    call.send("POST", "/v1/auth/token/revoke-accessor", json={"accessor": accessor})

    @contextlib.contextmanager
    def _asked(self, what: str, *, ends: bool = False) -> Iterator[_Call]:
        """Ask for something, logged in, out of which nothing foreign comes.

        Args:
            what: what is asked for, as it stands in errors behind ``for``.
            ends: whether the login ends with the call, as nothing is leased by it.
        """
        with errors.boundary(functools.partial(_bug, what)), _as_issuer():
            begins = time.monotonic()
            last = begins + self._timeout
            until = last - _UNDOING * self._timeout
            with _as_credential():
                way = way_of(self._config.auth, self._credentials)
            now = time.time()
            call = _Call(log_in(self._config, self._credentials, until, way), now, what, until, last)
            try:
                yield call
            finally:
                if ends:
                    call.login.end(last)


@dataclasses.dataclass(frozen=True, slots=True)
class _Call:
    """One call, which may take several requests by one login.

    Attributes:
        began: before the login (Unix time).
        until: when what is asked for has to be over; ``last``: when all has (monotonic clock).
    """

    login: Login
    began: float
    what: str
    until: float
    last: float

    def send(self, method: str, url: str, **said: Any) -> Reply:
        """Send a request; return an answer of 200 or 204."""
        reply = self.ask(method, url, **said)
        if reply.status in (200, 204):
            return reply
        if reply.status == 400 and reply.refused and _LATER in str((reply.body or {}).get("errors")):
            said_so = f"{reply.said}: what it has keys of did not do as it was told"
            raise errors.Outage(Reason.ISSUER_UNAVAILABLE, said_so, "Check the database or cloud behind the path")
        if reply.status == 403:
            hint = f"Check that {self.login.who} may do so in Vault: the policies, and vaultDynamic.path"
            raise reply.trouble(Reason.ISSUER_DENIED, hint)
        raise reply.trouble(Reason.ISSUER_REFUSED, "Check vaultDynamic.path, and that the lease is there and renewable")

    def ask(self, method: str, url: str, **said: Any) -> Reply:
        """Send a request and return its answer, whatever its status."""
        reply: Reply = self.login.adapter(self.until, self.what).request(method, url, **said)
        return reply

    def own_end(self) -> float:
        """Return when the login's token ends (Unix time); one that is given is renewed first, if it may be."""
        lease = self.login.lease
        if not self.login.minted and self.login.renewable:
            reply = self.ask("POST", "/v1/auth/token/renew-self", json={})
            if reply.status == 200:
                lease = reply.field(reply.part("auth"), "lease_duration", int)
            elif not reply.refused:
                raise reply.trouble()
        return self.began + lease if lease else math.inf

    def end_with(self, accessor: str) -> float:
        """Return when the token ends by which something was leased (Unix time), and renew it first.

        Args:
            accessor: of that token; empty where it was given, or is a batch token: by such a one, leases tell
                themselves when they end.
        """
        if not accessor:
            return math.inf if self.login.minted else self.own_end()
        now = time.time()
        reply = self.ask("POST", "/v1/auth/token/renew-accessor", json={"accessor": accessor})
        if reply.status == 200:
            lease = reply.field(reply.part("auth"), "lease_duration", int)
        elif reply.refused:
            lease = self._left_of(accessor)
        else:
            raise reply.trouble()
        return now + lease if lease else math.inf

    def _left_of(self, accessor: str) -> int:
        """Return how many seconds another login's token has left that cannot be renewed; 0: it does not end."""
        reply = self.ask("POST", "/v1/auth/token/lookup-accessor", json={"accessor": accessor})
        if reply.status == 200:
            return reply.field(reply.part("data"), "ttl", int)
        hint = f"Allow {self.login.who} auth/token/renew-accessor; without it, keys are made anew"
        raise reply.trouble(Reason.ISSUER_DENIED if reply.status == 403 else Reason.ISSUER_REFUSED, hint)


def _lease(reply: Reply) -> tuple[str, int]:
    """Return a lease: its id, and how many seconds it lasts."""
    lease, life = reply.field(reply.body or {}, "lease_id", str), reply.field(reply.body or {}, "lease_duration", int)
    if not lease or not 0 < life <= _LONGEST:
        said = f"{reply.said} without a lease"
        hint = "Name a path in vaultDynamic.path that leases credentials, as database/creds/… does"
        raise errors.Stalled(Reason.ISSUER_REFUSED, said, hint)
    return lease, life


@contextlib.contextmanager
def _as_issuer() -> Iterator[None]:
    """Call what went wrong as it is called of issuers."""
    try:
        yield
        return
    except errors.Outage as trouble:
        reason = _REASONS.get(trouble.reason, Reason.ISSUER_UNAVAILABLE)
        ours: errors.Error = errors.Outage(reason, trouble.message, trouble.hint, after=trouble.after)
    except errors.Stalled as refusal:
        ours = errors.Stalled(_REASONS.get(refusal.reason, refusal.reason), refusal.message, refusal.hint)
    raise ours from None


@contextlib.contextmanager
def _as_credential() -> Iterator[None]:
    """Tell a credential that cannot be one from one that is refused."""
    try:
        yield
        return
    except errors.Stalled as wrong:
        reason = Reason.CREDENTIAL_MISSING if wrong.reason is Reason.AUTH_FAILED else wrong.reason
        ours = errors.Stalled(reason, wrong.message, wrong.hint)
    raise ours from None


def _bug(what: str, foreign: Exception) -> errors.Error:
    said = f"could not be asked for {what} ({type(foreign).__name__} at {errors.place_of(foreign)})"
    return errors.Retry(Reason.INTERNAL_ERROR, said)
