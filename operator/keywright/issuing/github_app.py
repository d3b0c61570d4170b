"""GitHub: tokens of one installation of a GitHub App. Each lives for an hour, and is kept in no store.

Who asks shows a JSON Web Token that the App's private key signs. An answer that grants more than was asked for is not
taken: the token is revoked by itself.

Facts: docs.github.com, "Create an installation access token for an app" (a token bears no name and is in no list; only
it can revoke itself) and "Generating a JSON Web Token" (it is from a minute ago, as clocks differ, and for ten minutes
at most); octokit/auth-app.js (what is answered where clocks differ).

Does not belong here: personal access tokens, tokens of users, whether a token is accepted (``issuers/github``).
"""

from __future__ import annotations

import contextlib
import email.utils
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pydantic

from .. import dates, errors, rs256
from ..errors import Reason
from ..issuers.base import bearer
from ..issuers.github import SLOW, drained, pause
from ..schema import CaProvider, Cel, OneOf, SecretKeyRef, Spec, Url, canonical_url
from ..secret import SecretValue
from ..stores.base import Credentials
from . import _admin
from .base import Issued, Issuing, Order, Way

if TYPE_CHECKING:
    from ..wire import Answer

_HOME = "https://api.github.com"
#: Seconds: how far back a JSON Web Token says that it was made, and for how long it is good from now on.
_BACK, _GOOD = 60, 480
#: What a token always may, whatever it was asked for.
_ALWAYS = {"metadata": "read"}
_LEVELS = ("read", "write", "admin")

#: How its messages begin, as words of our own; what else it says is not told.
_MESSAGES = {
    "'Issued at' claim": "clocks differ",
    "'Expiration time' claim": "clocks differ",
    "A JSON web token could not be decoded": "not signed by a key of the App",
    "Integration must generate a public key": "the App has no key",
    "Integration not found": "no such App",
    "This installation has been suspended": "suspended",
    "The permissions requested": "permissions that the installation does not have",
    "There is at least one repository": "a repository that the installation does not have",
}
_CLOCKS = "clocks differ"

_NAME = "^[A-Za-z0-9._-]+$"
RepositoryName = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=100, pattern=_NAME)]
Number = Annotated[int, pydantic.Field(ge=1, le=2**53)]
Permissions = Annotated[
    dict[str, Literal["read", "write", "admin"]],
    pydantic.Field(min_length=1, max_length=64),
    Cel(
        "self.all(name, name.matches('^[a-z][a-z_]{0,62}$'))",
        "the name of a permission is as GitHub's API writes it: pull_requests",
    ),
]


