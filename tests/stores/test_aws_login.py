"""Each way to log in to AWS, against moto held to what AWS documents."""

from __future__ import annotations

import os
import pathlib
import time
from typing import Any

import pydantic
import pytest

from amazon import REGION, Amazon, amazon
from controlplane.certificates import Authority
from keywright import errors
from keywright.botocore_adapter import Service
from keywright.engine import egress
from keywright.errors import Reason
from keywright.stores.aws import SecretsManager
from keywright.stores.base import Location, Ref
from stores.accounts import STATIC, SUBJECT, logged_in, opened, token, with_key, with_token
from stores.contract import HeldCredentials, assert_clean, failure, refusal
from vendors.base import ALNUM, word
from vendors.server import Mood


class TestKeys:
    """Access keys out of a Secret."""

    def test_keys_are_read_anew_after_a_while_and_a_replaced_pair_is_taken_up(self, aws: Amazon) -> None:
        aws.put("llm/openai", "sk-1")
        old, new = aws.user(), aws.user()
        store = with_key(aws, old)
        assert 0 < (store.login() or 0) <= 900
        held: Any = store._credentials
        held.secrets |= {("aws", "id"): new["accessKeyId"], ("aws", "secret"): new["secretAccessKey"]}
        aws.principals[old["accessKeyId"]].active = False

        refused = refusal(store, Ref("llm/openai"))
        assert not store.accepted()
        store.login()

        assert isinstance(refused, errors.LoginExpired)
        assert store.accepted()
        assert store.fetch(Ref("llm/openai")).value.reveal() == b"sk-1"

    def test_a_login_that_may_ask_for_nothing_but_secrets_is_a_login(self, aws: Amazon) -> None:
        aws.put("llm/openai", "sk-1")

        assert logged_in(aws, aws.user("GetRandomPassword")).fetch(Ref("llm/openai")).version

    def test_an_inactive_key_is_refused(self, aws: Amazon) -> None:
        parts = aws.user()
        aws.principals[parts["accessKeyId"]].active = False

        error = failure(with_key(aws, parts).login)

        assert (type(error), error.reason) == (errors.Stalled, Reason.AUTH_FAILED)
        assert "the access key in Secret aws" in error.hint
        assert_clean(error, *parts.values())

    @pytest.mark.parametrize("bad", ["", "two\nlines", "AKIA\n", "ümlaut"])
    def test_a_key_with_a_slip_in_it_is_refused_by_name_and_not_sent(self, aws: Amazon, bad: str) -> None:
        error = failure(with_key(aws, {"accessKeyId": "AKIA", "secretAccessKey": bad}).login)

        assert (error.reason, "entry secret of Secret aws" in error.message) == (Reason.AUTH_FAILED, True)
        assert aws.server.requests == []

    def test_a_temporary_key_needs_its_session_token(self, aws: Amazon) -> None:
        parts = aws.user()
        aws.principals[parts["accessKeyId"]].parts = parts | {"sessionToken": "IQoJ-session"}
        key = STATIC["accessKey"] | {"sessionTokenSecretRef": {"name": "aws", "key": "session"}}
        held = {("aws", "id"): parts["accessKeyId"], ("aws", "secret"): parts["secretAccessKey"]}

        with_session = opened(aws, {"accessKey": key}, HeldCredentials(held | {("aws", "session"): "IQoJ-session"}))
        without = opened(aws, STATIC, HeldCredentials(held))

        assert with_session.login()
        assert failure(without.login).reason is Reason.AUTH_FAILED

    def test_a_role_is_assumed_with_its_external_id(self, aws: Amazon) -> None:
        aws.put("llm/openai", "sk-1")
        role = aws.role("reader", external_id="keywright-7")

        store = with_key(aws, role=role, externalId="keywright-7")

        assert 3000 < (store.login() or 0) <= 3600
        assert store.fetch(Ref("llm/openai")).value.reveal() == b"sk-1"
        refused = failure(with_key(aws, role=role, externalId="another").login)
        assert (type(refused), refused.reason) == (errors.Stalled, Reason.AUTH_FAILED)
        assert "trust policy" in refused.hint
        assert "keywright-7" not in refused.message

    def test_a_key_that_sts_does_not_know_assumes_no_role(self, aws: Amazon) -> None:
        parts = aws.user() | {"secretAccessKey": word(40, ALNUM)}

        error = failure(with_key(aws, parts, role=aws.role("reader")).login)

        assert (error.reason, "the access key in Secret aws" in error.hint) == (Reason.AUTH_FAILED, True)
        assert_clean(error, *parts.values())

    def test_nothing_of_the_environment_counts(self, aws: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "AWS_PROFILE": "somebody",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SESSION_TOKEN": "another",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "AWS_USE_FIPS_ENDPOINT": "true",
        }.items():
            monkeypatch.setenv(name, value)
        aws.put("llm/openai", "sk-1")

        assert logged_in(aws).fetch(Ref("llm/openai")).value.reveal() == b"sk-1"


