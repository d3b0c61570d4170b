"""Every store that can be written, through rotations by the real operator; readers that name one key differently."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
from collections.abc import Iterator

import pytest

from amazon import REGION, Amazon
from build import API, api_key_secret, cluster_key_store, entry
from issuing.cases import desk
from keywright.keyfile import keys, sealed
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue
from rotating_many import Many, local
from world import GROUP, World

TOKEN = {"random": {"part": "token"}}


@pytest.fixture
def many(world: World, tmp_path: pathlib.Path) -> Iterator[Many]:
    """The credentials of the world."""
    with contextlib.ExitStack() as stack:
        yield Many(world, tmp_path, stack)


def test_secrets_of_aws_get_new_versions_and_keep_the_old_one_as_the_previous(
    world: World, many: Many, aws: Amazon
) -> None:
    _has_aws(world, aws)
    with desk("awsIam") as own:
        first = own.person_makes()
        # Both are moto, which looks at the signatures of all or of nobody.
        own.vendor.trust()
        many.desks["awsIam"] = own
        world.secret_is("right", dict(own.vendor.rights))
        before = {
            "awsiam": aws.put("awsiam", json.dumps({**first.parts, "note": "stays"})),
            "plain": aws.put("plain", "first"),
        }
        ref = {"storeRef": {"name": "aws"}}
        parts = [entry(part.upper(), "awsiam", part) for part in first.parts]
        admin = own.case.config(own.server.url) | {"user": own.vendor.user}
        many.rotates("awsiam", "awsIam", admin, many.checked(own), parts, **ref)
        many.rotates("plain", "generated", TOKEN, local("token"), [entry("TOKEN", "plain")], **ref)
        many.starts()
        for name in before:
            world.is_ready(name)

        many.asks("Rotate", *before)
        many.succeed("Rotate", *before)
        many.asks("RevokeNow", "awsiam")
        many.succeed("RevokeNow", "awsiam")

        for name in before:
            many.until(name, step="Idle")
        new = many.key("awsiam")
        assert own.handles() == {new["accessKeyId"]} != {first.handle}
        values = {name: aws.client.get_secret_value(SecretId=name, VersionStage="AWSCURRENT") for name in before}
        assert json.loads(values["awsiam"]["SecretString"]) == {**new, "note": "stays"}
        assert values["plain"]["SecretString"] == many.key("plain")["token"] != "first"
        for name, version in before.items():
            current = values[name]["VersionId"]
            # As AWS leaves it: pending is nothing but what is current.
            assert aws.stages(name) == {current: ["AWSCURRENT", "AWSPENDING"], version: ["AWSPREVIOUS"]}


def test_an_encrypted_file_below_the_root_is_written_with_all_that_is_beside_the_key(
    world: World, many: Many, tmp_path: pathlib.Path
) -> None:
    root, master = tmp_path / "root", b"\x07" * 32
    root.mkdir()
    key = SecretValue(base64.b64encode(master))
    kdf = Kdf.fresh("raw")
    opener = keys.derive(kdf, key)
    contents = Contents.new(kdf, opener)
    contents = contents.put("login", SecretValue('{"username": "ci", "password": "first", "note": "stays"}'), "map")
    contents = contents.put("plain", SecretValue("first"), "text")
    (root / "keys.kw").write_bytes(contents.to_bytes())
    world.secret_is("master", {"key": key.reveal().decode()}, namespace=world.system)
    config = {"path": "keys.kw", "keyRef": {"name": "master", "key": "key"}}
    alone = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
    spec = {"namespaceSelector": alone, "access": "ReadWrite", "encryptedFile": config}
    world.apply({"apiVersion": API, "kind": "ClusterKeyStore", "metadata": {"name": world.namespace}, "spec": spec})
    ref = {"storeRef": {"kind": "ClusterKeyStore", "name": world.namespace}}
    parts = [entry(part.upper(), "login", part) for part in ("username", "password")]
    many.rotates("login", "generated", {"basicAuth": {"username": "ci"}}, local("username", "password"), parts, **ref)
    many.rotates("plain", "generated", TOKEN, local("token"), [entry("TOKEN", "plain")], **ref)
    many.starts(f"--file-store-root={root}")
    for name in ("login", "plain"):
        world.is_ready(name)

    many.asks("Rotate", "login", "plain")
    many.succeed("Rotate", "login", "plain")

    for name in ("login", "plain"):
        many.until(name, step="Idle")
    after = Contents.open(sealed.parse((root / "keys.kw").read_bytes()), opener)
    assert json.loads(after.read("login").value.reveal()) == {**many.key("login"), "note": "stays"}
    assert after.read("plain").value.reveal().decode() == many.key("plain")["token"] != "first"
    assert many.key("login")["password"] != "first"


def test_a_first_key_is_written_over_what_was_deleted_and_is_not_made_where_it_cannot_be(
    world: World, many: Many, aws: Amazon
) -> None:
    own = world.vault.secrets.kv.v2
    for name in ("deleted", "destroyed"):
        many.wants(name, "generated", TOKEN, {"token": "first"}, local("token"))
    own.delete_latest_version_of_secret("keys/deleted", mount_point=world.mount)
    own.destroy_secret_versions("keys/destroyed", [1], mount_point=world.mount)
    _has_aws(world, aws)
    aws.put("scheduled", "first")
    aws.client.delete_secret(SecretId="scheduled", RecoveryWindowInDays=7)
    entries, ref = [entry("TOKEN", "scheduled")], {"storeRef": {"name": "aws"}}
    many.rotates("scheduled", "generated", TOKEN, local("token"), entries, **ref)
    many.starts()

    many.asks("Rotate", "deleted", "destroyed", "scheduled")
    many.succeed("Rotate", "deleted", "destroyed")

    for name in ("deleted", "destroyed"):
        many.until(name, step="Idle")
        assert many.key(name) == many.stored(name) != {"token": "first"}
        assert own.read_secret_metadata(f"keys/{name}", mount_point=world.mount)["data"]["current_version"] == 2
    refused = world.ends("rotate-scheduled", "Failed")
    assert (refused["reason"], "Restore it in AWS" in refused["message"]) == ("VersionDeleted", True)
    assert many.told("scheduled").get("step") in (None, "Idle")


def test_readers_in_two_namespaces_that_name_one_key_by_two_stores_both_get_the_new_one(
    world: World, many: Many
) -> None:
    other = world.serves(f"{world.namespace}-b")
    many.wants("token", "generated", TOKEN, {"token": "first"}, local("token"))
    cluster = f"{world.namespace}-vault"
    world.apply(cluster_key_store(cluster, world.bao.url, world.mount))
    many.starts(f"--watch-namespace={other}")
    reader = api_key_secret(
        "reader", entry("KEY", "keys/token", "token"), storeRef={"kind": "ClusterKeyStore", "name": cluster}
    )
    place = f"{GROUP}/namespaces/{other}/apikeysecrets/reader?fieldManager=test&force=true"
    world.must(
        "PATCH", place, reader | {"spec": reader["spec"] | {"refreshInterval": "1h"}}, "application/apply-patch+yaml"
    )
    world.is_ready("token")

    def read() -> str:
        found = world.secret_object("reader", other) or {"data": {"KEY": ""}}
        return base64.b64decode(found["data"]["KEY"]).decode()

    world.until(lambda: read() == "first", "the other one has it too")

    many.asks("Rotate", "token")
    many.succeed("Rotate", "token")

    assert read() == many.key("token")["token"] == many.stored("token")["token"] != "first"


def _has_aws(world: World, aws: Amazon) -> None:
    """Let there be a store that may be written."""
    login = aws.user()
    world.secret_is("login", {"id": login["accessKeyId"], "key": login["secretAccessKey"]})
    auth = {
        "accessKeyIdSecretRef": {"name": "login", "key": "id"},
        "secretAccessKeySecretRef": {"name": "login", "key": "key"},
    }
    config = {"region": REGION, "endpoint": aws.url, "stsEndpoint": aws.url, "auth": {"accessKey": auth}}
    spec = {"access": "ReadWrite", "aws": config}
    world.apply({"apiVersion": API, "kind": "KeyStore", "metadata": {"name": "aws"}, "spec": spec})
