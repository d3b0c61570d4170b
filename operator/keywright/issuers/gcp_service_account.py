"""Google Cloud: keys of service accounts, JSON files with a private key.

Facts: RFC 7523 and developers.google.com/identity/protocols/oauth2/service-account (JWT, error codes);
googleapis/google-api-php-client 1501 and a-marenkov/gsheets 96 (clocks that differ).

Does not belong here: API keys (``google``), files of other kinds: of users, of workload identity federation.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
import urllib.parse
from typing import Any

from .. import rs256
from ..secret import SecretMap
from ._table import Format
from .base import Answer, Ask, Finding, Issuer, Malformed, Part, Recognised, Verdict, judged

_SEEN = "2026-11-01"
_TOKEN = "https://oauth2.googleapis.com/token"
#: Under which keys name it that were made at any time. Others are of another cloud, which has hosts of its own.
_TOKENS = {_TOKEN, "https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token"}
#: Lets its bearer read the account's own mail address.
_SCOPE = "https://www.googleapis.com/auth/userinfo.email"
#: Seconds for which the request is good.
_LIFE = 300

#: Characters of a private key: one of RSA with 4096 bits has 3272.
_LONGEST = 4096

#: What Google answers to one that does not exist any more, or is switched off.
_REFUSED = {"disabled_client", "deleted_client", "invalid_client"}
#: How descriptions of ``invalid_grant`` begin that are about the request: clocks that differ, above all.
_OURS = ("Invalid JWT: ",)
_CODES = _REFUSED | {"invalid_grant", "unauthorized_client", "access_denied", "invalid_scope", "invalid_request"}


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """What such a file says."""

    email: str
    key_id: str
    private_key: str = dataclasses.field(repr=False)
    token_uri: str


class GcpServiceAccount(Issuer, name="gcpServiceAccount", title="Google Cloud service accounts"):
    """Keys of service accounts of Google Cloud."""

    parts = (Part("key", "the file that Google gives: a JSON object", form="json"),)
    origin = _TOKEN.removesuffix("/token")
    formats = (Format("service account key", r"(?s)\s*\{.*\}\s*", _SEEN, "cloud.google.com: keys-create-delete"),)

    def examine(self, kind: str, part: str, text: str) -> Malformed | Recognised:
        """Look at each field, and whether the private key can be used."""
        found = read(text)
        if isinstance(found, str):
            return Malformed(part, found)
        if rs256.loaded(found.private_key) is None:
            return Malformed(part, "has a private_key that is no RSA key of 2048 to 4096 bits in PEM")
        return Recognised(kind)

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Ask for an access token of the least rights there are, and throw it away."""
        account = read(parts["key"].reveal().decode())
        key = None if isinstance(account, str) else rs256.loaded(account.private_key)
        if isinstance(account, str) or key is None:
            return Finding(Verdict.NOT_CHECKED, "is not asked about a file that is not such a key")
        if account.token_uri not in _TOKENS:
            return Finding(Verdict.NOT_CHECKED, "is not asked about keys of another cloud, by their token_uri")
        assertion = rs256.tried(lambda: assertion_of(account, key, _SCOPE))
        if assertion is None:
            return Finding(Verdict.NOT_CHECKED, "is not asked about a private_key that cannot sign")
        said = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return _judged(ask("POST", "/token", headers=headers, body=urllib.parse.urlencode(said).encode()))


def read(text: str) -> Account | str:
    """Return what the file says, or what is wrong with it as a clause."""
    fields = json.loads(text)
    if fields.get("type") != "service_account":
        return 'is not of a service account: its type is not "service_account"'
    for name, pattern in _FIELDS.items():
        if name not in fields:
            return f"has no {name}"
        value = fields[name]
        if not isinstance(value, str) or len(value) > _LONGEST or not re.fullmatch(pattern, value, re.ASCII):
            return f"has a {name} that cannot be one"
    if "\\n" in fields["private_key"]:
        return "has a private_key with backslashes in it: it was escaped twice"
    return Account(*(fields[name] for name in _FIELDS))


#: Fields that are needed, in the order of ``Account``.
_FIELDS = {
    "client_email": r"[!-?A-~]{1,128}@[a-z0-9.-]{3,253}",
    "private_key_id": "[!-~]{1,128}",
    "private_key": r"\s*-----BEGIN [^\0]+",
    "token_uri": "https://[!-~]{1,253}",
}


def assertion_of(account: Account, key: Any, scope: str) -> str:
    """Return the request for an access token (RFC 7523), signed with RS256."""
    now = int(time.time())
    claims = {"iss": account.email, "scope": scope, "aud": _TOKEN, "iat": now, "exp": now + _LIFE}
    return rs256.signed(claims, key, kid=account.key_id)


def _judged(answer: Answer) -> Finding:
    body = answer.json() or {}
    if "access_token" in body:
        return judged(answer, {200: Verdict.VALID}, own=True)
    code = next((word for word in _CODES if word == body.get("error")), "")
    about = body.get("error_description")
    if code == "invalid_grant" and str(about).startswith(_OURS):
        return Finding(Verdict.UNKNOWN, f"answered {answer.status} ({code}): its clock and ours differ, or worse")
    dead = Verdict.INVALID if code in _REFUSED | {"invalid_grant"} else Verdict.UNKNOWN
    return judged(answer, {400: dead, 401: dead}, own=bool(code), code=code)
