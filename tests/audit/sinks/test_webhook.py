"""The webhook: what it shows, how its files are read, and what answers mean."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import pathlib
import ssl
import urllib.parse
from collections.abc import Iterator

import pytest

from audit.sinks.contract import BODY, CANARY, NAME, Receiver, SinkContract, opened, said
from keywright import errors
from keywright.errors import Reason
from receivers import Collector
from vendors.base import Request, Response
from vendors.server import MoodyServer


class Siem(Receiver):
    def __init__(self, stack: contextlib.ExitStack, folder: pathlib.Path) -> None:
        self._stack, self.token, self.key = stack, folder / "token", folder / "hmac"
        self.token.write_text(f"{CANARY}-token\n")
        self.key.write_text(f"{CANARY}-key\n")
        self.collector = Collector(f"{CANARY}-token")

    def server(self, context: ssl.SSLContext | None = None) -> MoodyServer:
        made = MoodyServer(self.collector.answer, context)
        self._stack.callback(made.close)
        return made

    def url(self, server: str, **options: str) -> str:
        given = {"token-file": str(self.token), "hmac-file": str(self.key)} | options
        return f"{server}/keywright?{urllib.parse.urlencode(given)}"

    def taken(self) -> dict[str, bytes]:
        return self.collector.taken


@pytest.fixture
def siem(tmp_path: pathlib.Path) -> Iterator[Siem]:
    with contextlib.ExitStack() as stack:
        yield Siem(stack, tmp_path)


class TestWebhook(SinkContract):
    @pytest.fixture
    def receiver(self, siem: Siem) -> Receiver:
        return siem


def test_a_post_says_what_it_is_whose_and_that_it_is_whole(siem: Siem) -> None:
    server = siem.server()

    opened(siem.url(server.url)).deliver(NAME, BODY)

    (asked,) = server.requests
    assert (asked.method, asked.target, asked.body) == ("POST", "/keywright", BODY)
    assert asked.headers["content-type"] == "application/x-ndjson"
    assert asked.headers["idempotency-key"] == NAME
    signed = hmac.new(f"{CANARY}-key".encode(), BODY, hashlib.sha256).hexdigest()
    assert asked.headers["keywright-signature"] == f"sha256={signed}"


def test_without_files_nothing_is_shown_and_without_a_path_the_root_is_asked(siem: Siem) -> None:
    server = siem.server()
    siem.collector.token = ""

    opened(server.url).deliver(NAME, BODY)

    (asked,) = server.requests
    assert asked.target == "/"
    assert not {"authorization", "keywright-signature"} & asked.headers.keys()


def test_a_token_that_has_changed_is_shown_at_the_next_delivery(siem: Siem) -> None:
    server = siem.server()
    sink = opened(siem.url(server.url))
    siem.collector.token = "another"

    with pytest.raises(errors.Stalled) as caught:
        sink.deliver(NAME, BODY)
    siem.token.write_text("another")
    sink.deliver(NAME, BODY)

    assert caught.value.reason is Reason.AUTH_FAILED
    assert list(siem.taken()) == [NAME]


@pytest.mark.parametrize("option", ["token-file", "hmac-file"])
@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read"), ("\n", "is empty"), (f"{CANARY} {CANARY}", "holds no token"), ("x" * 20_000, "16384")],
)
def test_a_file_that_cannot_be_used_is_named(siem: Siem, option: str, content: str | None, why: str) -> None:
    file = siem.token if option == "token-file" else siem.key
    file.unlink() if content is None else file.write_text(content)
    server = siem.server()
    if (option, why) == ("hmac-file", "holds no token"):
        # A key may be anything.
        opened(siem.url(server.url)).deliver(NAME, BODY)
        return

    with pytest.raises(errors.Stalled, match=why) as caught:
        opened(siem.url(server.url)).deliver(NAME, BODY)

    assert caught.value.reason is Reason.CREDENTIAL_MISSING
    assert str(file) in caught.value.message
    assert CANARY not in said(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (200, None, None),
        (204, None, None),
        (409, None, None),
        (400, errors.Stalled, Reason.UNSUPPORTED),
        (401, errors.Stalled, Reason.AUTH_FAILED),
        (403, errors.Stalled, Reason.ACCESS_DENIED),
        (404, errors.Stalled, Reason.NOT_FOUND),
        (413, errors.Stalled, Reason.VALUE_TOO_LARGE),
        (408, errors.Retry, Reason.STORE_TIMEOUT),
        (429, errors.Outage, Reason.STORE_RATE_LIMITED),
        (500, errors.Outage, Reason.STORE_ERROR),
        (503, errors.Outage, Reason.STORE_ERROR),
    ],
)
def test_what_an_answer_means(siem: Siem, status: int, kind: type[errors.Error] | None, reason: Reason | None) -> None:
    def answer(_: Request) -> Response:
        return Response(status, b"", {"Retry-After": "11"})

    server = MoodyServer(answer)
    try:
        if kind is None:
            opened(siem.url(server.url)).deliver(NAME, BODY)
            return
        with pytest.raises(kind, match=f"answered {status} for segment {NAME}") as caught:
            opened(siem.url(server.url)).deliver(NAME, BODY)
    finally:
        server.close()
    assert caught.value.reason is reason
    assert getattr(caught.value, "after", 11) == 11
