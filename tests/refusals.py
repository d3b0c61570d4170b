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


def logins(canary: Canaries, mount: str, authority: str, certificate: str) -> dict[str, Login]:
    """Return logins that fail, by their names.

    Args:
        mount: where users log in; AppRoles do at the same name with ``-roles``.
        authority: a certificate that no server here chains to.
        certificate: one whose key is not at hand.
    """

    def of(name: str, reason: str, form: str = "{}", answer: Fault | None = None, **auth: Json) -> Login:
        ref = {"name": f"login-{name}", "key": "it"}
        text = json.dumps(auth or {"token": {"secretRef": "@"}}).replace('"@"', json.dumps(ref))
        return Login(reason, json.loads(text), {"it": canary(f"login {name}", form)}, answer)

    def tls(name: str, reason: str, chain: str, form: str, **more: Json) -> Login:
        login = of(name, reason, form, cert={})
        refs = {side: {"name": f"login-{name}", "key": key} for side, key in _SIDES.items()}
        return dataclasses.replace(
            login, secret={**login.secret, "chain": chain}, vault={"clientCertificate": refs, **more}
        )

    def echo(name: str, status: int) -> Answer:
        value = canary(f"login {name}", "{}")
        told: Json = {"errors": [value, f"bad: {value}"], "warnings": [value]}
        return Answer(status, told)

    granted = {"client_token": canary("login granted", "{}\n"), "lease_duration": "x", "renewable": True}
    user: Json = {"mount": mount, "username": "ci", "passwordRef": "@"}
    role: Json = {"mount": f"{mount}-roles", "roleId": "it", "secretIdRef": "@"}
    jwt: Json = {"mount": f"{mount}-jwt", "role": "it", "secretRef": "@"}
    return {
        "token": of("token", "AuthFailed"),
        "token-with-a-break": of("token-with-a-break", "AuthFailed", "{}\n"),
        "token-in-two-words": of("token-in-two-words", "AuthFailed", "{} {}"),
        "token-echoed": of("token-echoed", "AuthFailed", answer=echo("token-echoed", 403)),
        "token-error": of("token-error", "StoreError", answer=echo("token-error", 500)),
        "token-html": of("token-html", "StoreAnswerInvalid", answer=Answer(200, canary("login html", "<p>{}</p>"))),
        "password": of("password", "AuthFailed", userPass=user),
        "password-with-a-break": of("password-with-a-break", "AuthFailed", "{}\n", userPass=user),
        "password-echoed": of("password-echoed", "AuthFailed", answer=echo("password-echoed", 400), userPass=user),
        "password-lost": of("password-lost", "StoreUnreachable", answer=Drop(), userPass=user),
        "secret-id": of("secret-id", "AuthFailed", appRole=role),
        "secret-id-echoed": of("secret-id-echoed", "AuthFailed", answer=echo("secret-id-echoed", 400), appRole=role),
        "jwt": of("jwt", "AuthFailed", "{}.{}.{}", jwt=jwt),
        "jwt-echoed": of("jwt-echoed", "AuthFailed", answer=echo("jwt-echoed", 403), jwt=jwt),
        "granted-wrongly": of("granted-wrongly", "StoreAnswerInvalid", answer=Answer(200, {"auth": granted}), jwt=jwt),
        "kubernetes": of(
            "kubernetes",
            "AuthFailed",
            answer=echo("kubernetes", 403),
            kubernetes={"role": "it", "audience": "vault", "serviceAccountRef": {"name": "default"}},
        ),
        "client-key-of-text": tls("client-key-of-text", "StoreTLSFailed", certificate, "{}"),
        "client-key": tls("client-key", "StoreTLSFailed", certificate, PEM.format("PRIVATE KEY")),
        "client-key-sealed": tls(
            "client-key-sealed", "StoreTLSFailed", certificate, PEM.format("ENCRYPTED PRIVATE KEY")
        ),
        "client-certificate": tls("client-certificate", "StoreTLSFailed", "none", PEM.format("PRIVATE KEY")),
        "server-certificate": dataclasses.replace(
            of("server-certificate", "StoreTLSFailed"),
            secret={"it": canary("login server-certificate", "{}"), "ca": authority},
            vault={
                "caProvider": {"kind": "Secret", "name": "login-server-certificate", "key": "ca"},
                "server": "https",
            },
        ),
    }


_SIDES = {"certSecretRef": "chain", "keySecretRef": "it"}
