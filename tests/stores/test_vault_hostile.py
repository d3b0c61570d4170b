"""The Vault store against servers that misbehave: each trouble has its own reason, and no trouble lasts or leaks."""

from __future__ import annotations

import json
import pathlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from controlplane.certificates import Authority
from keywright import errors, wire
from keywright.engine import egress
from keywright.errors import Reason
from keywright.stores.base import MAX_ANSWER, Ref
from keywright.stores.vault import Vault
from stores.contract import CANARY, HeldCredentials, assert_clean, failure, refusal
from stores.hostile import Hostile, Script, answers, breaks_off, cuts_off, drips, floods, hangs, hostile, says

TOKEN = "s.kw-token-canary"
HELD = {("vault", "token"): TOKEN}
LOOKED_UP = answers(200, b'{"data": {"ttl": 0, "renewable": false}}')
GOOD = answers(200, b'{"data": {"data": {"k": "v"}, "metadata": {"version": 3, "created_time": "soon"}}}')
REQUEST_ID = "d56cf5de-eb01-548d-a0d2-2344d6184560"


def opened(url: str, timeout: float = 5.0, credentials: HeldCredentials | None = None, **config: Any) -> Vault:
    said = {
        "server": url,
        "mount": "kv",
        "version": 2,
        "auth": {"token": {"secretRef": {"name": "vault", "key": "token"}}},
    }
    return Vault(Vault.Config.model_validate(said | config), credentials or HeldCredentials(HELD), timeout)


@pytest.fixture
def server() -> Iterator[Hostile]:
    with hostile() as running:
        yield running


@pytest.fixture
def store(server: Hostile) -> Vault:
    store = opened(server.url)
    server.script = LOOKED_UP
    store.login()
    return store


def answered(status: int, body: object, *headers: str) -> Script:
    return answers(status, json.dumps(body).encode(), *headers)


