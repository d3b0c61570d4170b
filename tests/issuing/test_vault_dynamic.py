"""What credentials that Vault leases have of their own: leases, and the logins that these end with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from controlplane import OpenBao, PostgreSQL
from issuing.cases import Desk, desk
from keywright import dates, errors
from keywright.errors import Reason
from keywright.issuers.base import Verdict
from keywright.issuing import ISSUING
from keywright.issuing.base import Issued, Order, Way
from stores.contract import HeldCredentials
from vendors.base import Response
from vendors.server import MoodyServer

ORDER = Order("kw-0123abcd-1")


@pytest.fixture
def bank(openbao: OpenBao, postgres: PostgreSQL) -> Iterator[Desk]:
    """Who leases roles of the database."""
    with desk("vaultDynamic", openbao, postgres) as found:
        yield found


def by_role(bank: Desk, name: str, **settings: Any) -> Mapping[str, Any]:
    """Return fields by which another role is logged in to."""
    role, secret = bank.vendor.who(name, **settings)
    bank.secrets["other", "secret"] = secret
    ref = {"name": "other", "key": "secret"}
    return {"auth": {"appRole": {"mount": bank.vendor.method, "roleId": role, "secretIdRef": ref}}}


def by_token(bank: Desk, token: str) -> Mapping[str, Any]:
    """Return fields by which a token is used that is given."""
    bank.secrets["other", "token"] = token
    return {"auth": {"token": {"secretRef": {"name": "other", "key": "token"}}}}


def left(text: str | None) -> float:
    """Return how many seconds there are until then."""
    return (dates.unix(text) or 0.0) - time.time()


def renewed(bank: Desk, issued: Issued, **fields: Any) -> float:
    """Renew it; return how many seconds it has then."""
    renew = bank.open(**fields).renew
    assert renew
    assert issued.handle
    return left(renew(issued.handle))


def refused(call: Callable[[], object]) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        call()
    return caught.value


def becomes(what: Callable[[], bool]) -> bool:
    """Wait until something is so, which takes a server a moment."""
    ends = time.monotonic() + 30
    while not (found := what()) and time.monotonic() < ends:
        time.sleep(0.05)
    return found


def paths(bank: Desk) -> list[str]:
    """Return what was asked for, oldest first."""
    return [each.path.removeprefix("/v1/") for each in bank.server.requests]


def test_it_leases_renews_and_revokes_by_a_login_for_each_lease(bank: Desk) -> None:
    own = bank.open()

    one, two = own.issue(ORDER), own.issue(ORDER)

    assert (own.way, own.names, own.keys) == (Way.MINTED, False, None)
    assert 500 < left(one.expires_at) <= 600
    leases, accessors = zip(*((each.handle or "").split("#") for each in (one, two)), strict=True)
    assert set(leases) == bank.handles()
    assert len(set(accessors)) == 2
    assert 1100 < renewed(bank, one, increment="20m") <= 1200
    bank.revoke(one.handle or "", {})
    assert bank.probed(one.parts).verdict is Verdict.INVALID
    assert bank.probed(two.parts).verdict is Verdict.VALID
    assert bank.handles() == {leases[1]}
    assert _lives(bank, accessors[1])
    assert not _lives(bank, accessors[0])


def _lives(bank: Desk, accessor: str) -> bool:
    found: Any = bank.vendor.client.list("auth/token/accessors")
    return accessor in found["data"]["keys"]


def test_a_lease_is_renewed_no_further_than_its_engine_allows(bank: Desk) -> None:
    issued = bank.open().issue(ORDER)

    assert 3500 < renewed(bank, issued, increment="9d") <= 3600


def test_a_login_that_is_shorter_than_the_lease_is_its_end_and_is_renewed_with_it(bank: Desk) -> None:
    short = by_role(bank, "short", token_ttl="2s", token_max_ttl="1h")
    issued = bank.open(**short).issue(ORDER)
    begun = time.time()

    assert left(issued.expires_at) <= 2
    while time.time() < begun + 3:
        assert renewed(bank, issued, **short) <= 2
    assert bank.probed(issued.parts).verdict is Verdict.VALID
    assert becomes(lambda: bank.probed(issued.parts).verdict is Verdict.INVALID)
    assert refused(lambda: renewed(bank, issued, **short)).reason is Reason.ISSUER_REFUSED


def test_a_batch_token_is_the_end_of_what_was_leased_by_it(bank: Desk) -> None:
    batch = by_role(bank, "batch", token_type="batch", token_ttl="90s")

    issued = bank.open(**batch).issue(ORDER)

    assert "#" not in (issued.handle or "")
    assert left(issued.expires_at) <= 90
    assert renewed(bank, issued, **batch, increment="1h") <= 90
    bank.revoke(issued.handle or "", {})
    assert bank.handles() == set()


def test_a_token_that_is_given_is_renewed_and_never_ended(bank: Desk) -> None:
    given = by_token(bank, bank.vendor.token(period="300s"))

    issued = bank.open(**given).issue(ORDER)

    assert issued.handle in bank.handles()
    assert 200 < left(issued.expires_at) <= 300
    assert 200 < renewed(bank, issued, **given) <= 300
    own = bank.open(**given)
    assert own.revoke
    own.revoke(issued.handle or "", {})
    own.close()
    assert paths(bank).count("auth/token/renew-self") == 2
    assert bank.open(**given).issue(ORDER).handle
    assert not [each for each in paths(bank) if each.startswith("auth/token/revoke")]


def test_a_token_without_an_end_leaves_the_lease_its_own(bank: Desk) -> None:
    given = by_token(bank, bank.vendor.client.token)

    issued = bank.open(**given).issue(ORDER)

    assert 500 < left(issued.expires_at) <= 600
    assert 500 < renewed(bank, issued, **given) <= 600


def test_without_the_right_to_accessors_keys_are_made_anew_and_revoked_all_the_same(bank: Desk) -> None:
    bank.vendor.may(accessors=False)
    issued = bank.open().issue(ORDER)

    error = refused(lambda: renewed(bank, issued))

    assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_DENIED)
    assert "auth/token/renew-accessor" in error.hint
    bank.revoke(issued.handle or "", {})
    assert bank.probed(issued.parts).verdict is Verdict.INVALID


def test_what_was_leased_by_a_lost_answer_ends_with_the_login(bank: Desk) -> None:
    bank.server.mood = "forgets"

    error = refused(lambda: bank.open().issue(ORDER))

    assert error.reason is Reason.ISSUER_UNAVAILABLE
    assert paths(bank)[-1] == "auth/token/revoke-self"
    assert becomes(lambda: bank.handles() == set())


def test_parts_are_the_fields_that_were_said_and_a_missing_one_leaves_no_lease(bank: Desk) -> None:
    issued = bank.open(parts={"login": "username", "secret": "password"}).issue(ORDER)
    assert set(issued.parts) == {"login", "secret"}
    before = bank.handles()

    for field in ("user", "__class__"):
        error = refused(lambda field=field: bank.open(parts={"login": field}).issue(ORDER))  # type: ignore[misc]
        assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_REFUSED)
        assert f"without text in field {field}" in error.message
    assert becomes(lambda: bank.handles() == before)
    given = by_token(bank, bank.vendor.token())
    assert refused(lambda: bank.open(**given, parts={"login": "user"}).issue(ORDER)).reason is Reason.ISSUER_REFUSED
    assert becomes(lambda: bank.handles() == before)


def test_a_path_that_leases_nothing_is_refused(bank: Desk) -> None:
    bank.vendor.client.write_data("cubbyhole/one", data={"username": "a", "password": "b"})
    given = by_token(bank, bank.vendor.client.token)

    error = refused(lambda: bank.open(**given, path="cubbyhole/one").issue(ORDER))

    assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_REFUSED)
    assert "without a lease" in error.message


def test_an_engine_that_wants_to_be_written_is_and_what_it_does_not_renew_is_made_anew(bank: Desk) -> None:
    client, mount = bank.vendor.client, f"ssh-{bank.vendor.engine}"
    client.sys.enable_secrets_engine("ssh", path=mount)
    client.write_data(f"{mount}/roles/otp", data={"key_type": "otp", "default_user": "ci", "cidr_list": "127.0.0.0/8"})
    asked: dict[str, Any] = {"path": f"{mount}/creds/otp", "method": "Write", "parameters": {"ip": "127.0.0.1"}}
    asked |= {"parts": {"user": "username", "password": "key"}, **by_token(bank, client.token)}

    issued = bank.open(**asked).issue(ORDER)

    assert issued.parts["user"].reveal() == b"ci"
    assert json.loads(bank.server.requests[-1].body) == {"ip": "127.0.0.1"}
    error = refused(lambda: renewed(bank, issued, **asked))
    assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_REFUSED)
    bank.revoke(issued.handle or "", {})


def test_parameters_of_what_is_read_stand_in_its_query(bank: Desk) -> None:
    bank.open(parameters={"ttl": "1h", "note": "a b&c"}).issue(ORDER)

    assert bank.server.requests[-1].target.endswith("/creds/app?ttl=1h&note=a+b%26c")


def test_a_lease_that_cannot_be_revoked_at_the_moment_is_revoked_later(bank: Desk) -> None:
    issued = bank.open().issue(ORDER)
    where, config = f"{bank.vendor.engine}/config/one", {"verify_connection": False}
    away = "postgresql://{{username}}:{{password}}@127.0.0.1:1/postgres?sslmode=disable"
    told: Any = bank.vendor.client.read(where)
    there = told["data"]["connection_details"]["connection_url"]
    own = {"username": "postgres", "password": bank.vendor.database.password, "allowed_roles": "*"}
    own["plugin_name"] = "postgresql-database-plugin"
    bank.vendor.client.write_data(where, data={**own, **config, "connection_url": away})

    error = refused(lambda: bank.revoke(issued.handle or "", {}))

    assert (type(error), error.reason) == (errors.Outage, Reason.ISSUER_UNAVAILABLE)
    assert refused(lambda: bank.open().issue(ORDER)).reason is Reason.ISSUER_UNAVAILABLE
    bank.vendor.client.write_data(where, data={**own, "connection_url": there})
    bank.revoke(issued.handle or "", {})
    assert bank.probed(issued.parts).verdict is Verdict.INVALID


def test_what_is_not_there_is_told_so(bank: Desk) -> None:
    given = by_token(bank, bank.vendor.client.token)
    for path in (f"{bank.vendor.engine}/creds/other", "nowhere/creds/app"):
        error = refused(lambda path=path: bank.open(**given, path=path).issue(ORDER))  # type: ignore[misc]
        assert (type(error), error.reason) == (errors.Stalled, Reason.ISSUER_REFUSED)
    assert refused(lambda: renewed(bank, Issued({}, f"{bank.vendor.path}/never"))).reason is Reason.ISSUER_REFUSED


_LEASE = {"lease_id": "a/creds/b/c", "lease_duration": 60, "data": {"username": "a", "password": "b"}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (200, {**_LEASE, "lease_id": ""}, errors.Stalled, Reason.ISSUER_REFUSED),
        (200, {**_LEASE, "lease_duration": 0}, errors.Stalled, Reason.ISSUER_REFUSED),
        (200, {**_LEASE, "lease_duration": 10**12}, errors.Stalled, Reason.ISSUER_REFUSED),
        (200, {**_LEASE, "lease_duration": "60"}, errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (200, {**_LEASE, "lease_id": 7}, errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (200, {**_LEASE, "data": None}, errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (200, {**_LEASE, "data": {"username": "a", "password": "\ud800"}}, errors.Stalled, Reason.ISSUER_REFUSED),
        (204, b"", errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (404, {"errors": []}, errors.Stalled, Reason.ISSUER_REFUSED),
        (404, {"detail": "a gateway's"}, errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (403, {"errors": ["1 error occurred"]}, errors.Stalled, Reason.ISSUER_DENIED),
        (403, {"message": "a gateway's"}, errors.Outage, Reason.ISSUER_ANSWER_INVALID),
        (503, {"errors": ["Vault is sealed"]}, errors.Outage, Reason.ISSUER_UNAVAILABLE),
        (500, {"errors": ["1 error occurred"]}, errors.Outage, Reason.ISSUER_UNAVAILABLE),
        (473, {}, errors.Outage, Reason.ISSUER_UNAVAILABLE),
    ],
)
def test_only_vaults_own_words_refuse(status: int, body: Any, kind: type, reason: Reason) -> None:
    def answer(request: Any) -> Response:
        if request.path == "/v1/a/creds/b":
            return Response(status, body)
        return Response(200, {"data": {"ttl": 0, "renewable": False, "id": "t"}})

    server = MoodyServer(answer)
    try:
        way = ISSUING["vaultDynamic"]
        told = {"server": server.url, "path": "a/creds/b", "auth": {"token": {"secretRef": {"name": "a", "key": "b"}}}}
        own = way(way.Config.model_validate(told), HeldCredentials({("a", "b"): "shown"}), 5.0)
        error = refused(lambda: own.issue(ORDER))
    finally:
        server.close()

    assert (type(error), error.reason) == (kind, reason)
    assert error.__context__ is None
    assert "occurred" not in error.message + error.hint