class TestWebIdentity:
    """A ServiceAccount's token for a role."""

    def test_a_token_is_shown_to_sts_for_its_own_audience_and_the_role_is_what_reads(self, aws: Amazon) -> None:
        aws.put("llm/openai", "sk-1")

        store = with_token(aws, aws.role("reader", SUBJECT))

        assert 3000 < (store.login() or 0) <= 3600
        assert store.fetch(Ref("llm/openai")).value.reveal() == b"sk-1"
        sent = next(each for each in aws.server.requests if b"AssumeRole" in each.body)
        assert "authorization" not in sent.headers
        assert b"RoleSessionName=keywright-team-a" in sent.body

    def test_a_namespace_in_the_role_is_filled_in_and_logins_differ_by_it(self, aws: Amazon) -> None:
        aws.role("reader-team-a", SUBJECT)
        template = f"arn:aws:iam::{aws.account}:role/reader-{{namespace}}"

        store = with_token(aws, template)
        store.login()

        assert SecretsManager.identity(store._config, "team-a") == "team-a"
        named = with_key(aws, role=template)
        assert SecretsManager.identity(named._config, "team-a") == "team-a"
        assert SecretsManager.identity(with_key(aws)._config, "team-a") == ""

    @pytest.mark.parametrize("wrong", ["audience", "subject", "role"])
    def test_a_token_that_is_not_trusted_is_told_as_the_roles_trouble(self, aws: Amazon, wrong: str) -> None:
        role = aws.role("reader", SUBJECT) if wrong != "role" else f"arn:aws:iam::{aws.account}:role/none"
        web = {"audience": "vault"} if wrong == "audience" else {}

        error = failure(with_token(aws, role, web=web, subject="system:x" if wrong == "subject" else SUBJECT).login)

        assert (type(error), error.reason) == (errors.Stalled, Reason.AUTH_FAILED)
        assert "trust policy" in error.hint
        assert "ServiceAccount reader" in error.message

    def test_a_session_that_has_ended_asks_for_a_login_and_gets_one(self, aws: Amazon) -> None:
        aws.put("llm/openai", "sk-1")
        store = with_token(aws, aws.role("reader", SUBJECT))
        store.login()
        for each in aws.principals.values():
            each.ends = time.time() - 1 if "sessionToken" in each.parts else each.ends

        error = refusal(store, Ref("llm/openai"))
        store.renew()

        assert (type(error), error.reason) == (errors.LoginExpired, Reason.AUTH_FAILED)
        assert store.fetch(Ref("llm/openai")).version

    def test_one_role_may_lead_to_another(self, aws: Amazon) -> None:
        aws.put("llm/openai", "sk-1")

        store = with_token(aws, aws.role("first", SUBJECT), role=aws.role("second"))
        store.login()

        assert (aws.asked("AssumeRoleWithWebIdentity"), aws.asked("AssumeRole")) == (1, 1)
        assert store.fetch(Ref("llm/openai")).version


