"""What declared calls have of their own: what stands where, what a status means, and what cannot be declared."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from issuers.issuing import secret
from issuing.cases import Desk, desk, webhook
from keywright import errors
from keywright.errors import Reason
from keywright.issuers.base import Verdict
from keywright.issuing.base import Order
from keywright.issuing.webhook import Webhook
from stores.contract import HeldCredentials
from vendors.base import Request, Response
from vendors.server import MoodyServer

RIGHT = {"name": "right", "key": "admin"}
LIST = {"path": "/keys", "handle": "id", "name": "name"}
ISSUE = {"path": "/keys", "handle": "id", "parts": {"apiKey": "key"}}
IN_DATA = ISSUE | {"handle": "data.id", "parts": {"id": "data.id", "secret": "data.secret"}}
FIND = {"path": "/me", "method": "POST", "handle": "id", "body": "{apiKey}"}


@pytest.fixture
def office() -> Iterator[Desk]:
    with desk("webhook") as found:
        yield found


class Server:
    """A server that answers what it is told to."""

    def __init__(self) -> None:
        self.answers: dict[str, Response] = {}
        self.server = MoodyServer(self._answer)

    def _answer(self, request: Request) -> Response:
        return self.answers.get(request.method, Response(200, {"id": "k1", "key": "new"}))

    def issuing(self, value: str = "admin", **fields: Any) -> Webhook:
        said = {
            "server": self.server.url,
            "secrets": [{"name": "admin", "secretRef": RIGHT}],
            "issue": ISSUE,
            "revoke": {"path": "/keys/{handle}"},
        } | fields
        return Webhook(Webhook.Config.model_validate(said), HeldCredentials({("right", "admin"): value}), 5.0)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.server.close()


def test_without_names_a_list_has_to_tell_when_keys_were_made(server: Server) -> None:
    listed = {"path": "/keys", "items": "keys", "handle": "id", "createdAt": "made"}
    server.answers["GET"] = Response(200, {"keys": [{"id": "k1"}]})
    own = server.issuing(list=listed)
    assert own.keys

    assert not own.keys(Order("kw-1"))[0].ours
    assert not own.keys(Order("kw-1", before=frozenset({"k1"}), asked_at=time.time()))[0].ours
    with pytest.raises(errors.Outage) as caught:
        own.keys(Order("kw-1", asked_at=time.time()))
    assert caught.value.reason is Reason.ISSUER_ANSWER_INVALID


def test_a_new_key_tells_when_it_ends_and_is_as_slow_as_its_issuer(office: Desk) -> None:
    office.vendor.unknown_for = 2
    issued = office.open().issue(Order("kw-a"))

    assert issued.expires_at == "2036-01-02T03:04:05Z"
    verdicts = [office.probed(issued.parts).verdict for _ in range(3)]
    assert verdicts == [Verdict.INVALID, Verdict.INVALID, Verdict.VALID]

    office.vendor.known_for = 1
    assert issued.handle
    office.revoke(issued.handle, {})
    assert [office.probed(issued.parts).verdict for _ in range(2)] == [Verdict.VALID, Verdict.INVALID]


def test_the_same_key_twice_is_told_as_it_is(office: Desk) -> None:
    first = office.open().issue(Order("kw-a"))
    office.vendor.again = True

    second = office.open().issue(Order("kw-b"))

    assert second.handle == first.handle
    assert dict(second.parts) == dict(first.parts)


def test_no_key_is_made_where_there_are_as_many_as_may_be(office: Desk) -> None:
    office.vendor.cap = 2
    own = office.open(maxKeys=2)
    own.issue(Order("kw-a"))
    own.issue(Order("kw-b"))

    with pytest.raises(errors.Stalled) as caught:
        own.issue(Order("kw-c"))

    assert own.slots == 2
    assert caught.value.reason is Reason.ISSUER_REFUSED
    assert caught.value.message == "answered 409 for a new key"
    assert len(office.handles()) == 2


def test_what_is_not_declared_it_cannot_do(office: Desk) -> None:
    own = office.open(list=None, revoke=None, disable=None, enable=None)

    assert (own.keys, own.revoke, own.disable, own.enable) == (None, None, None, None)
    assert not own.names


def test_what_is_declared_to_find_a_key_has_to_tell_which_one_it_is(server: Server) -> None:
    find = {"path": "/me", "method": "POST", "handle": "id", "body": '{"key": "{apiKey}"}'}
    own = server.issuing(list=LIST, find=find, headers={"Authorization": "Bearer {admin}"})
    order = Order("kw-a", secret({"apiKey": "old"}))
    server.answers = {"GET": Response(200, [{"id": "k1"}, {"id": "k2"}]), "POST": Response(200, {"id": "k2"})}
    assert own.keys

    assert [each.handle for each in own.keys(order) if each.is_old] == ["k2"]
    (asked,) = (each for each in server.server.requests if each.method == "POST")
    assert (asked.body, "authorization" in asked.headers) == (b'{"key": "old"}', False)
    for refused in (Response(404, {"error": "no such key"}), Response(401, {"error": "dead"})):
        server.answers["POST"] = refused
        assert not any(each.is_old for each in own.keys(order))
    for strange in (Response(200, {"user": "u"}), Response(404, b"<html>not here</html>"), Response(500)):
        server.answers["POST"] = strange
        with pytest.raises(errors.Outage, match="for the list of keys"):
            own.keys(order)
    before = len(server.server.requests)
    own.keys(Order("kw-a"))
    assert len(server.server.requests) == before + 1


def test_where_keys_have_no_names_a_new_one_is_known_by_when_it_came(office: Desk) -> None:
    listing = webhook("http://x")["list"] | {"name": None}
    before, now = office.person_makes("one"), time.time()
    mine = office.open(list=listing).issue(Order("kw-a"))
    later = office.person_makes("two")
    later.at = now - 3600
    own = office.open(list=listing)
    assert own.keys

    def ours(order: Order) -> set[str]:
        assert own.keys
        return {each.handle for each in own.keys(order) if each.ours}

    assert ours(Order("kw-a", before=frozenset({before.handle}), asked_at=now)) == {mine.handle}
    assert ours(Order("kw-a", before=frozenset({before.handle}), asked_at=None)) == set()


@pytest.mark.parametrize(
    ("kind", "said", "sent"),
    [
        (None, '{"with": "{admin}"}', b'{"with": "a\\"b&c d"}'),
        ("application/json; charset=utf-8", '{"with": "{admin}"}', b'{"with": "a\\"b&c d"}'),
        ("application/x-www-form-urlencoded", "with={admin}&x={apiKey}", b"with=a%22b%26c%20d&x=old%2Fone"),
        ("text/plain", "{admin} {other} {", b'a"b&c d {other} {'),
    ],
)
def test_values_are_escaped_for_where_they_stand(server: Server, kind: Any, said: str, sent: bytes) -> None:
    issue = {
        "path": "/keys?called={name}",
        "handle": "id",
        "parts": {"apiKey": "key"},
        "headers": {"Content-Type": kind} if kind else {},
        "body": said,
    }
    if "{other}" in said:
        with pytest.raises(errors.Stalled, match="names what nothing stands for"):
            server.issuing(issue=issue)
        return
    order = Order("kw-a", secret({"apiKey": "old/one"}))

    assert server.issuing('a"b&c d', issue=issue).issue(order).handle == "k1"

    assert server.server.requests[-1].body == sent
    assert server.server.requests[-1].target == "/keys?called=kw-a"


def test_a_handle_stays_one_segment_of_the_address(server: Server) -> None:
    own = server.issuing()
    assert own.revoke

    own.revoke("../a?b#c d", {})

    assert server.server.requests[-1].target == "/keys/..%2Fa%3Fb%23c%20d"


@pytest.mark.parametrize(
    "body",
    [
        {"id": "k1"},
        {"id": "k1", "key": ""},
        {"id": "k1", "key": {"a": "b"}},
        {"id": "k1", "key": 7},
        {"id": "k1", "key": "\ud800"},
        {"id": "..", "key": "new"},
        {"id": ["k1"], "key": "new"},
        {"id": True, "key": "new"},
        {"id": "x" * 600, "key": "new"},
        [],
        b"",
    ],
)
def test_an_answer_without_a_key_leaves_open_whether_there_is_one(server: Server, body: Any) -> None:
    server.answers["POST"] = Response(201, body)

    with pytest.raises(errors.Retry) as caught:
        server.issuing().issue(Order("kw-a"))

    assert caught.value.reason is Reason.ISSUER_ANSWER_INVALID


def test_of_a_status_in_no_list_nobody_knows_what_it_means(server: Server) -> None:
    own = server.issuing()
    for status in (202, 418, 499):
        server.answers["POST"] = Response(status, {"id": "k1", "key": "new"})
        with pytest.raises(errors.Retry) as caught:
            own.issue(Order("kw-a"))
        assert f"answered {status} for a new key" in caught.value.message
        assert caught.value.reason is Reason.ISSUER_ANSWER_INVALID
    server.answers["DELETE"] = Response(404, b"<html>not here</html>")
    assert own.revoke
    with pytest.raises(errors.Retry):
        own.revoke("k1", {})
    server.answers["DELETE"] = Response(404, {"error": "no such key"})
    own.revoke("k1", {})


def test_a_key_that_is_told_to_be_gone_and_is_listed_is_not_gone(server: Server) -> None:
    server.answers = {"DELETE": Response(404, {"error": "?"}), "GET": Response(200, [{"id": "k1"}, {"id": 2}])}
    own = server.issuing(list=LIST)
    assert own.revoke

    own.revoke("k3", {})
    for handle in ("k1", "2"):
        with pytest.raises(errors.Stalled, match="answered 404 for the revocation of a key"):
            own.revoke(handle, {})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"headers": {"Authorization": "Bearer {token}"}}, "webhook.issue names what nothing stands for"),
        ({"revoke": {"path": "/keys/{admin}"}}, "webhook.revoke.path names what may not stand in it"),
        ({"revoke": {"path": "/keys/{name}"}}, "webhook.revoke.path names what may not stand in it"),
        ({"revoke": {"path": "/keys/{handle}", "gone": [204]}}, "webhook.revoke has one status in two lists"),
        ({"list": LIST, "find": {"path": "/me", "handle": "id"}}, "webhook.find names no part of the key"),
        (
            {"list": LIST, "find": {"path": "/me?key={apiKey}", "handle": "id"}},
            "webhook.find.path names what may not stand in it",
        ),
        (
            {"list": LIST, "find": {"path": "/me", "handle": "id", "body": "{apiKey} {handle}"}},
            "webhook.find names what nothing stands for",
        ),
        ({"issue": ISSUE | {"handle": "key"}}, "webhook.issue.handle names the field of a key's value"),
        ({"list": LIST | {"handle": "key"}}, "webhook.list.handle names the field of a key's value"),
        ({"issue": IN_DATA, "list": LIST | {"handle": "secret"}}, "webhook.list.handle names the field of"),
        ({"list": LIST, "find": FIND | {"handle": "key"}}, "webhook.find.handle names the field of a key's value"),
        ({"secrets": [{"name": "name", "secretRef": RIGHT}]}, "one name stands for two things"),
        ({"secrets": [{"name": "apiKey", "secretRef": RIGHT}]}, "one name stands for two things"),
    ],
)
def test_what_cannot_be_meant_is_refused(server: Server, fields: Any, why: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        server.issuing(**fields)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert why in caught.value.message


def test_of_several_parts_one_may_be_the_name_of_the_key(server: Server) -> None:
    own = server.issuing(issue=IN_DATA, list=LIST)
    server.answers["POST"] = Response(200, {"data": {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "s"}})
    server.answers["GET"] = Response(200, [{"id": "AKIAIOSFODNN7EXAMPLE", "name": "kw-a"}])
    assert own.keys

    assert own.issue(Order("kw-a")).handle == own.keys(Order("kw-a"))[0].handle == "AKIAIOSFODNN7EXAMPLE"
    assert own.ids == {"id"}
    # What has no other part is the secret, whatever is said; and nothing is said where no part is taken from there.
    assert server.issuing(issue=IN_DATA | {"handle": "data.name"}).ids == server.issuing().ids == frozenset()


@pytest.mark.parametrize("value", ["sk-proj-abc", "glpat-abc", f"AIza{'a' * 35}"])
def test_a_list_that_names_a_key_by_what_looks_like_one_is_refused_though_no_key_is_known(
    server: Server, value: str
) -> None:
    own = server.issuing(list=LIST, find=FIND)
    assert own.keys

    for listed, told in (([{"id": value, "name": "kw-a"}], {"id": "k1"}), ([], {"id": value})):
        server.answers = {"GET": Response(200, listed)}
        server.answers["POST"] = Response(200, told)
        for old in ({}, secret({"apiKey": "old"})) if listed else (secret({"apiKey": "old"}),):
            with pytest.raises(errors.Stalled, match="lists keys by their values") as caught:
                own.keys(Order("kw-a", old))
            assert caught.value.reason is Reason.ROTATION_UNSUPPORTED
            assert value not in caught.value.message


def test_what_the_fields_may_not_say_is_refused(server: Server) -> None:
    for path in ("keys", "/keys\nx", "/keys é", "//a b"):
        with pytest.raises(pydantic.ValidationError):
            server.issuing(revoke={"path": path})
