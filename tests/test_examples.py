"""The examples, applied as they are: what their comments say is put into the store, what comes of them is compared.

Only what names a place is changed: server, mount, namespace, and the name of a ClusterKeyStore, which tests share.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import shlex
import string
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hvac import exceptions

from amazon import Amazon
from vendors import serving
from world import SERVED, World

Json = dict[str, Any]
EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
RBAC = "/apis/rbac.authorization.k8s.io/v1"

#: What each example makes: the Secrets of namespace team-a.
RESULTS: dict[str, dict[str, dict[str, str] | None]] = {
    "sync-a-key": {"llm": {"OPENAI_API_KEY": "sk-demo-1", "OPENAI_ORG": "acme"}},
    "adopt-an-existing-secret": {"llm": {"OPENAI_API_KEY": "sk-demo-1", "LOG_LEVEL": "info"}},
    "rotate-keys": {"gateway": {"username": "gateway", "password": "first-demo-1"}},
    "restart-workloads": {"llm": {"OPENAI_API_KEY": "sk-demo-1"}},
    "keep-a-secret": {"llm-keys": {"OPENAI_API_KEY": "sk-demo-1"}},
    "json-into-variables": {
        "llm": {
            "BASE_URL": "https://llm.example.com",
            "LIMITS": '{"rpm":600}',
            "OPENAI_API_KEY": "sk-demo-1",
        },
    },
    "connection-string": {"database": {"DATABASE_URL": "postgres://app:p%40ss%2Fword@db.example.com/app"}},
    "pull-secret": {
        "registry": {
            ".dockerconfigjson": '{"auths":{"ghcr.io":{"auth":"cm9ib3Q6cmVnLWRlbW8tMQ==",'
            '"password":"reg-demo-1","username":"robot"}}}',
        },
    },
    "encrypted-file-in-git": {"llm": {"OPENAI_API_KEY": "sk-demo-1"}},
    "share-one-secret": {"app-settings": {"LOG_LEVEL": "info", "OPENAI_API_KEY": "sk-demo-1"}},
    "refresh-and-suspend": {
        "llm-often": {"OPENAI_API_KEY": "sk-demo-1"},
        "llm-once": {"OPENAI_API_KEY": "sk-demo-1"},
        "llm-later": None,
    },
    "several-stores-one-secret": {"assistant": {"OPENAI_API_KEY": "sk-demo-1", "SEARCH_TOKEN": "search-demo-1"}},
    "decode-and-defaults": {
        "llm": {
            "OPENAI_API_KEY": "sk-demo-1",
            "SECOND_API_KEY": "sk-demo-2",
            "openai.json": '{"api_key":"sk-demo-1","encoded":"c2stZGVtby0y"}',
            "FIRST_VERSION": "sk-demo-1",
            "PROD_KEY": "sk-prod",
            "TOKENS_PER_MINUTE": "1000",
            "REGION": "eu-central-1",
        },
        "registry": {"username": "robot", "password": "reg-demo-1"},
    },
    "come-from-external-secrets": {"llm-keys": {"OPENAI_API_KEY": "sk-demo-1"}},
}


class Stage:
    """Where an example is applied: a world, and what the example needs beside it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.neighbour = f"{world.namespace}-b"
        #: What variables stand for, and where issuers are asked.
        self.knows: dict[str, str] = {}
        self.endpoints: dict[str, str] = {}
        self.aws: dict[str, str] = {}
        self.cleanup = contextlib.ExitStack()

    def apply(self, name: str) -> list[Json]:
        """Put the keys of an example into the store, apply its manifests, return ours."""
        text = (EXAMPLES / f"{name}.yaml").read_text()
        text = text.replace("team-a", self.world.namespace).replace("team-b", self.neighbour)
        for line in text.splitlines():
            if line.startswith("#   vault kv put "):
                filled = string.Template(line.removeprefix("#   vault kv put ")).substitute(self.knows)
                self.put(*shlex.split(filled))
        manifests = [self.placed(each) for each in yaml.safe_load_all(text)]
        for each in manifests:
            self.world.must("PATCH", f"{where(each)}?fieldManager=test", each, "application/apply-patch+yaml")
            if each["kind"] == "ClusterKeyStore":
                self.cleanup.callback(self.world.plane.request, "DELETE", where(each))
        return [each for each in manifests if each["kind"] == "ApiKeySecret"]

    def put(self, mount: str, path: str, *fields: str) -> None:
        """Do what ``vault kv put`` does."""
        where = self.mount(mount.removeprefix("-mount="))
        given = json.loads(fields[2]) if fields[:2] == ("-", "<<<") else dict(each.split("=", 1) for each in fields)
        if where != self.world.mount:
            self.world.vault.sys.enable_secrets_engine("kv", path=where, options={"version": "2"})
            self.cleanup.callback(self.world.vault.sys.disable_secrets_engine, where)
        kv = self.world.vault.secrets.kv.v2

        def written() -> bool:
            # Version 2 of the engine takes a moment to come up.
            with contextlib.suppress(exceptions.InvalidRequest):
                kv.create_or_update_secret(path, given, mount_point=where)
                return True
            return False

        self.world.until(written, f"{path} is in {where}")

    def placed(self, manifest: Json) -> Json:
        """Put the names of this run in place of those that only stand for somebody's."""
        spec = manifest.get("spec", {})
        if "vault" in spec:
            spec["vault"] |= {"server": self.world.bao.url, "mount": self.mount(spec["vault"]["mount"])}
            if "kubernetes" in spec["vault"]["auth"]:
                spec["vault"]["auth"]["kubernetes"]["mount"] = self.world.namespace
        if "githubApp" in spec:
            spec["githubApp"]["endpoint"] = self.endpoints["github"]
        if "aws" in spec:
            web = spec["aws"]["auth"]["webIdentity"]
            spec["aws"] |= self.aws
            web["role"] = self.knows[web["role"]]
        for each in spec.get("credentials", ()):
            if each["issuer"] in self.endpoints:
                each["endpoint"] = self.endpoints[each["issuer"]]
        for holder in (manifest.get("metadata"), spec.get("storeRef")):
            if holder and "ClusterKeyStore" in (holder.get("kind"), manifest["kind"]):
                holder["name"] = f"{self.world.namespace}-{holder['name']}"
        return manifest

    def mount(self, name: str) -> str:
        """Return the mount of this run for the one in the example."""
        return self.world.mount if name == "kv" else f"{self.world.mount}-{name}"

    def secret(self, name: str, namespace: str | None = None) -> dict[str, str] | None:
        """Return what a Secret holds, None if there is none."""
        found = self.world.secret_object(name, namespace)
        return found and {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def where(manifest: Json) -> str:
    """Return the path of an object in the API."""
    group, meta = manifest["apiVersion"], manifest["metadata"]
    space = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"/{'api' if group == 'v1' else 'apis'}/{group}{space}/{manifest['kind'].lower()}s/{meta['name']}"


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    made = Stage(world)
    with made.cleanup:
        yield made


@pytest.fixture
def neighbour(stage: Stage) -> str:
    """A second namespace that the operator serves."""
    world, name = stage.world, stage.neighbour
    world.must("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    stage.cleanup.callback(world.plane.request, "DELETE", f"/api/v1/namespaces/{name}")
    world.must("POST", f"{RBAC}/namespaces/{name}/roles", {"metadata": {"name": "keywright"}, "rules": SERVED})
    binding = {
        "metadata": {"name": "keywright"},
        "roleRef": {"kind": "Role", "name": "keywright", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "ServiceAccount", "name": "keywright", "namespace": world.system}],
    }
    world.must("POST", f"{RBAC}/namespaces/{name}/rolebindings", binding)
    return name


@pytest.fixture
def login(stage: Stage) -> Callable[[str], None]:
    """Vault's ``kubernetes`` method, as docs/stores/vault.md sets it up; gives a namespace its role and policy."""
    world, write = stage.world, stage.world.vault.write_data
    method = world.namespace
    world.vault.sys.enable_auth_method("kubernetes", path=method)
    stage.cleanup.callback(world.vault.sys.disable_auth_method, method)
    world.must("POST", f"/api/v1/namespaces/{world.system}/serviceaccounts", {"metadata": {"name": "reviewer"}})
    reviewer = [{"kind": "ServiceAccount", "name": "reviewer", "namespace": world.system}]
    role = {"kind": "ClusterRole", "name": "system:auth-delegator", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": f"{method}-reviewer"}, "roleRef": role, "subjects": reviewer}
    world.must("POST", f"{RBAC}/clusterrolebindings", binding)
    stage.cleanup.callback(world.plane.request, "DELETE", f"{RBAC}/clusterrolebindings/{method}-reviewer")
    token = world.must(
        "POST",
        f"/api/v1/namespaces/{world.system}/serviceaccounts/reviewer/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}},
    )["status"]["token"]
    config = {"kubernetes_host": world.plane.url, "kubernetes_ca_cert": world.plane.ca_file.read_text()}
    write(f"auth/{method}/config", data=config | {"token_reviewer_jwt": token, "disable_local_ca_jwt": True})

    def admit(namespace: str) -> None:
        name = f"keywright-{namespace}"
        rule = f'path "{world.mount}/data/teams/{namespace}/*" {{ capabilities = ["read"] }}'
        world.vault.sys.create_or_update_policy(name, rule)
        stage.cleanup.callback(world.vault.sys.delete_policy, name)
        bound = {
            "bound_service_account_names": ["keywright-auth"],
            "bound_service_account_namespaces": [namespace],
            "audience": "vault",
        }
        write(f"auth/{method}/role/{name}", data=bound | {"token_policies": [name], "token_ttl": "1h"})

    return admit


@pytest.mark.parametrize("name", RESULTS)
def test_an_example_makes_the_secrets_that_it_says(stage: Stage, name: str) -> None:
    stage.world.start()

    for each in stage.apply(name):
        if not each["spec"].get("suspend"):
            stage.world.is_ready(each["metadata"]["name"])

    assert {secret: stage.secret(secret) for secret in RESULTS[name]} == RESULTS[name]


def test_namespaces_that_share_a_store_get_their_own_keys(
    stage: Stage, neighbour: str, login: Callable[[str], None]
) -> None:
    world = stage.world
    login(world.namespace)
    login(neighbour)
    world.start(f"--watch-namespace={neighbour}")

    stage.apply("share-a-store")

    world.secret_becomes({"OPENAI_API_KEY": "sk-demo-a"})
    world.until(lambda: stage.secret("llm", neighbour) == {"OPENAI_API_KEY": "sk-demo-b"}, "the neighbour has its own")


def test_checked_keys_are_written_once_their_issuers_accept_them(stage: Stage) -> None:
    world = stage.world
    with serving("openai") as openai, serving("aws") as aws:
        stage.endpoints = {"openai": openai.url, "aws": aws.url}
        for server, kind, names in (
            (openai, "project key", {"apiKey": "OPENAI_API_KEY"}),
            (aws, "access key", {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}),
        ):
            parts = server.vendor.samples()[kind]
            server.vendor.knows(parts)
            stage.knows |= {name: parts[part] for part, name in names.items()}
        world.start(*(f"--allow-issuer-endpoint={each}" for each in stage.endpoints.values()))

        stage.apply("checked-keys")

        def verdicts() -> list[str]:
            return [each["verdict"] for each in world.is_ready()["status"]["credentials"]]

        world.secret_becomes(stage.knows)
        world.until(lambda: verdicts() == ["Valid", "Valid"], "both are accepted")


def test_a_secret_of_aws_is_read_with_the_role_of_a_service_account(stage: Stage, aws: Amazon) -> None:
    world = stage.world
    role = aws.role("keywright", f"system:serviceaccount:{world.namespace}:keywright-auth")
    stage.aws = {"endpoint": aws.url, "stsEndpoint": aws.url}
    stage.knows = {"arn:aws:iam::111122223333:role/keywright": role}
    aws.put("llm/openai", '{"api_key": "sk-demo-1"}')
    world.start()

    stage.apply("aws-secrets-manager")

    world.secret_becomes({"OPENAI_API_KEY": "sk-demo-1"})


def test_a_kept_secret_stays_when_its_object_goes(stage: Stage) -> None:
    world = stage.world
    world.start()
    stage.apply("keep-a-secret")
    world.is_ready()

    world.delete("ApiKeySecret", "llm")

    world.has_events("Created", "Deleted")
    world.holds(lambda: world.secret("llm-keys") == {"OPENAI_API_KEY": "sk-demo-1"}, "the Secret is kept")


def test_an_adopted_secret_that_is_deleted_comes_back_with_our_entries(stage: Stage) -> None:
    world = stage.world
    world.start()
    stage.apply("adopt-an-existing-secret")
    world.is_ready()

    world.delete_secret("llm")

    world.secret_becomes({"OPENAI_API_KEY": "sk-demo-1"})


def test_an_action_that_is_asked_for_is_carried_out(stage: Stage) -> None:
    stage.world.start()

    stage.apply("key-action")

    assert stage.world.ends("refresh-llm-sec-1234", "Succeeded")["reason"] == "Done"
    assert stage.secret("llm") == {"OPENAI_API_KEY": "sk-demo-1"}


def test_issuers_that_are_declared_can_be_asked(stage: Stage) -> None:
    stage.world.start()

    stage.apply("declare-an-issuer")

    for name in ("gitlab", "passwords"):
        stage.world.is_ready(name, "KeyIssuer")


def test_a_token_is_minted(stage: Stage) -> None:
    world = stage.world
    with serving("github") as github:
        stage.endpoints = {"github": github.url}
        world.secret_is("github-app", {"private-key.pem": github.vendor.admin})
        world.start("--rotations", f"--allow-issuer-endpoint={github.url}")

        stage.apply("mint-keys")

        world.is_ready("ci")
        (made,) = github.vendor.made.values()
        assert world.secret("ci") == {"GITHUB_TOKEN": made.parts["token"]}


def test_every_example_is_told_of_and_tried() -> None:
    files = {path.stem for path in EXAMPLES.glob("*.yaml")}
    told = (EXAMPLES / "README.md").read_text()

    assert files == RESULTS.keys() | {
        *("share-a-store", "checked-keys", "key-action", "aws-secrets-manager", "declare-an-issuer", "mint-keys"),
    }
    assert [name for name in sorted(files) if f"]({name}.yaml)" not in told] == []
