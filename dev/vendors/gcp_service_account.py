"""Google's token endpoint, after its documents and RFC 7523: signatures and times of requests are really checked.

Does not belong here: what access tokens are good for.
"""

from __future__ import annotations

import base64
import functools
import json
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .base import Request, Response, Vendor, word

_TOKEN = "https://oauth2.googleapis.com/token"


class GcpServiceAccount(Vendor):
    """Knows keys by their ids."""

    name = "gcpServiceAccount"
    limits = False

    def __init__(self) -> None:
        super().__init__()
        #: The credentials that it was told of, by their key's id.
        self.known: dict[str, dict[str, str]] = {}
        #: Seconds by which its clock is ahead; ids of keys whose account is switched off.
        self.ahead = 0.0
        self.disabled: set[str] = set()

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key."""
        return {"service account key": {"key": key_file()}}

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the id of the key."""
        fields = json.loads(parts["key"])
        self.known[fields["private_key_id"]] = fields
        return str(fields["private_key_id"])

    def answer(self, request: Request) -> Response:
        """Answer a request for an access token."""
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if request.path != "/token" or form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return _error(400, "unsupported_grant_type", "Invalid grant_type")
        signed, _, signature = form.get("assertion", "").rpartition(".")
        header, claims = (json.loads(_decoded(each)) for each in signed.split("."))
        fields = self.known.get(header["kid"], {})
        if self.state(header["kid"]) == "invalid" or claims["iss"] != fields.get("client_email"):
            return _error(400, "invalid_grant", "Invalid grant: account not found")
        if header["kid"] in self.disabled:
            return _error(401, "disabled_client", "The OAuth client was disabled.")
        if not _is_signed(fields["private_key"], signed, _decoded(signature)):
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
        token = {"access_token": f"ya29.{word(180)}", "expires_in": 3599, "token_type": "Bearer"}
        return Response(200, token)


@functools.cache
def _private_key() -> str:
    """Return a private key (PEM): one for all, as making one takes long."""
    return pem(rsa.generate_private_key(65537, 2048))


def pem(key: Any) -> str:
    """Return a private key as Google writes it."""
    kind = serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()), "ascii")


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
        "private_key": _private_key(),
        "client_email": f"{name}@{name}.iam.gserviceaccount.com",
        "client_id": word(21, "0123456789"),
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": _TOKEN,
        "universe_domain": "googleapis.com",
    } | other
    return json.dumps({field: value for field, value in fields.items() if value is not None}, indent=2) + "\n"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _is_signed(private_key: str, signed: str, signature: bytes) -> bool:
    public: Any = serialization.load_pem_private_key(private_key.encode(), None).public_key()
    try:
        public.verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _error(status: int, error: str, description: str) -> Response:
    return Response(status, {"error": error, "error_description": description})
