"""Answers of servers that hold values, and logins that are refused for what they are; one name each.

Does not belong here: values that fail by themselves (``branches``), how values are found (``sweep``).
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from branches import PEM
from controlplane import Answer, Drop, Hang, Replace, Truncate
from controlplane.faults import Fault
from sweep import Canaries

Json = dict[str, Any]
Named = dict[str, tuple[str, Fault]]


def of_store(value: str) -> Named:
    """Return answers to a read with the reasons that they lead to."""
    told: Json = {"errors": [value, f"bad token {value}"], "request_id": value, "warnings": [value]}
    deleted = {"data": {"data": None, "metadata": {"deletion_time": value, "version": value}}}
    return {
        "json-400": ("Unsupported", Answer(400, told)),
        "json-403": ("AccessDenied", Answer(403, told)),
        "json-404": ("MountNotFound", Answer(404, told)),
        "json-405": ("Unsupported", Answer(405, told)),
        "json-412": ("StoreStandby", Answer(412, told)),
        "json-429": ("StoreRateLimited", Answer(429, told, headers={"Retry-After": value})),
        "json-500": ("StoreError", Answer(500, told)),
        "json-502": ("StoreError", Answer(502, told)),
        "sealed": ("StoreSealed", Answer(503, {"errors": [f"Vault is sealed {value}"]})),
        "html": ("StoreAnswerInvalid", Answer(200, f"<html>{value}</html>", "text/html")),
        "html-403": ("StoreAnswerInvalid", Answer(403, f"<html>{value}</html>", "text/html")),
        "html-404": ("StoreAnswerInvalid", Answer(404, f"<html>{value}</html>", "text/html")),
        "text": ("StoreAnswerInvalid", Answer(200, value, "text/plain")),
        "array": ("StoreAnswerInvalid", Answer(200, json.dumps([value]))),
        "cut-off-json": ("StoreAnswerInvalid", Answer(200, json.dumps({"data": {"data": {"k": value}}})[:-3])),
        "nothing": ("StoreAnswerInvalid", Answer(200, b"")),
        "bytes": ("StoreAnswerInvalid", Answer(200, b"\xff\x00" + value.encode())),
        "shape": ("StoreAnswerInvalid", Answer(200, {"data": {"data": value, "metadata": value}})),
        "half-a-character": ("StoreAnswerInvalid", Answer(200, f'{{"data": {{"data": {{"k": "{value}\\ud800"}}}}}}')),
        "deep": ("StoreAnswerInvalid", Answer(200, '{"data": ' + '[{"a":' * 5000 + json.dumps(value))),
        "huge": ("StoreAnswerInvalid", Answer(200, json.dumps({"data": value * 150_000}))),
        "redirect": ("StoreAnswerInvalid", Answer(302, b"", headers={"Location": f"http://{value}/"})),
        "header": ("StoreAnswerInvalid", Answer(301, b"", headers={"X-Told": value, "Set-Cookie": f"a={value}"})),
        "version": ("VersionDeleted", Answer(404, deleted)),
        "hangs": ("StoreTimeout", Hang()),
        "hangs-up": ("StoreUnreachable", Drop()),
        "breaks-off": ("StoreAnswerInvalid", Truncate(40)),
        "replaced": ("StoreAnswerInvalid", Replace(f"{value} and more", status=200)),
    }


def of_api_server(value: str) -> Named:
    """Return answers to a write of a Secret with the reasons that they lead to."""
    causes = [
        {"reason": "FieldValueInvalid", "message": value, "field": "data[KEY]"},
        {"reason": value, "message": value, "field": value},
        {"reason": "FieldValueInvalid", "message": value, "field": f"data[{value}]"},
    ]
    status: Json = {"kind": "Status", "status": "Failure", "message": value, "details": {"causes": causes}}

    def answer(code: int, reason: str, **more: Any) -> Answer:
        return Answer(code, status | {"code": code, "reason": reason, **more})

    return {
        "422": ("TargetRefused", answer(422, "Invalid")),
        "422-by-a-webhook": ("TargetRefused", answer(422, value)),
        "400": ("TargetRefused", answer(400, "BadRequest", details={"causes": causes[1:]})),
        "403": ("TargetDenied", answer(403, "Forbidden")),
        "403-by-quota": ("TargetRefused", answer(403, "Forbidden", message=f"exceeded quota: {value}")),
        "404": ("NamespaceTerminating", answer(404, "NotFound")),
        "409-by-a-webhook": ("Conflict", answer(409, value)),
        "413": ("TargetRefused", answer(413, "RequestEntityTooLarge")),
        "429": ("KubernetesUnavailable", Answer(429, {**status, "code": 429}, retry_after=1)),
        "500": ("KubernetesUnavailable", answer(500, "InternalError")),
        "504": ("KubernetesUnavailable", answer(504, "Timeout")),
        "html": ("KubernetesUnavailable", Answer(200, f"<html>{value}</html>", "text/html")),
        "cut-off-json": ("KubernetesUnavailable", Answer(201, f'{{"metadata": {{"uid": "{value}"')),
        "hangs-up": ("KubernetesUnavailable", Drop()),
    }


@dataclasses.dataclass(frozen=True)
class Login:
    """A login that fails.

    Attributes:
        reason: of the objects that need it.
        auth: how it is done, as in ``spec.vault.auth``.
        secret: what is in the Secret ``login-<name>``.
        answer: what the server answers, where that is not its own.
        vault: more of ``spec.vault``.
    """

    reason: str
    auth: Json
    secret: dict[str, str]
    answer: Fault | None = None
    vault: Json = dataclasses.field(default_factory=dict)


class Logins:
    """Makes logins that fail.

    Args:
        mount: where users log in; AppRoles do at the same name with ``-roles``.
    """

    def __init__(self, canary: Canaries, mount: str) -> None:
        self._canary = canary
        self._user: Json = {"userPass": {"mount": mount, "username": "ci", "passwordRef": "@"}}
        self._role: Json = {"appRole": {"mount": f"{mount}-roles", "roleId": "it", "secretIdRef": "@"}}
        self._jwt: Json = {"jwt": {"mount": f"{mount}-jwt", "role": "it", "secretRef": "@"}}

    def all(self, authority: str, certificate: str) -> dict[str, Login]:
        """Return all of them by their names.

        Args:
            authority: a certificate that no server here chains to.
            certificate: one whose key is not at hand.
        """
        return self._by_token() | self._by_name() | self._by_certificate(authority, certificate)

    def _by_token(self) -> dict[str, Login]:
        html = Answer(200, self._canary("login html", "<p>{}</p>"))
        return {
            "token": self._of("token", "AuthFailed"),
            "token-with-a-break": self._of("token-with-a-break", "AuthFailed", "{}\n"),
            "token-in-two-words": self._of("token-in-two-words", "AuthFailed", "{} {}"),
            "token-echoed": self._of("token-echoed", "AuthFailed", echoed=403),
            "token-error": self._of("token-error", "StoreError", echoed=500),
            "token-html": dataclasses.replace(self._of("token-html", "StoreAnswerInvalid"), answer=html),
        }

    def _by_name(self) -> dict[str, Login]:
        account: Json = {"role": "it", "audience": "vault", "serviceAccountRef": {"name": "default"}}
        granted = {"client_token": self._canary("login granted", "{}\n"), "lease_duration": "x", "renewable": True}
        wrongly = Answer(200, {"auth": granted})
        lost = self._of("password-lost", "StoreUnreachable", **self._user)
        return {
            "password": self._of("password", "AuthFailed", **self._user),
            "password-with-a-break": self._of("password-with-a-break", "AuthFailed", "{}\n", **self._user),
            "password-echoed": self._of("password-echoed", "AuthFailed", echoed=400, **self._user),
            "password-lost": dataclasses.replace(lost, answer=Drop()),
            "secret-id": self._of("secret-id", "AuthFailed", **self._role),
            "secret-id-echoed": self._of("secret-id-echoed", "AuthFailed", echoed=400, **self._role),
            "jwt": self._of("jwt", "AuthFailed", "{}.{}.{}", **self._jwt),
            "jwt-echoed": self._of("jwt-echoed", "AuthFailed", echoed=403, **self._jwt),
            "granted-wrongly": dataclasses.replace(
                self._of("granted-wrongly", "StoreAnswerInvalid", **self._jwt), answer=wrongly
            ),
            "kubernetes": self._of("kubernetes", "AuthFailed", echoed=403, kubernetes=account),
        }

    def _by_certificate(self, authority: str, certificate: str) -> dict[str, Login]:
        sealed = PEM.format("ENCRYPTED PRIVATE KEY")
        provider = {"kind": "Secret", "name": "login-server-certificate", "key": "ca"}
        plain = self._of("server-certificate", "StoreTLSFailed")
        return {
            "client-key-of-text": self._shown("client-key-of-text", certificate, "{}"),
            "client-key": self._shown("client-key", certificate, PEM.format("PRIVATE KEY")),
            "client-key-sealed": self._shown("client-key-sealed", certificate, sealed),
            "client-certificate": self._shown("client-certificate", "none", PEM.format("PRIVATE KEY")),
            "server-certificate": dataclasses.replace(
                plain, secret=plain.secret | {"ca": authority}, vault={"caProvider": provider, "server": "https"}
            ),
        }

    def _of(self, name: str, reason: str, form: str = "{}", echoed: int = 0, **auth: Json) -> Login:
        """Return one; ``@`` in ``auth`` stands for its Secret, and the server may answer with what is in it."""
        ref = {"name": f"login-{name}", "key": "it"}
        text = json.dumps(auth or {"token": {"secretRef": "@"}}).replace('"@"', json.dumps(ref))
        value = self._canary(f"login {name}", form)
        told: Json = {"errors": [value, f"bad: {value}"], "warnings": [value]}
        return Login(reason, json.loads(text), {"it": value}, Answer(echoed, told) if echoed else None)

    def _shown(self, name: str, chain: str, form: str) -> Login:
        """Return one by a client certificate whose key is a canary."""
        sides = {"certSecretRef": "chain", "keySecretRef": "it"}
        refs = {side: {"name": f"login-{name}", "key": key} for side, key in sides.items()}
        login = self._of(name, "StoreTLSFailed", form, cert={})
        return dataclasses.replace(login, secret=login.secret | {"chain": chain}, vault={"clientCertificate": refs})
