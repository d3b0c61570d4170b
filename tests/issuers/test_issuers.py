"""What every issuer must do, each against its vendor's server, and against one that misbehaves."""

from __future__ import annotations

import io
import json
import logging
import pathlib
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from issuers.issuing import UNTRUE, asking, issuer, secret
from keywright import wire
from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Finding, Malformed, Recognised, Unrecognised, Verdict
from vendors import VendorServer, serving, vendors

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "issuers"
NAMES = sorted(vendors())
Parts = Mapping[str, str]


@pytest.fixture(params=NAMES)
def vendor(request: pytest.FixtureRequest) -> Iterator[VendorServer]:
    with serving(request.param) as server:
        yield server


def _sample(vendor: VendorServer) -> Parts:
    return next(iter(vendor.vendor.samples().values()))


def _probe(vendor: VendorServer, parts: Parts, seconds: float = 5.0) -> Finding:
    return asking(issuer(vendor), vendor.url, secret(parts), seconds)


def test_every_issuer_has_a_vendor_to_be_tested_with() -> None:
    assert set(NAMES) == set(ISSUERS)


@pytest.mark.parametrize("name", sorted(ISSUERS))
def test_an_issuer_is_called_as_its_file(name: str) -> None:
    stem = ISSUERS[name].__module__.rpartition(".")[2]

    assert re.sub("_(.)", lambda found: found[1].upper(), stem) == name


@pytest.mark.parametrize("name", sorted(ISSUERS))
def test_formats_are_dated(name: str) -> None:
    for each in ISSUERS[name].formats:
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", each.checked)
        assert each.source
        assert each.kind


@pytest.mark.parametrize("name", sorted(ISSUERS))
def test_every_kind_has_a_sample(name: str) -> None:
    made = set(vendors()[name]().samples())

    assert {each.kind for each in ISSUERS[name].formats if not each.part} <= made


# Forms.


def test_what_a_vendor_makes_is_recognised(vendor: VendorServer) -> None:
    for kind, parts in vendor.vendor.samples().items():
        found = issuer(vendor).recognise(secret(parts))
        assert isinstance(found, Recognised), kind
        assert found.kind == kind


def test_a_cut_off_credential_is_not_recognised(vendor: VendorServer) -> None:
    for parts in vendor.vendor.samples().values():
        first = next(iter(parts))
        cut = {**parts, first: parts[first][:-3]}
        assert not isinstance(issuer(vendor).recognise(secret(cut)), Recognised)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("", "is empty"),
        ("{}\n", "ends with a newline"),
        ("{}\r\n", "ends with a newline"),
        (" {}", "begins or ends with white space"),
        ("{} \n", "begins or ends with white space"),
        ("\ufeff{}", "begins with a byte order mark"),
        ("{}é", "holds characters beyond ASCII"),
        ("ab{}\ncd", "holds white space or control characters"),
        ("changeme", "is a placeholder, not a key"),
        ("<your key>", "is a placeholder, not a key"),
        ("   ", "is nothing but white space"),
    ],
)
def test_what_cannot_be_a_credential_is_malformed(vendor: VendorServer, spoilt: str, said: str) -> None:
    known = ISSUERS[vendor.vendor.name]
    for part in (each for each in issuer(vendor).parts_for(_sample(vendor)) if each.form == "token"):
        parts = {
            **_sample(vendor),
            part.name: spoilt.format(_sample(vendor)[part.name]) if part.name in _sample(vendor) else spoilt,
        }
        assert known(issuer(vendor).config, table()).recognise(secret(parts)) == Malformed(part.name, said)


def test_anothers_credential_is_malformed(vendor: VendorServer) -> None:
    if not ISSUERS[vendor.vendor.name].distinct:
        return
    own = issuer(vendor)
    for name in set(NAMES) - {vendor.vendor.name}:
        for kind, theirs in vendors()[name]().samples().items():
            text = next(iter(theirs.values()))
            claimed = table().owner(text)
            for part in (each for each in own.parts if each.form == "token" and claimed):
                found = own.recognise(secret({**_sample(vendor), part.name: text}))
                assert isinstance(found, Malformed), (name, kind)
                assert name in found.said


def test_whatever_it_is_given_it_says_something(vendor: VendorServer) -> None:
    own = issuer(vendor)
    for spoilt in UNTRUE:
        for part in own.parts_for(_sample(vendor)):
            parts = {**secret(_sample(vendor)), **secret({part.name: spoilt})}
            assert isinstance(own.recognise(parts), Malformed | Unrecognised | Recognised)