class GithubApp(Issuing, name="githubApp", title="GitHub Apps", way=Way.MINTED, issuer="github"):
    """Tokens of one installation."""

    class Config(Spec):
        """For which installation tokens are minted, what they may do, and by what right."""

        cel: ClassVar[tuple[Cel | OneOf, ...]] = (
            OneOf(("app_id", "client_id")),
            Cel("!has(self.repositories) || !has(self.repositoryIds)", "name repositories, or their ids, not both"),
        )

        app_id: Number | None = None
        """Number of the App."""
        client_id: Annotated[str, pydantic.StringConstraints(max_length=64, pattern="^[A-Za-z0-9._-]+$")] | None = None
        """Client id of the App: `Iv23li…`. GitHub recommends it over `appId`."""
        installation_id: Number
        """Number of the installation: the end of its address in the settings of the organization."""
        private_key_ref: SecretKeyRef
        """Entry that holds a private key of the App (PEM), as GitHub gave it."""
        repositories: Annotated[list[RepositoryName], pydantic.Field(min_length=1, max_length=500)] | None = None
        """Repositories that a token may reach, by their names without the owner. Omitted, all of the installation."""
        repository_ids: Annotated[list[Number], pydantic.Field(min_length=1, max_length=500)] | None = None
        """Repositories that a token may reach, by their ids, which stay when a repository is renamed."""
        permissions: Permissions | None = None
        """What a token may do, for example `{contents: read}`. Omitted, all that the installation may."""
        endpoint: Url | None = None
        """Another address than `https://api.github.com`: `https://api.example.ghe.com`, or of GitHub Enterprise Server
        `https://github.example.com/api/v3`."""
        ca_provider: CaProvider | None = None
        """CA certificates that the endpoint's certificate must chain to. Omitted, the usual public ones."""

    names = False

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        """Look at what is to be made.

        Raises:
            errors.Stalled: ``InvalidSpec``: neither or both of the App's number and client id, or of repositories.
        """
        if (config.app_id is None) == (config.client_id is None):
            raise errors.Stalled(Reason.INVALID_SPEC, "names no App, or two", "Set githubApp.appId or clientId")
        if config.repositories and config.repository_ids:
            said = "names repositories both by name and by id"
            raise errors.Stalled(Reason.INVALID_SPEC, said, "Set githubApp.repositories or repositoryIds")
        self._config, self._credentials = config, credentials
        self._admin = _admin.Admin(
            config.endpoint or _HOME,
            config.ca_provider,
            credentials,
            timeout=timeout,
            word=_word,
            headers=lambda: {"X-GitHub-Api-Version": "2022-11-28"},
            rights="Check githubApp.appId or clientId, and that privateKeyRef is a key of that App",
        )

    @property
    def account(self) -> str:
        """The server, and the installation."""
        return f"{canonical_url(self._config.endpoint or _HOME)} installation {self._config.installation_id}"

    def issue(self, order: Order) -> Issued:
        """Have a token minted. It has no name, so none is known by its order."""
        with self._admin.asked("a new key") as asking:
            target = f"/app/installations/{self._config.installation_id}/access_tokens"
            answer = asking("POST", target, self._wanted(), means={401, 403}, shown=self._shown())
            if answer.status != 201:
                raise self._refusal(asking, answer)
            made = asking.body(answer)
            token, ends, too_much = asking.value(made.get("token")), _end(made), self._too_much(made)
            if ends and not too_much:
                return Issued({"token": token}, expires_at=ends)
            self._revoke(asking, token)
            if not ends:
                asking.strange(201)
            said = f"answered 201 for a new key that reaches further than was asked for, by its {too_much}"
            raise errors.Stalled(Reason.ISSUER_REFUSED, said, "Check the address, and what proxy is in between")

    def _wanted(self) -> dict[str, Any]:
        found = {
            "repositories": self._config.repositories,
            "repository_ids": self._config.repository_ids,
            "permissions": self._config.permissions,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _shown(self) -> dict[str, str]:
        """Return what shows that the App asks."""
        ref, now = self._config.private_key_ref, int(time.time())
        said = f"needs a private key of RSA (PEM) in entry {ref.key} of Secret {ref.name}, which holds something else"
        wrong = errors.Stalled(Reason.CREDENTIAL_MISSING, said, "Write the file as GitHub gave it")
        claims = {"iat": now - _BACK, "exp": now + _GOOD, "iss": self._config.client_id or str(self._config.app_id)}
        with errors.boundary(lambda _: wrong):
            key = rs256.loaded(self._credentials.secret(ref).reveal().decode("ascii"))
            return _bearer(SecretValue(rs256.signed(claims, key)))

    def _refusal(self, asking: _admin.Asking, answer: Answer) -> errors.Error:
        """Say what a 401, a 403 or a 2xx of another kind means: of some only GitHub knows when they pass."""
        error = self._admin.refusal(asking, answer)
        message = str((answer.json() or {}).get("message")).lower()
        if answer.status == 403 and (drained(answer) or any(each in message for each in SLOW)):
            said, hint = f"{error.message}: asked to slow down", "Mint less often, or for fewer objects"
            return errors.Outage(Reason.ISSUER_UNAVAILABLE, said, hint, after=pause(answer))
        if _word(answer) == _CLOCKS and (apart := _apart(answer)):
            hint = "Have the clock set of the node on which the operator runs"
            return errors.Stalled(Reason.ISSUER_DENIED, f"{error.message}: its clock is {apart} ours", hint)
        return error

    def _too_much(self, made: Mapping[str, Any]) -> str:
        """Return by what a token reaches further than was asked for; empty where it does not."""
        asked = self._config.permissions
        if asked is not None and not _within(made.get("permissions"), {**_ALWAYS, **asked}):
            return "permissions"
        names, ids = self._config.repositories, self._config.repository_ids
        if names is None and ids is None:
            return ""
        found = made.get("repositories")
        if made.get("repository_selection") != "selected" or not isinstance(found, list):
            return "repositories"
        wanted = {each.lower() for each in names or ()} | set(ids or ())
        field = "id" if names is None else "name"
        return "" if all(_of(each, field) in wanted for each in found) else "repositories"

    def _revoke(self, asking: _admin.Asking, token: SecretValue) -> None:
        """Have a token that nobody will get revoke itself; where that fails, it ends within the hour."""
        with contextlib.suppress(errors.Error):
            asking("DELETE", "/installation/token", shown=_bearer(token))


def _bearer(token: SecretValue) -> dict[str, str]:
    return bearer(token) | {"Accept": "application/vnd.github+json"}


def _end(made: Mapping[str, Any]) -> str | None:
    return dates.moment(made.get("expires_at"))


def _within(granted: object, allowed: Mapping[str, str]) -> bool:
    """Whether permissions go no further than others."""
    if not isinstance(granted, dict):
        return False
    return all(
        level in _LEVELS and name in allowed and _LEVELS.index(level) <= _LEVELS.index(allowed[name])
        for name, level in granted.items()
    )


def _of(repository: object, field: str) -> object:
    found = repository.get(field) if isinstance(repository, dict) else None
    return found.lower() if isinstance(found, str) else found


def _apart(answer: Answer) -> str:
    """Return how far GitHub's clock is from ours; empty where it does not tell."""
    try:
        ahead = email.utils.parsedate_to_datetime(answer.headers.get("Date", "")).timestamp() - time.time()
    except (ValueError, OverflowError):
        return ""
    return f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"


def _word(answer: Answer) -> str | None:
    """Return why GitHub refuses, if it is GitHub that does."""
    body = answer.json() or {}
    message = body.get("message")
    if not isinstance(message, str) or "documentation_url" not in body:
        return None
    return next((word for begins, word in _MESSAGES.items() if message.startswith(begins)), "")
