"""What AWS IAM has of its own: two keys a user, no names, and codes that say what a status does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from issuing.cases import Desk, desk, parts_of
from keywright import errors
from keywright.errors import Reason
from keywright.issuing.aws_iam import AwsIam
from keywright.issuing.base import Order
from stores.contract import HeldCredentials
from vendors.base import Request, Response
from vendors.server import MoodyServer


@pytest.fixture
def office() -> Iterator[Desk]:
    with desk("awsIam") as found:
        yield found


def test_a_third_key_is_refused_and_no_key_makes_room_for_it(office: Desk) -> None:
    one, two = office.person_makes(), office.person_makes()

    with pytest.raises(errors.Stalled) as caught:
        office.open().issue(Order("kw-a", before=frozenset(office.handles())))

    assert (office.open().slots, office.open().names) == (2, False)
    assert caught.value.reason is Reason.ISSUER_REFUSED
    assert caught.value.message == "answered 409 (LimitExceeded) for a new key"
    assert office.handles() == {one.handle, two.handle}
    assert office.asked() == 1


def test_a_key_that_was_there_before_or_is_older_is_not_ours(office: Desk) -> None:
    old = office.person_makes()
    new = office.open().issue(Order("kw-a"))

    def ours(**said: Any) -> set[str]:
        return {handle for handle, each in office.listed(Order("kw-a", **said)).items() if each.ours}

    now = time.time()
    assert ours(before=frozenset({old.handle}), asked_at=now) == {new.handle}
    assert ours(before=frozenset({old.handle})) == set()
    assert ours(before=frozenset({old.handle}), asked_at=now + 3600) == set()
    assert ours(handle=old.handle, asked_at=now) == {new.handle}
    assert ours(old=parts_of(old), asked_at=now) == {new.handle}


def test_the_old_key_tells_when_it_was_last_used(office: Desk) -> None:
    old, now = office.person_makes(), time.time()
    order = Order("kw-a", parts_of(old))
    assert office.listed(order)[old.handle].used_at is None

    office.probed(order.old)

    used = office.listed(order)[old.handle].used_at
    assert used
    assert abs(used - now) < 120
    assert len([each for each in office.server.requests if b"GetAccessKeyLastUsed" in each.body]) == 2


def test_nobody_is_asked_what_need_not_be(office: Desk) -> None:
    office.person_makes()
    own, before = office.open(), len(office.server.requests)

    own.issue(Order("kw-a"))
    assert len(office.server.requests) == before + 1
    office.listed(Order("kw-a"))
    assert len(office.server.requests) == before + 2


_XML = '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Code>{}</Code></Error></ErrorResponse>'
_MADE = "<CreateAccessKeyResponse><CreateAccessKeyResult>{}</CreateAccessKeyResult></CreateAccessKeyResponse>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (400, _XML.format("Throttling"), errors.Outage, Reason.ISSUER_UNAVAILABLE),
        (409, _XML.format("EntityTemporarilyUnmodifiable"), errors.Outage, Reason.ISSUER_UNAVAILABLE),
        (500, _XML.format("ServiceFailure"), errors.Outage, Reason.ISSUER_UNAVAILABLE),
        (403, _XML.format("SignatureDoesNotMatch"), errors.Stalled, Reason.ISSUER_DENIED),
        (403, _XML.format("InvalidClientTokenId"), errors.Stalled, Reason.ISSUER_DENIED),
        (400, _XML.format("SomethingNew"), errors.Stalled, Reason.ISSUER_REFUSED),
        (403, "<html><body>no</body></html>", errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (200, "<html><body>welcome</body></html>", errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (200, _MADE.format(""), errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (
            200,
            _MADE.format("<AccessKey><AccessKeyId>AKIA1</AccessKeyId></AccessKey>"),
            errors.Outage,
            Reason.ISSUER_ANSWER_INVALID,
        ),
        (200, "", errors.Outage, Reason.ISSUER_ANSWER_INVALID),
    ],
)
def test_what_an_answer_means(status: int, body: str, kind: type[errors.Error], reason: Reason) -> None:
    def answer(_: Request) -> Response:
        return Response(status, body.encode(), {"Content-Type": "text/xml"})

    server = MoodyServer(answer)
    try:
        said = {
            "user": "ci",
            "endpoint": f"{server.url}/below",
            "accessKeyIdRef": {"name": "right", "key": "id"},
            "secretAccessKeyRef": {"name": "right", "key": "admin"},
        }
        held = HeldCredentials({("right", "id"): "AKIAEXAMPLE", ("right", "admin"): "secret"})
        with pytest.raises(errors.Error) as caught:
            AwsIam(AwsIam.Config.model_validate(said), held, 5.0).issue(Order("kw-a"))
    finally:
        server.close()
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert "SomethingNew" not in caught.value.message
    assert [each.target for each in server.requests] == ["/below/"]