# Probes.


def test_a_living_credential_is_valid(vendor: VendorServer) -> None:
    for kind, parts in vendor.vendor.samples().items():
        vendor.vendor.knows(parts)
        assert _probe(vendor, parts).verdict is Verdict.VALID, kind


def test_a_dead_credential_is_invalid(vendor: VendorServer) -> None:
    for kind, parts in vendor.vendor.samples().items():
        assert _probe(vendor, parts).verdict is Verdict.INVALID, kind


def test_a_credential_that_may_do_less_is_alive(vendor: VendorServer) -> None:
    if not vendor.vendor.limits:
        return
    parts = _sample(vendor)
    vendor.vendor.knows(parts, "limited")

    assert _probe(vendor, parts).verdict is Verdict.LIMITED


@pytest.mark.parametrize("mood", ["slow down", "broken", "redirect", "huge", "html", "garbage", "hangs up", "proxy"])
def test_an_answer_that_is_none_says_nothing_of_the_credential(vendor: VendorServer, mood: Any) -> None:
    parts = _sample(vendor)
    vendor.vendor.knows(parts)
    vendor.mood = mood

    found = _probe(vendor, parts)

    assert found.verdict is Verdict.UNKNOWN
    assert (found.after == 1) == (mood == "slow down")


@pytest.mark.parametrize(
    "told",
    [
        {"error": {"message": "login required"}},
        {"error": {"message": "login required", "code": 401, "type": "unauthorized", "status": "DENIED"}},
        {"error": {"message": "login required", "code": "401", "type": "error"}, "type": "error"},
        {"message": "Unauthorized"},
        {"statusCode": 401, "message": "Unauthorized"},
        {"error": "unauthorized"},
        {"error": "invalid_token", "ok": False},
        {"detail": "Not authenticated", "status": 401},
    ],
)
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"custom"}))
def test_a_gateway_that_wants_a_login_condemns_no_credential(name: str, told: Any) -> None:
    kind, vendor = ISSUERS[name], vendors()[name]()
    own = kind(kind.Config.model_validate(vendor.config) if kind.Config else None, table(), "https://gate.example")
    answer = wire.Answer(401, json.dumps(told).encode())

    for parts in vendor.samples().values():
        assert own.probe(secret(parts), lambda *_, **__: answer).verdict is Verdict.UNKNOWN


def test_an_answer_that_does_not_come_says_nothing(vendor: VendorServer) -> None:
    parts = _sample(vendor)
    vendor.mood, vendor.pause = "slow", 30
    started = time.monotonic()

    assert _probe(vendor, parts, 0.5).verdict is Verdict.UNKNOWN
    assert time.monotonic() - started < 5


def test_a_redirect_is_not_followed(vendor: VendorServer) -> None:
    vendor.mood = "redirect"

    _probe(vendor, _sample(vendor))

    assert not [each for each in vendor.requests if "elsewhere" in each.target]


def test_a_credential_is_in_no_address(vendor: VendorServer) -> None:
    for parts in vendor.vendor.samples().values():
        vendor.vendor.knows(parts)
        _probe(vendor, parts)
        for value in parts.values():
            assert not [each.target for each in vendor.requests if value in each.target]


@pytest.mark.parametrize(
    "mood", ["documented", "slow down", "broken", "echo", "huge", "html", "garbage", "hangs up", "proxy", "redirect"]
)
def test_nothing_of_a_credential_is_told(vendor: VendorServer, mood: Any) -> None:
    parts = _sample(vendor)
    vendor.mood = mood
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        told = repr(_probe(vendor, parts))
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
    texts = json.dumps(told) + stream.getvalue()
    marked = {value[at : at + 8] for value in parts.values() for at in range(len(value) - 7)} - _ordinary(parts)

    assert not [each for each in marked if each in texts]


def _ordinary(parts: Parts) -> set[str]:
    """Return pieces that say nothing: those of other credentials of the kind as well, prefixes and names of fields."""
    return {piece for value in parts.values() for piece in re.findall(r"(?=([a-z_.:/-]{8}))", value)}


# Documents.


@pytest.mark.parametrize("name", sorted(ISSUERS))
def test_an_issuer_has_its_page(name: str) -> None:
    page = (DOCS / f"{ISSUERS[name].__module__.rpartition('.')[2]}.md").read_text()

    assert f"issuer: {name}" in page
    for each in ISSUERS[name].formats:
        assert each.checked in page
    for part in ISSUERS[name].parts:
        assert f"`{part.name}`" in page
