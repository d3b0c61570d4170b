"""Addresses of sinks: what is meant is taken, what cannot be is refused with what is wrong, and without its values."""

from __future__ import annotations

import pytest

from keywright import errors
from keywright.audit import sinks
from keywright.errors import Reason

GOOD = [
    ("https://siem.example.com/keywright?token-file=/t/token&hmac-file=/t/key", "https://siem.example.com"),
    ("https://siem.example.com:8443?ca-file=/t/ca.pem", "https://siem.example.com:8443"),
    ("https://[fd00::1]:8443/a/b", "https://[fd00::1]:8443"),
    ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080"),
    ("s3://bucket", "s3://bucket"),
    ("s3://my.bucket/a/b?region=eu-central-1&retain=365d&mode=compliance&kms-key=alias/audit", "s3://my.bucket"),
    ("s3://bucket/a?endpoint=https://minio.example.com:9000&ca-file=/t/ca.pem", "s3://bucket"),
]


@pytest.mark.parametrize(("url", "label"), GOOD)
def test_what_is_meant_is_taken(url: str, label: str) -> None:
    (sink,) = sinks.read_all([url], loopback=True)

    assert sink.label == label
    assert label in sink.identity


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "of no known kind"),
        ("ftp://host/", "of no known kind"),
        ("siem.example.com", "of no known kind"),
        ("https://", "no server can be"),
        ("https://-host/", "no server can be"),
        ("https://host/a b", "signs in its address"),
        ("https://host/ä", "signs in its address"),
        ("https://me:canary@host/", "with a name and a password"),
        ("https://host/#canary", "with a fragment"),
        ("http://siem.example.com/", "without TLS"),
        ("http://127.0.0.1.example.com/", "without TLS"),
        ("https://host/?token=canary", "an option token that it does not know"),
        ("https://host/?CANARY=1", "an option that it does not know"),
        ("https://host/?token-file=", "nothing for its option token-file"),
        ("https://host/?token-file", "not written name=value"),
        ("https://host/?token-file=canary", "token-file that is no absolute path"),
        ("https://host/?hmac-file=/a&hmac-file=/b", "an option twice"),
        ("s3://", "names no bucket"),
        ("s3://Bucket", "names no bucket"),
        ("s3://bucket/a//b", "a prefix with other signs"),
        ("s3://bucket/../b?x", "not written name=value"),
        ("s3://bucket?retain=365d", "one of retain and mode"),
        ("s3://bucket?mode=compliance", "one of retain and mode"),
        ("s3://bucket?retain=canary&mode=compliance", "cannot use its option retain"),
        ("s3://bucket?retain=0&mode=compliance", "a retain that is no time"),
        ("s3://bucket?retain=9999d9999d9999d9999d9999d&mode=compliance", "longer than 100 years"),
        ("s3://bucket?retain=1d&mode=canary", "cannot use its option mode"),
        ("s3://bucket?endpoint=http://minio.example.com", "without TLS"),
        ("s3://bucket?endpoint=https://minio.example.com/canary", "cannot use its option endpoint"),
        ("s3://bucket?region=canary!", "cannot use its option region"),
        ("s3://bucket?access-key=canary", "an option access-key that it does not know"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, why: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        sinks.read(url)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert why in caught.value.message
    assert "canary" not in f"{caught.value.message} {caught.value.hint}".lower()


def test_without_tls_only_where_loopback_is_allowed() -> None:
    for url in ("http://localhost:1/", "s3://bucket?endpoint=http://127.0.0.1:9000"):
        assert len(sinks.read_all([url], loopback=True)) == 1
        with pytest.raises(errors.Stalled, match="would be reached without TLS"):
            sinks.read_all([url])


def test_a_sink_is_named_once() -> None:
    twice = ["https://host/a?token-file=/a", "s3://bucket/a", "https://host/a?token-file=/b"]

    with pytest.raises(errors.Stalled, match="https://host is named twice"):
        sinks.read_all(twice)
    assert len(sinks.read_all(["https://host/a", "https://host/b", "s3://host/a", "s3://host/b"])) == 4
