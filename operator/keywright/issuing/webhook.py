"""An issuer that Keywright does not know, by calls that the object declares: issue, list, revoke, switch off and on.

All calls go to one server. Values are escaped for where they stand; no value but a key's name and handle stands in an
address.

Does not belong here: any one vendor, whether a key is accepted (``issuers/custom``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pydantic

from .. import dates, errors, issuers, placeholders
from ..errors import Reason
from ..placeholders import Template
from ..schema import HEADER_NAMES, CaProvider, Cel, ListMap, SecretKeyRef, Spec, Url, canonical_url
from ..secret import SecretMap, SecretValue
from ..stores.base import Credentials
from . import _admin
from .base import Issued, Issuing, Listed, Order, Way, by_value

if TYPE_CHECKING:
    from ..wire import Answer

_NAME = "[a-z][a-zA-Z0-9]{0,31}"
#: What stands for the name of a new key, and for the issuer's of one that is there.
KEY_NAME, KEY_HANDLE = "name", "handle"

Path = Annotated[
    str, pydantic.StringConstraints(min_length=1, max_length=512, pattern=r"^/[-._~%a-zA-Z0-9/?!$&()*+,;=:@{}]*$")
]
Text = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=4096, pattern=r"^[\n -~]+$")]
Property = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=253, pattern="^[!-~]+$")]
Status = Annotated[int, pydantic.Field(ge=200, le=499)]
Statuses = Annotated[
    list[Status],
    pydantic.Field(max_length=16),
    Cel(
        "self.all(each, (each < 300 || each >= 400) && !(each in [408, 425, 429]))",
        "3xx, 408, 425 and 429 tell nothing",
    ),
]
Headers = Annotated[
    dict[str, Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024, pattern="^[ -~]+$")]],
    pydantic.Field(max_length=16),
    HEADER_NAMES,
]


class NamedSecret(Spec):
    """A value that calls need, such as a token."""

    name: Annotated[str, pydantic.StringConstraints(max_length=32, pattern=f"^{_NAME}$")]
    """What stands for it: `{name}`."""
    secret_ref: SecretKeyRef
    """Entry that holds it."""


NamedSecrets = Annotated[list[NamedSecret], ListMap("name"), pydantic.Field(max_length=8)]


class Call(Spec):
    """A request. `{handle}` stands for the issuer's name of the key that it is about."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """How it is sent. Default `POST`."""
    path: Path
    """Path and query on the server. Of values, `{name}` and `{handle}` alone may stand in it."""
    headers: Headers = pydantic.Field(default_factory=dict)
    """Headers beside those of all calls."""
    body: Text | None = None
    """What is sent. Where the header Content-Type says JSON (as it does if nobody sets it) or a form, values are
    escaped as a string or a field in it must be; else they stand in it as they are."""
    done: Statuses = pydantic.Field(default_factory=lambda: [200, 201, 204])
    """Statuses that mean that it is done. Default 200, 201, 204."""
    refused: Statuses = pydantic.Field(default_factory=lambda: [400, 401, 403, 404, 405, 409, 410, 413, 422])
    """Statuses that mean that it is not done, and never will be like this. Default 400, 401, 403, 404, 405, 409, 410,
    413, 422. Of every status in none of the lists nobody knows what it means: it is looked up, and tried again."""


class Issue(Call):
    """Makes a key. `{name}` stands for the name that it shall have."""

    handle: Property | None = None
    """Where in the answer the issuer's name of the key is: a key of the map, else segments joined by dots. It is shown
    to people, so a key whose name holds its value is refused; where keys are revoked by their values, leave it out.
    Of several parts, the one that is taken from the same field is the key's id; all others are secrets."""
    parts: Annotated[dict[str, Property], pydantic.Field(min_length=1, max_length=8)]
    """Where in the answer each part of the key is, by the part's name."""
    expires_at: Property | None = None
    """Where in the answer it says when the key ends."""


