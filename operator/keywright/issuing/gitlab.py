"""GitLab: access tokens of a project or a group, created and revoked.

Never rotated by GitLab's own ``rotate``: that kills the old token at once.

Facts: docs.gitlab.com, API of project and group access tokens: names need not be unique, so a token bears that of its
rotation; an end is demanded, a year away at most by default, or as the server's administrator says. GitLab's source
(``personal_access_tokens/self_information.rb``): a token of any scope may ask which one it is, and those of projects
and groups are personal ones of their bots.

Does not belong here: tokens of persons, deploy tokens, whether a token is accepted (``issuers/gitlab``).
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pydantic

from .. import dates, errors
from ..errors import Reason
from ..schema import CaProvider, Cel, Duration, OneOf, SecretKeyRef, Spec, Url, canonical_url, seconds
from ..secret import SecretMap, SecretValue
from ..stores.base import Credentials
from . import _admin
from .base import Issued, Issuing, Listed, Order, Way

if TYPE_CHECKING:
    from ..wire import Answer

_HOME = "https://gitlab.com"
_SELF = "/api/v4/personal_access_tokens/self"
_PLACE = "^[A-Za-z0-9_][A-Za-z0-9_./-]*$"
_WORDS = {"insufficient_scope", "invalid_token", "insufficient_granular_scope"}
_DAY = 86_400.0

Place = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=253, pattern=_PLACE)]
Scope = Annotated[str, pydantic.StringConstraints(max_length=64, pattern="^[a-z_]+$")]


class GitLab(Issuing, name="gitlab", title="GitLab", way=Way.ISSUE, issuer="gitlab"):
    """Access tokens of one project or group."""

    class Config(Spec):
        """Whose tokens are made, what they may do, and by what right."""

        cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(("project", "group")),)

        project: Place | None = None
        """Number or path of the project: `team/app`."""
        group: Place | None = None
        """Number or path of the group."""
        scopes: Annotated[list[Scope], pydantic.Field(min_length=1, max_length=32)]
        """What a token may be used for, for example `read_api`."""
        access_level: Annotated[int, pydantic.Field(ge=10, le=50)] = 30
        """The role of a token: 10 guest, 15 planner, 20 reporter, 30 developer, 40 maintainer, 50 owner. Default 30."""
        lifetime: Duration = "365d"
        """After how long a token ends by itself, in whole days. Default `365d`, the most that GitLab allows unless its
        administrator says otherwise."""
        endpoint: Url | None = None
        """Another address than `https://gitlab.com`: a server of your own."""
        ca_provider: CaProvider | None = None
        """CA certificates that the endpoint's certificate must chain to. Omitted, the usual public ones."""
        token_ref: SecretKeyRef
        """Entry that holds a token with the scope `api`, of a maintainer of the project or an owner of the group."""

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        """Look at what is to be made.

        Raises:
            errors.Stalled: ``InvalidSpec``: neither or both of project and group, or no whole day to live.
        """
        if (config.project is None) == (config.group is None):
            raise errors.Stalled(
                Reason.INVALID_SPEC, "makes tokens of one project or one group", "Set one field of gitlab"
            )
        if seconds(config.lifetime) < _DAY:
            raise errors.Stalled(
                Reason.INVALID_SPEC, "makes tokens that end on the day they begin", "Set gitlab.lifetime to 1d or more"
            )
        self._config = config
        kind, place = ("projects", config.project) if config.project else ("groups", config.group)
        self._tokens = f"/api/v4/{kind}/{_admin.quoted(place or '')}/access_tokens"
        self._admin = _admin.Admin(
            config.endpoint or _HOME,
            config.ca_provider,
            credentials,
            timeout=timeout,
            word=_word,
            headers=lambda: _admin.shown("PRIVATE-TOKEN", credentials, config.token_ref),
            rights="Check the token: scope api, of a maintainer of the project or an owner of the group",
        )

    @property
    def account(self) -> str:
        """The server, and the project or group as it is named: by number and by path are two."""
        kind, place = ("project", self._config.project) if self._config.project else ("group", self._config.group)
        return f"{canonical_url(self._config.endpoint or _HOME)} {kind} {place}".lower()

    def issue(self, order: Order) -> Issued:
        """Have a token made."""
        ends = datetime.datetime.fromtimestamp(time.time() + seconds(self._config.lifetime), datetime.UTC).date()
        wanted = {
            "name": order.name,
            "scopes": self._config.scopes,
            "access_level": self._config.access_level,
            "expires_at": ends.isoformat(),
        }
        with self._admin.asked("a new key") as asking:
            made = asking.body(asking("POST", self._tokens, wanted))
            parts = {"token": asking.value(made.get("token"))}
            return Issued(parts, asking.handle(made.get("id")), dates.midnight(made.get("expires_at")))

    def keys(self, order: Order) -> Sequence[Listed]:
        """List the tokens that are neither revoked nor over."""
        with self._admin.asked("the list of keys") as asking:
            alive = {asking.handle(each.get("id")): each for each in self._alive(asking)}
            old = order.handle or self._which(asking, order.old.get("token"))
            return [_listed(handle, each, order, old) for handle, each in alive.items()]

    def _which(self, asking: _admin.Asking, token: SecretValue | None) -> str | None:
        """Return which token a value is, as it says itself; None where it is dead, or GitLab does not tell."""
        sent = token.reveal() if token else b""
        if not re.fullmatch(rb"[!-~]{1,512}", sent):
            return None
        answer = self._admin.send(asking, "GET", _SELF, {"PRIVATE-TOKEN": sent.decode("ascii")}, b"")
        if answer.status >= 500 or answer.status in _admin.PASSING:
            raise self._admin.refusal(asking, answer)
        return str((answer.json() or {}).get("id")) if answer.status == 200 else None

    def _alive(self, asking: _admin.Asking) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = "1"
        for _ in range(_admin.MAX_PAGES):
            answer = asking("GET", f"{self._tokens}?per_page=100&page={page}")
            found += asking.items(answer.array())
            before, page = page, answer.headers.get("X-Next-Page", "")
            if not page:
                return [each for each in found if each.get("revoked") is not True and each.get("active") is not False]
            if not (page.isascii() and page.isdigit()) or page == before:
                break
        return asking.strange()

    def revoke(self, handle: str, staying: SecretMap) -> None:
        """Revoke a token."""
        with self._admin.asked("the revocation of a key") as asking:
            answer = asking("DELETE", f"{self._tokens}/{_admin.quoted(handle)}", means={404})
            if answer.status == 404:
                if any(str(each.get("id")) == handle for each in self._alive(asking)):
                    raise self._admin.refusal(asking, answer)
            elif answer.status != 204:
                asking.strange(answer.status)


def _listed(handle: str, key: dict[str, Any], order: Order, old: str | None) -> Listed:
    return Listed(
        handle,
        ours=order.named(key.get("name")),
        is_old=handle == old,
        created_at=dates.moment(key.get("created_at")),
        used_at=dates.unix(key.get("last_used_at")),
    )


def _word(answer: Answer) -> str | None:
    """Return why GitLab refuses, if it is GitLab that does: gateways in front leave the number out of the message."""
    body = answer.json() or {}
    message, error = body.get("message"), body.get("error")
    if isinstance(error, str) and error in _WORDS and "error_description" in body:
        return error
    if isinstance(message, dict) and answer.status == 400:
        return ""
    own = (text.startswith(f"{answer.status} ") for text in (message, error) if isinstance(text, str))
    # What a request lacks is told by the API's own words: "name is missing".
    return "" if any(own) or (answer.status == 400 and isinstance(error, str)) else None