@pytest.mark.parametrize(
    "config",
    [
        {"auth": {"webIdentity": {"role": "reader", "serviceAccountRef": {"name": "reader"}}}},
        {"auth": STATIC, "role": "arn:aws:iam::1:role/x"},
        {"auth": STATIC, "region": "Frankfurt"},
        {"auth": STATIC, "endpoint": "s3://x"},
        {},
    ],
    ids=range(5),
)
def test_what_cannot_be_is_refused_as_it_is_read(config: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        SecretsManager.Config.model_validate({"region": REGION} | config)


def test_hosts_are_the_regions_own() -> None:
    hosts = {"eu-central-1": "amazonaws.com", "cn-north-1": "amazonaws.com.cn", "us-gov-west-1": "amazonaws.com"}
    for region, domain in hosts.items():
        found = Service("secretsmanager", region, None, None, None)._client.meta.endpoint_url
        assert found == f"https://secretsmanager.{region}.{domain}"


@pytest.mark.parametrize("mood", ["html", "garbage", "echo", "redirect", "huge", "proxy", "broken", "hangs up"])
def test_what_is_no_answer_of_sts_refuses_no_login(aws: Amazon, mood: Mood) -> None:
    store = with_token(aws, aws.role("reader", SUBJECT))
    aws.server.mood = mood

    error = failure(store.login)

    assert type(error) is errors.Outage
    assert error.reason in (Reason.STORE_ANSWER_INVALID, Reason.STORE_ERROR, Reason.STORE_UNREACHABLE)
    assert_clean(error, token("sts.amazonaws.com"))


def test_an_address_that_the_guard_refuses_is_said_by_the_guard(aws: Amazon) -> None:
    with egress.confined(egress.Scope(private=True)):
        errors_ = [failure(with_key(aws).login), failure(with_token(aws, aws.role("reader", SUBJECT)).login)]

    assert {each.reason for each in errors_} == {Reason.ENDPOINT_FORBIDDEN}
    assert aws.server.requests == []


def test_a_certificate_must_be_of_the_authority_that_is_given(
    moto_server: tuple[str, int], tmp_path: pathlib.Path
) -> None:
    authority = Authority("our authority")
    bundles = {("ca", "one"): authority.pem, ("ca", "other"): Authority("another").pem}
    with amazon(moto_server, authority.server(tmp_path)) as aws:
        parts = aws.user()
        held = {("aws", "id"): parts["accessKeyId"], ("aws", "secret"): parts["secretAccessKey"]}
        ours, other = (
            opened(
                aws,
                STATIC,
                HeldCredentials(held, bundles=bundles),
                caProvider={"kind": "ConfigMap", "name": "ca", "key": key},
            )
            for key in ("one", "other")
        )

        assert ours.login()
        assert failure(other.login).reason is Reason.STORE_TLS_FAILED
        assert failure(with_key(aws, parts).login).reason is Reason.STORE_TLS_FAILED


def test_one_secret_is_one_place_whoever_asks_and_two_accounts_are_two_where_they_are_known() -> None:
    refs = {"accessKeyIdSecretRef": {"name": "a", "key": "b"}, "secretAccessKeySecretRef": {"name": "a", "key": "c"}}
    keys, web = {"accessKey": refs}, {"serviceAccountRef": {"name": "keywright"}}

    def place(path: str = "llm/openai", account: str = "", auth: Any = keys, **more: Any) -> Location:
        role = {"role": f"arn:aws:iam::{account}:role/keywright-{{namespace}}"} if account else {}
        config = SecretsManager.Config.model_validate({"region": "eu-central-1", "auth": auth, **role, **more})
        return SecretsManager.locate(config, path, "team-a", "team-a")

    one, two = "1" * 12, "2" * 12
    arn = f"arn:aws:secretsmanager:eu-central-1:{one}:secret:llm/openai-AbCdEf"
    unknown = place()
    assert unknown.key == 'aws {"region":"eu-central-1"} llm/openai'
    known = [place(account=one), place(arn), place(arn, two), place(arn, region="us-east-1")]
    known += [place(auth={"webIdentity": {**web, "role": f"arn:aws:iam::{one}:role/other"}})]
    known += [place(account=one, endpoint="https://vpce.example")]
    assert len({each.key for each in known}) == 1
    # Of an account that is not known it may be any: what may be one key is not ended under its readers.
    assert all(each.may_be(unknown) and unknown.may_be(each) for each in known)
    assert not any(each.may_be(place(account=two)) for each in known)
    assert not unknown.may_be(place("llm/openai2"))
    # The end of an ARN may be of the name, where AWS's own six characters were left out.
    partial = place(arn.replace("openai-AbCdEf", "prod-llmkey"))
    for name in ("llm/prod", "llm/prod-llmkey"):
        assert partial.may_be(place(name))
        assert place(name).may_be(partial)
    assert not partial.may_be(place("llm/prod-llmkey", account=two))
    assert not partial.may_be(place("llm/prod-llm"))
    assert not unknown.may_be(place(region="us-east-1"))