class List(Call):
    """Lists keys; all of them in one answer."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel("has(self.name) || has(self.createdAt)", "list needs name or createdAt: by one of them a new key is known"),
    )

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    """How it is sent. Default `GET`."""
    items: Property | None = None
    """Where in the answer the list is. Omitted, the answer is one."""
    handle: Property
    """Where in each item the issuer's name of the key is: not its value, as it is shown to people."""
    name: Property | None = None
    """Where in each item the name is that the key was given. Omitted, keys have none, and a new one is known by when it
    was made, and by not having been there before: then nobody else may make keys there while one is made here, from 5
    minutes before it is asked for to 5 minutes after."""
    created_at: Property | None = None
    """Where in each item it says when it was made: RFC 3339, or seconds of Unix time. Needed without `name`."""
    used_at: Property | None = None
    """Where in each item it says when it was last used; likewise."""


class Find(Call):
    """Tells which key it is called with. The headers of all calls are not sent: with them, a server might tell whose
    right it is to make keys.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    """How it is sent. Default `GET`."""
    handle: Property
    """Where in the answer the issuer's name of the key is."""


class Revoke(Call):
    """Revokes a key, or switches it off or on."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "DELETE"
    """How it is sent. Default `DELETE`."""
    gone: Statuses = pydantic.Field(default_factory=lambda: [404, 410])
    """Statuses that mean that there is no such key any more. Where keys can be listed, that is looked up. Default 404,
    410."""


class Webhook(Issuing, name="webhook", title="Its issuer", way=Way.ISSUE):
    """Has keys made by declared calls."""

    class Config(Spec):
        """How an issuer that Keywright does not know is asked to make, list and revoke keys."""

        cel: ClassVar[tuple[Cel, ...]] = (
            Cel("has(self.enable) == has(self.disable)", "disable and enable go together"),
            Cel("!has(self.revoke) || has(self.issue.handle)", "revoke needs issue.handle"),
            Cel("!has(self.find) || has(self.list)", "find needs list"),
        )

        server: Url
        """Address of the server that all calls go to."""
        ca_provider: CaProvider | None = None
        """CA certificates that the server's certificate must chain to. Omitted, the usual public ones."""
        secrets: NamedSecrets = pydantic.Field(default_factory=list)
        """Values that calls need. Besides, the name of each part stands for that part of a key that lives: of the old
        one where a new one is made or it is found, of the one that stays where one is revoked."""
        headers: Headers = pydantic.Field(default_factory=dict)
        """Headers of all calls but `find`, for example `Authorization: Bearer {admin}`."""
        answer: Literal["Json", "Any"] = "Json"
        """What tells refusals of the server's own from those of proxies: `Json`: they are JSON; `Any`: nothing does."""
        max_keys: Annotated[int, pydantic.Field(ge=2, le=1000)] | None = None
        """How many keys there may be. Omitted, any number."""
        issue: Issue
        """How a key is made."""
        list: List | None = None
        """How keys are listed. Omitted, one whose answer was lost is not found, and a person is told to look."""
        find: Find | None = None
        """How a key that was made by hand is found in the list: a call that bears the key itself, such as `headers:
        {Authorization: Bearer {apiKey}}`, and is answered with its name. Omitted, a person has to revoke such a key."""
        revoke: Revoke | None = None
        """How a key is revoked. Omitted, a person has to."""
        disable: Revoke | None = None
        """How a key is switched off so that it can be switched on again."""
        enable: Revoke | None = None
        """How a key is switched on again."""

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        """Take up the calls that are declared.

        Raises:
            errors.Stalled: ``InvalidSpec``: one names what nothing stands for, or one status means two things.
        """
        self._config, self._credentials, self._timeout = config, credentials, timeout
        self._admin = _admin.Admin(config.server, config.ca_provider, credentials, timeout=timeout, word=self._word)
        values = [each.name for each in config.secrets] + list(config.issue.parts)
        if len({*values, KEY_NAME, KEY_HANDLE}) < len(values) + 2:
            raise _wrong("one name stands for two things", "Call each of secrets otherwise than parts, name and handle")
        self._sent = {
            name: _Sent(name, call, {} if name == "find" else config.headers, set(values))
            for name in ("issue", "list", "find", "revoke", "disable", "enable")
            if (call := getattr(config, name))
        }
        if "find" in self._sent and self._sent["find"].named.isdisjoint(config.issue.parts):
            raise _wrong("webhook.find names no part of the key", "Let one of its headers, or its body, bear the key")
        if call := _shown(config):
            said = f"webhook.{call}.handle names the field of a key's value, which must not be shown"
            raise _wrong(said, "Name the field that has the issuer's name of the key")
        self.slots, self.parts, self.ids = config.max_keys, frozenset(config.issue.parts), _ids(config.issue)
        self.names = bool(config.list and config.list.name)
        self.keys = self._listed if config.list else None
        self.revoke = self._revoked if config.revoke else None
        self.disable = (lambda handle: self._switched("disable", handle)) if config.disable else None
        self.enable = (lambda handle: self._switched("enable", handle)) if config.enable else None

    @property
    def account(self) -> str:
        """Where keys are asked for: the server and the path, without a query, which may hold a secret."""
        return canonical_url(self._config.server, self._config.issue.path.partition("?")[0])

    def issue(self, order: Order) -> Issued:
        """Have a key made."""
        call = self._config.issue
        with self._admin.asked("a new key") as asking:
            answer = self._answered(asking, "issue", order.old, {KEY_NAME: order.name})
            body = asking.body(answer)
            handle = asking.handle(_at(body, call.handle)) if call.handle else None
            parts = {name: asking.value(_at(body, place)) for name, place in call.parts.items()}
            return Issued(parts, handle, _moment(_at(body, call.expires_at)))

    def _listed(self, order: Order) -> Sequence[Listed]:
        """List the keys."""
        with self._admin.asked("the list of keys") as asking:
            return self._of_list(asking, dataclasses.replace(order, handle=order.handle or self._which(asking, order)))

    def _which(self, asking: _admin.Asking, order: Order) -> str | None:
        """Return which key the old one is, as it is told itself; None where it is dead, or nobody says how to ask."""
        call = self._config.find
        if call is None or not order.old:
            return None
        try:
            answer = self._answered(asking, "find", order.old, {})
        except errors.Stalled:
            return None
        return _handle(asking, asking.body(answer), call.handle)

    def _of_list(self, asking: _admin.Asking, order: Order) -> list[Listed]:
        call = self._config.list
        if call is None:
            return []
        answer = self._answered(asking, "list", order.old, {KEY_NAME: order.name})
        found = answer.array() if call.items is None else _at(answer.json() or {}, call.items)
        return [self._one(asking, call, each, order) for each in asking.items(found)]

    def _one(self, asking: _admin.Asking, call: List, item: Mapping[str, Any], order: Order) -> Listed:
        handle = _handle(asking, item, call.handle)
        made = _moment(_at(item, call.created_at))
        if call.name:
            ours = order.named(_at(item, call.name))
        else:
            if made is None and any(handle not in each.before for each in order.unanswered):
                # Nobody could say whose it is.
                asking.strange()
            ours = order.made(handle, dates.unix(made), self._timeout)
        used = _moment(_at(item, call.used_at))
        return Listed(handle, ours, handle == order.handle, created_at=made, used_at=dates.unix(used))

    def _revoked(self, handle: str, staying: SecretMap) -> None:
        """Revoke a key."""
        with self._admin.asked("the revocation of a key") as asking:
            answer = self._answered(asking, "revoke", staying, {KEY_HANDLE: handle})
            gone = self._config.revoke is not None and answer.status in self._config.revoke.gone
            if gone and any(each.handle == handle for each in self._of_list(asking, Order(handle, old=staying))):
                raise self._admin.refusal(asking, answer)

    def _switched(self, way: str, handle: str) -> None:
        with self._admin.asked("switching a key off or on") as asking:
            answer = self._answered(asking, way, {}, {KEY_HANDLE: handle})
            if answer.status not in getattr(self._config, way).done:
                raise self._admin.refusal(asking, answer)

    def _answered(self, asking: _admin.Asking, way: str, parts: SecretMap, named: Mapping[str, str]) -> Answer:
        """Send a call; return an answer that says it is done, or that the key is gone."""
        call = getattr(self._config, way)
        values = {each.name: self._secret(each.secret_ref) for each in self._config.secrets}
        values |= {name: SecretValue(text) for name, text in named.items()} | dict(parts)
        answer = self._sent[way].through(self._admin, asking, values)
        own = self._word(answer) is not None
        if answer.status in call.done:
            return answer if own or not answer.data else asking.strange(answer.status)
        if own and answer.status in getattr(call, "gone", ()):
            return answer
        if answer.status in call.refused or answer.status >= 400:
            error = self._admin.refusal(asking, answer)
            if answer.status in call.refused or not isinstance(error, errors.Stalled):
                raise error
        said = f"answered {answer.status} for {asking.what}, which webhook.{way} does not tell the meaning of"
        raise errors.Outage(Reason.ISSUER_ANSWER_INVALID, said, f"Put it into a list of webhook.{way}")

    def _secret(self, ref: SecretKeyRef) -> SecretValue:
        if found := self._credentials.secret(ref):
            return found
        said = f"needs entry {ref.key} of Secret {ref.name}, which is empty"
        raise errors.Stalled(Reason.CREDENTIAL_MISSING, said, "Write it")

    def _word(self, answer: Answer) -> str | None:
        own = self._config.answer == "Any" or answer.json() is not None or answer.array() is not None
        return "" if own else None


