"""What every sink must do, whatever takes its copies. A sink's tests subclass ``SinkContract`` and give it a receiver.

Does not belong here: what one sink does differently (its test file).
"""

from __future__ import annotations

import abc
import logging
import pathlib
import ssl
import traceback

import pytest

from controlplane import free_ports
from controlplane.certificates import Authority
from keywright import errors, logs
from keywright.audit import sinks
from keywright.audit.sinks.base import Sink
from keywright.errors import Reason
from vendors.server import Mood, MoodyServer

NAME = "000007-5f0c2a9b1d3e4f60-000000"
BODY = b'{"code":"Started"}\n{"head":{}}\n'
#: What stands in credentials and must never be shown.
CANARY = "kw-canary-6f1d2c9b4a"
TIMEOUT = 20.0


class Receiver(abc.ABC):
    """What is behind a sink: a server that may misbehave, and how the sink is configured to reach it."""

    @abc.abstractmethod
    def server(self, context: ssl.SSLContext | None = None) -> MoodyServer:
        """Start a server; with TLS, where there is something for it to show."""

    @abc.abstractmethod
    def url(self, server: str, **options: str) -> str:
        """Return the address of the sink, with good credentials."""

    @abc.abstractmethod
    def taken(self) -> dict[str, bytes]:
        """Return what was taken, by the names of segments."""


def opened(url: str, timeout: float = TIMEOUT) -> Sink:
    sink = sinks.read(url)
    sink.timeout = timeout
    return sink


def said(error: BaseException) -> str:
    """Return everything that can be seen of an error."""
    return "".join(traceback.format_exception(error)) + repr(error.args) + getattr(error, "hint", "")


class SinkContract(abc.ABC):
    """Tests that every sink passes. Subclasses define the fixture ``receiver``."""

    @pytest.fixture
    @abc.abstractmethod
    def receiver(self) -> Receiver: ...

    def test_a_segment_is_delivered_once_and_as_it_is(self, receiver: Receiver) -> None:
        server = receiver.server()
        sink = opened(receiver.url(server.url))
        other = NAME[:-1] + "1"

        for name in (NAME, NAME, other):
            sink.deliver(name, BODY)
        # Another process, which knows of nothing.
        opened(receiver.url(server.url)).deliver(NAME, BODY)

        assert receiver.taken() == {NAME: BODY, other: BODY}

    @pytest.mark.parametrize(
        ("mood", "kind", "reason"),
        [
            ("broken", errors.Outage, None),
            ("hangs up", errors.Outage, Reason.STORE_UNREACHABLE),
            ("redirect", errors.Outage, Reason.STORE_ANSWER_INVALID),
            ("slow down", errors.Outage, Reason.STORE_RATE_LIMITED),
            ("huge", errors.Outage, Reason.STORE_ANSWER_INVALID),
            ("slow", errors.Outage, Reason.STORE_TIMEOUT),
            ("html", errors.Stalled, Reason.ACCESS_DENIED),
            ("echo", errors.Stalled, None),
            ("proxy", errors.Stalled, None),
        ],
    )
    def test_trouble_is_told_in_our_words(
        self,
        receiver: Receiver,
        caplog: pytest.LogCaptureFixture,
        mood: Mood,
        kind: type[errors.Error],
        reason: Reason | None,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for name, floor in logs.CAPPED.items():
            caplog.set_level(floor, name)
        server = receiver.server()
        sink = opened(receiver.url(server.url), timeout=0.5 if mood == "slow" else TIMEOUT)
        server.mood, server.pause = mood, 7

        with pytest.raises(errors.Error) as caught:
            sink.deliver(NAME, BODY)

        error = caught.value
        assert isinstance(error, kind)
        assert reason in (None, error.reason)
        assert NAME in error.message
        assert getattr(error, "after", None) == (7 if mood == "slow down" else None)
        assert CANARY not in said(error) + caplog.text
        assert "Access denied" not in said(error)
        assert len(server.requests) == 1
        assert receiver.taken() == {}

    def test_it_is_taken_once_trouble_is_over(self, receiver: Receiver) -> None:
        server = receiver.server()
        sink = opened(receiver.url(server.url))
        for mood in ("broken", "hangs up", "documented"):
            server.mood = mood
            if mood == "documented":
                sink.deliver(NAME, BODY)
            else:
                with pytest.raises(errors.Outage):
                    sink.deliver(NAME, BODY)

        assert receiver.taken() == {NAME: BODY}

    def test_where_nobody_listens_it_is_down(self, receiver: Receiver) -> None:
        (port,) = free_ports(1)

        with pytest.raises(errors.Outage, match="accepts no connection") as caught:
            opened(receiver.url(f"http://127.0.0.1:{port}")).deliver(NAME, BODY)

        assert caught.value.reason is Reason.STORE_UNREACHABLE

    def test_a_certificate_must_be_trusted(self, receiver: Receiver, tmp_path: pathlib.Path) -> None:
        authority = Authority("somebody's")
        server = receiver.server(authority.server(tmp_path))
        file = tmp_path / "ca.pem"
        file.write_text(authority.pem)

        with pytest.raises(errors.Outage) as caught:
            opened(receiver.url(server.url)).deliver(NAME, BODY)
        opened(receiver.url(server.url, **{"ca-file": str(file)})).deliver(NAME, BODY)

        assert caught.value.reason is Reason.STORE_TLS_FAILED
        assert receiver.taken() == {NAME: BODY}
