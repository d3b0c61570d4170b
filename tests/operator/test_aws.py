"""AWS Secrets Manager as a store of the operator: with the role of a ServiceAccount, and with an access key."""

from __future__ import annotations

import json

from amazon import REGION, Amazon
from build import API, api_key_secret, entry
from world import Json, World


def store(world: World, aws: Amazon, **auth: Json) -> None:
    """Let there be a store."""
    config = {"region": REGION, "endpoint": aws.url, "stsEndpoint": aws.url, "auth": auth}
    world.apply({"apiVersion": API, "kind": "KeyStore", "metadata": {"name": "aws"}, "spec": {"aws": config}})


def key_of(name: str) -> Json:
    return {
        "accessKeyIdSecretRef": {"name": name, "key": "id"},
        "secretAccessKeySecretRef": {"name": name, "key": "key"},
    }


def test_a_secret_of_aws_is_read_as_the_role_of_a_service_account_and_followed(world: World, aws: Amazon) -> None:
    world.must("POST", f"/api/v1/namespaces/{world.namespace}/serviceaccounts", {"metadata": {"name": "reader"}})
    role = aws.role("reader", f"system:serviceaccount:{world.namespace}:reader")
    aws.put("llm/openai", json.dumps({"api_key": "sk-one", "org": "acme"}))
    aws.put("llm/plain", "sk-plain")
    world.start()

    store(world, aws, webIdentity={"role": role, "serviceAccountRef": {"name": "reader"}})
    entries = [entry("OPENAI_API_KEY", "llm/openai", "api_key"), entry("PLAIN", "llm/plain")]
    world.apply(api_key_secret("llm", *entries, storeRef={"name": "aws"}))

    world.secret_becomes({"OPENAI_API_KEY": "sk-one", "PLAIN": "sk-plain"})
    aws.put("llm/openai", json.dumps({"api_key": "sk-two"}))
    world.annotate("llm", refresh="now")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two", "PLAIN": "sk-plain"})
    world.is_ready()
    with world.untouched():
        aws.client.delete_secret(SecretId="llm/plain", RecoveryWindowInDays=7)
        world.annotate("llm", refresh="again")
        told = world.is_refused("VersionDeleted")["message"]
    assert "KeyStore/aws answered 400 for llm/plain" in told
    # The token that the real API server made was shown to STS, and to nobody else, once.
    assert aws.asked("AssumeRoleWithWebIdentity") == 1


def test_an_access_key_that_is_switched_off_is_told_once_by_the_store_and_a_new_one_is_enough(
    world: World, aws: Amazon
) -> None:
    old, new = aws.user(), aws.user()
    world.secret_is("aws-key", {"id": old["accessKeyId"], "key": old["secretAccessKey"]})
    aws.put("llm/openai", "sk-one")
    operator = world.start()
    store(world, aws, accessKey=key_of("aws-key"))
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai"), storeRef={"name": "aws"}))
    world.secret_becomes({"KEY": "sk-one"})

    aws.principals[old["accessKeyId"]].active = False
    with world.untouched():
        world.annotate("llm", refresh="now")
        message = world.is_refused("AuthFailed", "aws", "KeyStore")["message"]
    world.change_secret("aws-key", id=new["accessKeyId"], key=new["secretAccessKey"])
    aws.put("llm/openai", "sk-two")
    world.annotate("llm", refresh="again")

    world.secret_becomes({"KEY": "sk-two"})
    assert "(UnrecognizedClientException)" in message
    assert "the access key in Secret aws-key" in message
    log = operator.log.read_text()
    assert [each for each in (*old.values(), *new.values(), "sk-one", "sk-two") if each in log + message] == []