class _Sent:
    """A call with its texts taken apart."""

    def __init__(self, name: str, call: Call, common: Mapping[str, str], values: set[str]) -> None:
        lists = [*set(call.done), *set(call.refused) - set(getattr(call, "gone", [])), *set(getattr(call, "gone", []))]
        where = f"webhook.{name}"
        if len(set(lists)) < len(lists):
            raise _wrong(f"{where} has one status in two lists", "Let each status mean one thing")
        plain = {"issue": {KEY_NAME}, "list": {KEY_NAME}, "find": set[str]()}.get(name, {KEY_HANDLE})
        hint = "Declare it in webhook.secrets, or correct it"
        self._method = call.method
        self._path = Template(call.path, plain, _wrong(f"{where}.path names what may not stand in it", hint))
        unknown = _wrong(f"{where} names what nothing stands for", hint)
        texts = {**common, **call.headers}
        if call.body is not None and not any(each.lower() == "content-type" for each in texts):
            texts["Content-Type"] = "application/json"
        self._headers = {each: Template(text, values | plain, unknown) for each, text in texts.items()}
        self._body = Template(call.body or "", values | plain, unknown)

    @property
    def named(self) -> set[str]:
        """What its headers and its body name."""
        return self._body.names.union(*(each.names for each in self._headers.values()))

    def through(self, admin: _admin.Admin, asking: _admin.Asking, values: SecretMap) -> Answer:
        """Send it.

        Raises:
            errors.Stalled: ``InvalidSpec``: a value cannot stand where it should.
        """
        headers = placeholders.headers(self._headers, values)
        body = self._body.filled(values, placeholders.escape_for(headers or {}))
        path = self._path.filled(values, placeholders.in_url)
        if headers is None or body is None or path is None:
            said = f"was not asked for {asking.what}: a value that it names is missing, or cannot stand in its place"
            raise _wrong(said, "Check the values of webhook.secrets for line breaks, and what parts the key has")
        return admin.send(asking, self._method, path.decode("ascii"), headers, body)