HTML = b"<html>kw-canary-6f1d2c9b4a</html>"
TROUBLES: dict[str, tuple[Script, Reason]] = {
    "an HTML 404": (answers(404, HTML), Reason.STORE_ANSWER_INVALID),
    "an empty 404": (answers(404), Reason.STORE_ANSWER_INVALID),
    "a gateway's JSON 404": (answered(404, {"message": CANARY}), Reason.STORE_ANSWER_INVALID),
    "an HTML 403": (answers(403, HTML), Reason.STORE_ANSWER_INVALID),
    "an HTML 400": (answers(400, HTML), Reason.STORE_ANSWER_INVALID),
    "a 418": (answered(418, {"errors": [CANARY]}), Reason.STORE_ANSWER_INVALID),
    "a 201": (answers(201), Reason.STORE_ANSWER_INVALID),
    "a standby behind": (answered(412, {"errors": [CANARY]}), Reason.STORE_STANDBY),
    "a recovery standby": (answers(472), Reason.STORE_STANDBY),
    "a performance standby": (answers(473), Reason.STORE_STANDBY),
    "too many": (answered(429, {"errors": [CANARY]}), Reason.STORE_RATE_LIMITED),
    "sealed": (answered(503, {"errors": ["Vault is sealed"]}), Reason.STORE_SEALED),
    "not initialised": (answered(501, {"errors": [CANARY]}), Reason.STORE_SEALED),
    "a gateway's 503": (answers(503, HTML), Reason.STORE_ERROR),
    "a 500": (answered(500, {"errors": [CANARY]}), Reason.STORE_ERROR),
    "a 502": (answers(502, HTML), Reason.STORE_ERROR),
    "a 599": (answers(599), Reason.STORE_ERROR),
    "HTML": (answers(200, HTML), Reason.STORE_ANSWER_INVALID),
    "nothing": (answers(200), Reason.STORE_ANSWER_INVALID),
    "half of it": (cuts_off(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"dat'), Reason.STORE_ANSWER_INVALID),
    "a list": (answered(200, [CANARY]), Reason.STORE_ANSWER_INVALID),
    "no data": (answered(200, {"data": None}), Reason.STORE_ANSWER_INVALID),
    "no values": (answered(200, {"data": {"data": None, "metadata": {}}}), Reason.STORE_ANSWER_INVALID),
    "no metadata": (answered(200, {"data": {"data": {"k": CANARY}}}), Reason.STORE_ANSWER_INVALID),
    "text for values": (answered(200, {"data": {"data": CANARY, "metadata": {}}}), Reason.STORE_ANSWER_INVALID),
    "NaN": (answers(200, b'{"data": {"data": {"k": NaN}, "metadata": {}}}'), Reason.STORE_ANSWER_INVALID),
    "infinity": (answers(200, b'{"data": {"data": {"k": 1e999}, "metadata": {}}}'), Reason.STORE_ANSWER_INVALID),
    "half a character": (
        answers(200, b'{"data": {"data": {"k": "\\ud800"}, "metadata": {}}}'),
        Reason.STORE_ANSWER_INVALID,
    ),
    "bytes": (answers(200, b'{"data": {"data": {"k": "\xff"}, "metadata": {}}}'), Reason.STORE_ANSWER_INVALID),
    "a long number": (answers(200, b'{"data": ' + b"9" * 5000 + b"}"), Reason.STORE_ANSWER_INVALID),
    "depth": (answers(200, b'{"data": ' + b"[" * 100_000), Reason.STORE_ANSWER_INVALID),
    "compressed": (answers(200, b"\x1f\x8b" + HTML, "Content-Encoding: gzip"), Reason.STORE_ANSWER_INVALID),
    "a redirect": (answers(307, b"", "Location: http://127.0.0.1:9/"), Reason.STORE_ANSWER_INVALID),
    "a flood": (floods(b"HTTP/1.1 200 OK\r\n\r\n"), Reason.STORE_ANSWER_INVALID),
    "an endless list of chunks": (
        floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
        Reason.STORE_ANSWER_INVALID,
    ),
    "endless headers": (floods(b"HTTP/1.1 200 OK\r\nX-", b"y" * 65536), Reason.STORE_ANSWER_INVALID),
    "many headers": (floods(b"HTTP/1.1 200 OK\r\n", b"X-Y: 1\r\n" * 500), Reason.STORE_ANSWER_INVALID),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.9 " + CANARY.encode() + b"\r\n"), Reason.STORE_ANSWER_INVALID),
    "a bad chunk": (
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CANARY.encode() + b"\r\n"),
        Reason.STORE_ANSWER_INVALID,
    ),
    "a break": (breaks_off, Reason.STORE_UNREACHABLE),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_has_its_reason_and_shows_nothing(server: Hostile, store: Vault, name: str) -> None:
    server.script, reason = TROUBLES[name]

    error = refusal(store, Ref("llm/openai"))

    assert (error.reason, type(error)) == (reason, errors.Outage)
    assert "llm/openai" in error.message
    assert_clean(error, CANARY, TOKEN)


@pytest.mark.parametrize(
    "script",
    [
        hangs,
        drips(b""),
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y"),
        drips(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["hangs", "status", "headers", "continues", "body", "chunks"],
)
def test_a_server_that_drips_has_one_deadline_for_all_of_it(server: Hostile, script: Script) -> None:
    store = opened(server.url, timeout=0.4)
    server.script = LOOKED_UP
    store.login()
    server.script = script

    assert refusal(store, Ref("llm/openai")).reason == Reason.STORE_TIMEOUT


def test_an_answer_may_be_as_large_as_the_limit(server: Hostile, store: Vault) -> None:
    frame = b'{"data": {"data": {"k": "%s"}, "metadata": {"version": 1}}}'
    server.script = answers(200, frame % (b"x" * (MAX_ANSWER - len(frame) + 2)))
    assert store.fetch(Ref("llm/openai")).version == "1"

    server.script = answers(200, frame % (b"x" * (MAX_ANSWER - len(frame) + 3)))
    assert f"more than {MAX_ANSWER} bytes" in refusal(store, Ref("llm/openai")).message


def test_a_redirect_is_not_followed(server: Hostile, store: Vault) -> None:
    with hostile() as elsewhere:
        server.script = answers(307, b"", f"Location: {elsewhere.url}/v1/kv/data/llm/openai")

        error = refusal(store, Ref("llm/openai"))

        assert "a redirect" in error.message
        assert elsewhere.requests == []


@pytest.mark.parametrize(("said", "after"), [("7", 7.0), ("0", 0.0), ("soon", None), ("-1", None), ("²", None)])
def test_the_servers_wish_to_wait_is_passed_on(server: Hostile, store: Vault, said: str, after: float | None) -> None:
    server.script = answered(429, {"errors": []}, f"Retry-After: {said}")

    error = refusal(store, Ref("llm/openai"))

    assert isinstance(error, errors.Outage)
    assert error.after == after


@pytest.mark.parametrize(("sent", "shown"), [(REQUEST_ID, f" (request {REQUEST_ID})"), (f"{REQUEST_ID}; {CANARY}", "")])
def test_only_a_request_id_that_looks_like_one_is_shown(server: Hostile, store: Vault, sent: str, shown: str) -> None:
    server.script = answered(500, {"request_id": sent})

    assert refusal(store, Ref("llm/openai")).message == f"answered 500 for llm/openai{shown}"


def test_a_time_that_is_none_is_not_taken_over(server: Hostile, store: Vault) -> None:
    server.script = GOOD

    assert (store.fetch(Ref("a")).version, store.fetch(Ref("a")).created_at) == ("3", None)


def test_calls_share_one_connection(server: Hostile, store: Vault) -> None:
    server.script = GOOD
    for _ in range(20):
        store.fetch(Ref("llm/openai"))

    assert len(server.requests) == 21
    assert server.accepted == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced(server: Hostile, store: Vault) -> None:
    server.script = GOOD
    store.fetch(Ref("llm/openai"))
    server.drop()

    assert store.fetch(Ref("llm/openai")).version == "3"


def test_headers_that_cannot_be_parsed_are_not_logged(
    server: Hostile, store: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = answers(500, b"", f"no header {CANARY}", "X-After: 1")
    caplog.set_level("DEBUG")

    refusal(store, Ref("llm/openai"))

    assert CANARY not in caplog.text


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refused_login_is_a_refusal_only_from_vault_itself(server: Hostile, status: int) -> None:
    server.script = answered(status, {"errors": [CANARY]})
    assert failure(opened(server.url).login).reason == Reason.AUTH_FAILED

    server.script = answers(status, HTML)
    assert failure(opened(server.url).login).reason == Reason.STORE_ANSWER_INVALID


@pytest.mark.parametrize(
    "body",
    [{}, {"data": []}, {"data": {"ttl": "1h"}}, {"data": {"renewable": True}}, {"auth": {"client_token": CANARY}}],
)
def test_a_login_that_answers_something_else_is_no_login(server: Hostile, body: object) -> None:
    server.script = answered(200, body)

    error = failure(opened(server.url).login)

    assert error.reason == Reason.STORE_ANSWER_INVALID
    assert_clean(error, CANARY, TOKEN)


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"

    assert failure(opened(url).login).reason == Reason.STORE_UNREACHABLE


def test_a_name_that_does_not_exist_is_unreachable() -> None:
    error = failure(opened("http://nothing.invalid:8200").login)

    assert (error.reason, "DNS" in error.message) == (Reason.STORE_UNREACHABLE, True)


def test_an_address_that_the_guard_refuses_is_said_by_the_guard(server: Hostile) -> None:
    with egress.confined(egress.Scope(private=True)):
        error = failure(opened(server.url).login)

    assert error.reason == Reason.ENDPOINT_FORBIDDEN
    assert server.requests == []


class Forbidden(errors.Stalled, OSError):
    """A guard's error that urllib3 takes for trouble of the network."""


def test_what_a_guard_says_is_found_below_what_urllib3_says() -> None:
    wrapped = urllib3.exceptions.NewConnectionError(None, "wrapped")  # type: ignore[arg-type]
    wrapped.__cause__ = Forbidden(Reason.ENDPOINT_FORBIDDEN, "may not be reached")

    assert wire._trouble("llm/openai", wrapped) is wrapped.__cause__


OURS = {"certSecretRef": {"name": "client", "key": "tls.crt"}, "keySecretRef": {"name": "client", "key": "tls.key"}}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("our authority")


class TestTls:
    """What the server's certificate must be, and what ours is for."""

    def store(self, server: Hostile, authority: Authority | str, **config: Any) -> Vault:
        pem = authority if isinstance(authority, str) else authority.pem
        held = HeldCredentials(HELD | config.pop("secrets", {}), bundles={("vault-ca", "ca.crt"): pem})
        provider = {"kind": "ConfigMap", "name": "vault-ca", "key": "ca.crt"}
        return opened(server.url, credentials=held, caProvider=provider, **config)

    def test_a_certificate_of_the_given_authority_is_accepted(
        self, authority: Authority, tmp_path: pathlib.Path
    ) -> None:
        with hostile(authority.server(tmp_path)) as server:
            server.script = LOOKED_UP

            assert self.store(server, authority).login() is None

    @pytest.mark.parametrize(
        ("shown", "said"),
        [({"days": -1}, "expired"), ({"address": "127.0.0.9"}, "another address"), ({}, "not trusted")],
        ids=["expired", "other address", "other authority"],
    )
    def test_any_other_certificate_is_refused(
        self, authority: Authority, tmp_path: pathlib.Path, shown: dict[str, Any], said: str
    ) -> None:
        signer = authority if shown else Authority("another authority")
        with hostile(signer.server(tmp_path, **shown)) as server:
            error = failure(self.store(server, authority).login)

        assert (type(error), error.reason) == (errors.Outage, Reason.STORE_TLS_FAILED)
        assert said in error.message
        assert_clean(error, TOKEN)
        assert server.requests == []

    def test_public_authorities_do_not_count_beside_a_given_one_nor_it_beside_them(
        self, authority: Authority, tmp_path: pathlib.Path
    ) -> None:
        with hostile(authority.server(tmp_path)) as server:
            assert failure(opened(server.url).login).reason == Reason.STORE_TLS_FAILED

    def test_a_server_without_tls_is_not_talked_to(self, server: Hostile) -> None:
        server.script = says(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        error = failure(opened(server.url.replace("http:", "https:")).login)

        assert error.reason == Reason.STORE_TLS_FAILED
        assert not any(TOKEN.encode() in request for request in server.requests)

    @pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    def test_an_authority_that_is_no_pem_is_refused(self, server: Hostile, pem: str) -> None:
        error = failure(self.store(server, pem).login)

        assert (type(error), error.reason) == (errors.Stalled, Reason.STORE_TLS_FAILED)

    def test_a_server_that_asks_for_a_certificate_gets_ours(self, authority: Authority, tmp_path: pathlib.Path) -> None:
        context = authority.server(tmp_path)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.pem)
        certificate, key = authority.sign("keywright")
        secrets = {("client", "tls.crt"): certificate, ("client", "tls.key"): key}
        with hostile(context) as server:
            server.script = LOOKED_UP

            assert self.store(server, authority, clientCertificate=OURS, secrets=secrets).login() is None
            assert failure(self.store(server, authority).login).reason == Reason.STORE_TLS_FAILED

    @pytest.mark.parametrize("key", [b"", b"nonsense", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END"])
    def test_a_key_that_cannot_be_used_is_refused_without_asking(self, authority: Authority, key: bytes) -> None:
        certificate, _ = authority.sign("keywright")
        secrets = {("client", "tls.crt"): certificate, ("client", "tls.key"): key}
        with hostile() as server:
            error = failure(self.store(server, authority, clientCertificate=OURS, secrets=secrets).login)

        assert (type(error), error.reason) == (errors.Stalled, Reason.STORE_TLS_FAILED)
