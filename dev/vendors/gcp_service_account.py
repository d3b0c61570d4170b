"""Google's token endpoint and keys of service accounts, after its documents and RFC 7523.

Signatures and times of requests are really checked.

Does not belong here: what access tokens are good for.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from . import tokens
from .base import Made, Request, Response, Vendor, word

_TOKEN = "https://oauth2.googleapis.com/token"


class GcpServiceAccount(Vendor):
    """Knows keys by their ids.

    Attributes:
        account: the service account whose keys it makes, ten at most.
    """

    name = "gcpServiceAccount"
    account = "ci@acme.iam.gserviceaccount.com"
    limits = False

    def __init__(self) -> None:
        super().__init__()
        #: The credentials that it was told of, by their key's id.
        self.known: dict[str, dict[str, str]] = {}
        #: Seconds by which its clock is ahead; ids of keys whose account is switched off.
        self.ahead = 0.0
        self.disabled: set[str] = set()
        self.admin = key_file()
        self._tokens: set[str] = set()
        self.knows({"key": self.admin})

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key."""
        return {"service account key": {"key": key_file()}}

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the id of the key."""
        fields = json.loads(parts["key"])
        self.known[fields["private_key_id"]] = fields
        return str(fields["private_key_id"])

    def answer(self, request: Request) -> Response:
        """Answer a request for an access token, and what admins ask."""
        if request.path.startswith("/v1/projects/"):
            return self._administer(request)
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if request.path != "/token" or form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return _error(400, "unsupported_grant_type", "Invalid grant_type")
        signed, _, signature = form.get("assertion", "").rpartition(".")
        header, claims = (json.loads(tokens.decoded(each)) for each in signed.split("."))
        fields = self.known.get(header["kid"], {})
        if self.state(header["kid"]) == "invalid" or claims["iss"] != fields.get("client_email"):
            return _error(400, "invalid_grant", "Invalid grant: account not found")
        if header["kid"] in self.disabled:
            return _error(401, "disabled_client", "The OAuth client was disabled.")
        if not tokens.is_signed(fields["private_key"], signed, tokens.decoded(signature)):
            return _error(400, "invalid_grant", "Invalid JWT Signature.")
        return self._granted(claims)

    def _granted(self, claims: Mapping[str, Any]) -> Response:
        now = time.time() + self.ahead
        if not claims["iat"] - 60 <= now <= claims["exp"] <= now + 3600:
            told = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
            return _error(400, "invalid_grant", f"{told}Check your iat and exp values in the JWT claim.")
        if claims["aud"] != _TOKEN:
            return _error(400, "invalid_grant", "Invalid JWT: Failed audience check.")
        if not claims.get("scope"):
            return _error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        token = f"ya29.{word(180)}"
        if claims["scope"] == "https://www.googleapis.com/auth/cloud-platform":
            self._tokens.add(token)
        return Response(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def make(self, handle: str, name: str, kind: str) -> Made:
        """Make a key; what it is called Google says."""
        handle = word(40, "0123456789abcdef")
        made = self.made[handle] = Made(handle, "", {"key": key_file(private_key_id=handle, client_email=self.account)})
        self.knows(made.parts)
        return made

    def _administer(self, request: Request) -> Response:
        if request.bearer not in self._tokens:
            return _status(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if self.denies:
            return _status(403, "PERMISSION_DENIED", "Permission 'iam.serviceAccountKeys.create' denied.")
        account, _, rest = urllib.parse.unquote(request.path).rpartition("/serviceAccounts/")[2].partition("/keys")
        if account != self.account:
            return _status(404, "NOT_FOUND", f"Service account {account} does not exist.")
        if not rest:
            return self._list() if request.method == "GET" else self._issue()
        handle, _, switch = rest.strip("/").partition(":")
        if handle not in self.made:
            return _status(404, "NOT_FOUND", f"Service account key {handle} does not exist.")
        if switch:
            self.switch(handle, off=switch == "disable")
        else:
            self.end(handle)
        return Response(200, {})

    def _list(self) -> Response:
        return Response(200, {"keys": list(map(self._shown, self.made.values()))} if self.made else {})

    def _issue(self) -> Response:
        if len(self.made) >= 10:
            return _status(400, "FAILED_PRECONDITION", "Precondition check failed.")
        made = self.make("", "", "")
        file = base64.b64encode(made.parts["key"].encode()).decode()
        return Response(200, {**self._shown(made), "privateKeyData": file})

    def _shown(self, made: Made) -> dict[str, Any]:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made.at))
        name = f"projects/acme/serviceAccounts/{self.account}/keys/{made.handle}"
        told = {"name": name, "validAfterTime": when, "validBeforeTime": "9999-12-31T23:59:59Z"}
        return told | ({"disabled": True} if made.off else {})


def key_file(**other: Any) -> str:
    """Make the file of a key.

    Args:
        other: fields that it shall have instead; None: not at all.
    """
    name = word(8, "abcdefghijklmnopqrstuvwxyz")
    fields = {
        "type": "service_account",
        "project_id": name,
        "private_key_id": word(40, "0123456789abcdef"),
        "private_key": tokens.pem(tokens.key()),
        "client_email": f"{name}@{name}.iam.gserviceaccount.com",
        "client_id": word(21, "0123456789"),
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": _TOKEN,
        "universe_domain": "googleapis.com",
    } | other
    return json.dumps({field: value for field, value in fields.items() if value is not None}, indent=2) + "\n"


def _error(status: int, error: str, description: str) -> Response:
    return Response(status, {"error": error, "error_description": description})


def _status(code: int, status: str, message: str) -> Response:
    return Response(code, {"error": {"code": code, "message": message, "status": status}})