def _ids(call: Issue) -> frozenset[str]:
    """Return the parts that are said to be the issuer's name of a key: of several, where its handle is taken from."""
    ids = frozenset(part for part, at in call.parts.items() if at == call.handle)
    return ids if len(ids) < len(call.parts) else frozenset()


def _shown(config: Webhook.Config) -> str:
    """Return the call that names keys by a field in which a part of a new key is; empty: none does."""
    secret = {at for part, at in config.issue.parts.items() if part not in _ids(config.issue)}
    if config.issue.handle in secret:
        return "issue"
    handles = {"list": config.list and config.list.handle, "find": config.find and config.find.handle}
    # What is around it may differ from call to call.
    found = (name for name, at in handles.items() if at and any(f".{each}".endswith(f".{at}") for each in secret))
    return next(found, "")


def _handle(asking: _admin.Asking, found: Mapping[str, Any], place: str) -> str:
    """Return the name of a key that an answer tells, which is shown.

    Raises:
        errors.Stalled: ``RotationUnsupported``: it surely is a key itself, whether or not that one is known.
    """
    handle = asking.handle(_at(found, place))
    if issuers.is_secret(handle):
        raise by_value("lists keys by their values")
    return handle


def _at(found: Mapping[str, Any], place: str | None) -> Any:
    """Return what is at a place of an answer: a literal key, else segments joined by dots; None: nothing is."""
    if place is None or place in found:
        return found.get(place or "") if place else None
    at: Any = found
    for segment in place.split("."):
        at = at.get(segment) if isinstance(at, dict) else None
    return at


def _moment(found: object) -> str | None:
    return dates.moment(found) or dates.of_unix(found)


def _wrong(said: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, said, hint)
