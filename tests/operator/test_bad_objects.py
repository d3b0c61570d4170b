"""Objects that no CRD can refuse: each is told why, in words that help, and what its Secret holds stays."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from build import api_key_secret, cluster_key_store, entry
from world import SERVED, World

AGAIN = "It is tried again with growing pauses, at most 5 minutes."
UNWRITTEN = f"Its Secret is not written yet. {AGAIN}"
KEPT = f"Secret llm keeps version 1. {AGAIN}"


def wants(name: str = "llm", path: str = "llm/openai", **spec: Any) -> dict[str, Any]:
    """Return an ApiKeySecret that wants one key."""
    return api_key_secret(name, entry("OPENAI_API_KEY", path, "api_key"), **spec)


def serves(world: World, name: str, **spec: Any) -> str:
    """Let there be a ClusterKeyStore for this world's namespace; return its name."""
    name = f"{world.namespace}-{name}"
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}}
    world.apply(cluster_key_store(name, world.bao.url, world.mount, **(here | spec)))
    return name


def label(world: World, **labels: str | None) -> None:
    """Change the labels of the namespace; None takes one away."""
    body = {"metadata": {"labels": labels}}
    world.must("PATCH", f"/api/v1/namespaces/{world.namespace}", body, "application/merge-patch+json")


def rule(world: World, resource: str, *verbs: str) -> None:
    """Let the operator have just these rights on a resource of the namespace that it serves."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}/roles/keywright"
    rules = [each | {"verbs": list(verbs)} if each["resources"] == [resource] else each for each in SERVED]
    world.must("PATCH", path, {"rules": rules}, "application/merge-patch+json")


# Stores.


def test_an_object_waits_for_its_store_and_goes_on_when_it_is_there(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(wants())

    said = world.told("StoreNotFound")
    assert said == f"KeyStore/vault does not exist in NS, since NOW. {UNWRITTEN} Create it, or correct storeRef."
    assert world.secret() is None

    world.has_store()
    world.is_ready()
    world.has_events("Refused", "Recovered")


def test_a_store_that_goes_takes_no_secret_along(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    with world.untouched():
        world.delete("KeyStore", "vault")
        said = world.told("StoreNotFound")
        assert said == f"KeyStore/vault does not exist in NS, since NOW. {KEPT} Create it, or correct storeRef."

        world.has_store()
        world.is_ready()


def test_without_a_store_ref_the_one_default_store_that_serves_the_namespace_is_read(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    serves(world, "elsewhere", default=True, namespaceSelector={"matchLabels": {"team": world.namespace}})
    serves(world, "ordinary")
    world.apply(wants(storeRef=None))
    hint = "Name a store in storeRef, or make one ClusterKeyStore the default."

    said = world.told("NoDefaultStore")
    assert said == f"There is no storeRef, and no default store serves NS, since NOW. {UNWRITTEN} {hint}"

    chosen = serves(world, "chosen", default=True)
    assert world.is_ready()["status"]["store"] == f"ClusterKeyStore/{chosen}"

    with world.untouched():
        serves(world, "second", default=True)
        said = world.told("NoDefaultStore")
        both = "ClusterKeyStore/NS-chosen and ClusterKeyStore/NS-second"
        assert said == f"There is no storeRef, and {both} serve namespace NS by default, since NOW. {KEPT} {hint}"


def test_a_namespace_that_a_store_does_not_select_gets_nothing_until_it_has_the_label(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    name = serves(world, "vault", namespaceSelector={"matchLabels": {"team": "a"}})
    ref = {"kind": "ClusterKeyStore", "name": name}
    world.apply(wants(storeRef=ref))
    hint = "Label the namespace as the store's namespaceSelector wants, or widen the selector."

    said = world.told("NamespaceNotSelected")
    assert said == f"ClusterKeyStore/NS-vault does not serve namespace NS, since NOW. {UNWRITTEN} {hint}"
    assert world.secret() is None

    label(world, team="a")
    world.is_ready()

    with world.untouched():
        label(world, team=None)
        world.annotate("llm", refresh="1")
        said = world.told("NamespaceNotSelected")
        assert said == f"ClusterKeyStore/NS-vault does not serve namespace NS, since NOW. {KEPT} {hint}"


def test_a_path_prefix_is_put_in_front_and_cannot_be_left(world: World) -> None:
    world.start()
    world.put(f"teams/{world.namespace}/llm/openai", api_key="sk-mine")
    world.put("teams/other/llm/openai", api_key="sk-theirs")
    name = serves(world, "vault", pathPrefix="teams/{namespace}/")
    ref = {"kind": "ClusterKeyStore", "name": name}
    world.apply(wants(storeRef=ref))
    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": "sk-mine"}
    mark = world.bao.mark()

    ways_out = {
        "dots": ("../other/llm/openai", "has a segment . or .."),
        "slash": ("/teams/other/llm/openai", "is empty, begins or ends with a slash, or has two in a row"),
        "percent": ("%2e%2e/other/llm/openai", "has a % or a backslash"),
    }
    for each, (path, _) in ways_out.items():
        world.apply(wants(each, path, storeRef=ref))

    for each, (path, wrong) in ways_out.items():
        hint = "Write it as team/name, without these."
        assert world.told("PathOutsidePrefix", each) == f"Path '{path}' {wrong}, since NOW. {UNWRITTEN} {hint}"
        assert world.secret(each) is None
    assert [each.path for each in world.bao.requests(mark) if "teams" in each.path] == []


# What a store says.


def test_entries_that_are_not_to_be_had_are_refused_by_name(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", api_key="sk-one", empty="", text="sk one", half="x" * 600_000)
    at = "(llm/openai of KeyStore/vault)"
    names, decoding = "Check the names in the key", "Check decode, and the value for white space and a line break"
    too_large = (entry("A", "llm/openai", "half"), entry("B", "llm/openai", "half"), entry("C", "llm/openai", "text"))
    cases: dict[str, tuple[tuple[dict[str, Any], ...], str, str, str]] = {
        "property": (
            (entry("KEY", "llm/openai", "key"),),
            "PropertyNotFound",
            f"Entry KEY {at} has no property key",
            names,
        ),
        "path": (
            (entry("KEY", "llm/anthropic", "api_key"),),
            "NotFound",
            "KeyStore/vault answered 404 for llm/anthropic",
            "Check the path; the name of the mount is not part of it",
        ),
        "version": (
            (entry("KEY", "llm/openai", "api_key", remote={"version": "7"}),),
            "NotFound",
            "KeyStore/vault answered 404 for llm/openai version 7",
            "Check the path; the name of the mount is not part of it",
        ),
        "empty": (
            (entry("KEY", "llm/openai", "empty"),),
            "ValueEmpty",
            f"Entry KEY {at} is empty",
            "Write the value into the store, or set allowEmpty: true",
        ),
        "base64": (
            (entry("KEY", "llm/openai", "text", decode="Base64"),),
            "DecodeFailed",
            f"Entry KEY {at} is not Base64",
            f"{decoding} at its end",
        ),
        "base64url": (
            (entry("KEY", "llm/openai", "text", decode="Base64URL"),),
            "DecodeFailed",
            f"Entry KEY {at} is not Base64URL",
            f"{decoding} at its end",
        ),
        "expression": (
            (entry("KEY", "llm/openai", remote={"jmesPath": "api_key["}),),
            "InvalidSpec",
            f"Entry KEY {at} has a jmesPath that cannot be parsed",
            "Correct jmesPath",
        ),
        "size": (
            too_large,
            "ValueTooLarge",
            "The values together are larger than a Secret may be (1 MiB); the largest are A, B, C",
            "Spread the entries over several ApiKeySecrets",
        ),
    }
    for name, (entries, *_) in cases.items():
        world.apply(api_key_secret(name, *entries))

    for name, (_, reason, what, hint) in cases.items():
        assert world.told(reason, name) == f"{what}, since NOW. {UNWRITTEN} {hint}."
        assert world.secret(name) is None


def test_values_are_decoded_defaulted_left_out_and_empty_as_their_entries_say(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", plain=base64.b64encode(b"\xfb\xff!").decode(), url="-_8h", empty="")
    world.apply(
        api_key_secret(
            "llm",
            entry("PLAIN", "llm/openai", "plain", decode="Base64"),
            entry("URL", "llm/openai", "url", decode="Base64URL"),
            entry("EMPTY", "llm/openai", "empty", allowEmpty=True),
            entry("DEFAULT", "llm/nothing", "region", default="eu-central-1"),
            entry("OPTIONAL", "llm/openai", "nothing", optional=True),
        )
    )

    assert world.is_ready()["status"]["keys"] == "4/5"
    secret = world.secret_object()
    assert secret
    held = {key: base64.b64decode(value) for key, value in secret["data"].items()}
    assert held == {"PLAIN": b"\xfb\xff!", "URL": b"\xfb\xff!", "EMPTY": b"", "DEFAULT": b"eu-central-1"}


def destroy(world: World) -> None:
    world.vault.secrets.kv.v2.delete_metadata_and_all_versions("llm/openai", mount_point=world.mount)


def delete_version(world: World) -> None:
    world.vault.secrets.kv.v2.delete_latest_version_of_secret("llm/openai", mount_point=world.mount)


def rename_property(world: World) -> None:
    world.put("llm/openai", key="sk-two")


def empty_value(world: World) -> None:
    world.put("llm/openai", api_key="")


def enlarge_value(world: World) -> None:
    world.put("llm/openai", api_key="x" * (1024 * 1024 + 1))


def unmount(world: World) -> None:
    world.vault.sys.disable_secrets_engine(world.mount)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("loss", "reason", "said"),
    [
        (destroy, "NotFound", "KeyStore/vault answered 404 for llm/openai"),
        (
            delete_version,
            "VersionDeleted",
            "KeyStore/vault answered 404 for llm/openai (request ID): deleted or destroyed",
        ),
        (
            rename_property,
            "PropertyNotFound",
            "Entry OPENAI_API_KEY (llm/openai of KeyStore/vault) has no property api_key",
        ),
        (empty_value, "ValueEmpty", "Entry OPENAI_API_KEY (llm/openai of KeyStore/vault) is empty"),
        (
            enlarge_value,
            "ValueTooLarge",
            "The values together are larger than a Secret may be (1 MiB); the largest are OPENAI_API_KEY",
        ),
        (unmount, "MountNotFound", "KeyStore/vault answered 404 for llm/openai: shows no engine at NS"),
    ],
    ids=["destroyed", "version-deleted", "property-renamed", "emptied", "enlarged", "unmounted"],
)
def test_what_a_store_no_longer_gives_stays_in_the_secret(
    world: World, loss: Callable[[World], None], reason: str, said: str
) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    with world.untouched():
        loss(world)
        world.annotate("llm", refresh="1")
        assert world.told(reason).startswith(f"{said}, since NOW. {KEPT} ")
    world.has_events("Created", "Refused")


def test_an_optional_entry_that_vanishes_from_the_store_stays_in_the_secret(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one", org="acme")
    world.has_store()
    needed = entry("KEY", "llm/openai", "api_key")
    world.apply(api_key_secret("llm", needed, entry("ORG", "llm/openai", "org", optional=True)))
    world.is_ready()

    with world.untouched():
        world.put("llm/openai", api_key="sk-one")
        world.annotate("llm", refresh="1")
        said = world.told("PropertyNotFound")
        assert said.startswith(f"Entry ORG (llm/openai of KeyStore/vault) has no property org, since NOW. {KEPT}")

    # A person who takes it out of the object means it.
    world.apply(api_key_secret("llm", needed))
    world.secret_becomes({"KEY": "sk-one"})


# Logins.


def test_a_wrong_token_is_told_of_the_store_and_of_its_objects(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.secret_is("wrong", {"token": "s.wrongwrongwrong"})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "wrong", "key": "token"}}}})
    world.apply(wants())

    what = "KeyStore/vault answered 403 for auth/token/lookup-self"
    for kind, name in (("ApiKeySecret", "llm"), ("KeyStore", "vault")):
        said = world.told("AuthFailed", name, kind)
        assert said.startswith(what)
        assert "Secret wrong" in said
        assert "wrongwrong" not in said
    assert world.secret() is None

    world.has_store()
    world.is_ready()
    world.is_ready("vault", "KeyStore")


def test_a_refused_login_is_told_once_by_the_store_and_not_by_each_of_its_objects(world: World) -> None:
    world.start()
    world.secret_is("login", {"token": "s.wrongwrongwrong"})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "login", "key": "token"}}}})
    names = ("one", "two", "three")
    for name in names:
        world.put(f"llm/{name}", api_key=f"sk-{name}")
        world.apply(api_key_secret(name, entry("KEY", f"llm/{name}", "api_key")))
    for name in names:
        assert "Secret login" in world.told("AuthFailed", name)
    world.has_events("Refused", name="vault")

    world.change_secret("login", token=world.bao.root_token)
    for name in names:
        world.is_ready(name)
        world.has_events("Created", name=name)
    world.has_events("Refused", "Recovered", name="vault")


def test_a_login_whose_secret_is_missing_goes_on_when_it_is_there(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "later", "key": "token"}}}})
    world.apply(wants())

    what = "KeyStore/vault needs Secret NS/later, which does not exist"
    assert world.told("CredentialMissing") == f"{what}, since NOW. {UNWRITTEN} Create it."
    assert world.told("CredentialMissing", "vault", "KeyStore").startswith(what)

    world.secret_is("later", {"token": world.bao.root_token})
    world.is_ready()
    world.is_ready("vault", "KeyStore")


def test_a_path_that_the_login_may_not_read_is_denied_and_others_are_read(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("llm/secret", api_key="sk-hidden")
    world.vault.sys.create_or_update_policy(
        world.namespace, f'path "{world.mount}/data/llm/openai" {{ capabilities = ["read"] }}'
    )
    made = world.vault.auth.token.create(policies=[world.namespace])
    world.secret_is("narrow", {"token": made["auth"]["client_token"]})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "narrow", "key": "token"}}}})
    world.apply(wants())
    world.apply(wants("hidden", "llm/secret"))

    world.is_ready()
    said = world.told("AccessDenied", "hidden")
    assert said.startswith(f"KeyStore/vault answered 403 for llm/secret, since NOW. {UNWRITTEN} Check")
    assert "may read NS/data/llm/secret in Vault" in said
    assert world.secret("hidden") is None
    # One path that is denied says nothing about the store.
    world.is_ready("vault", "KeyStore")


def test_access_that_is_taken_away_leaves_the_secret(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    policy = f'path "{world.mount}/data/llm/openai" {{ capabilities = ["%s"] }}'
    world.vault.sys.create_or_update_policy(world.namespace, policy % "read")
    made = world.vault.auth.token.create(policies=[world.namespace])
    world.secret_is("narrow", {"token": made["auth"]["client_token"]})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "narrow", "key": "token"}}}})
    world.apply(wants())
    world.is_ready()

    with world.untouched():
        world.vault.sys.create_or_update_policy(world.namespace, policy % "deny")
        world.annotate("llm", refresh="1")
        assert world.told("AccessDenied").startswith("KeyStore/vault answered 403 for llm/openai, since NOW. ")

    world.vault.sys.create_or_update_policy(world.namespace, policy % "read")
    world.is_ready()


# Targets.


def test_a_target_that_another_object_writes_is_left_to_it(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    world.put("llm/anthropic", api_key="sk-ant")

    with world.untouched():
        world.apply(wants("second", "llm/anthropic", target={"name": "llm", "adopt": "Always"}))
        said = world.told("TargetOwnedElsewhere", "second")
        hint = "Choose another target.name, or remove the other object."
        assert said == f"Secret NS/llm is written by ApiKeySecret NS/llm, since NOW. {AGAIN} {hint}"

    world.apply(wants("second", "llm/anthropic"))
    world.secret_becomes({"OPENAI_API_KEY": "sk-ant"}, name="second")
    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}


@pytest.mark.parametrize("adopt", ["Never", "IfEqual"])
def test_a_foreign_secret_in_the_way_is_left_alone(world: World, adopt: str) -> None:
    world.start()
    world.secret_is("llm", {"OPENAI_API_KEY": "sk-theirs"})

    with world.untouched():
        world.has_key(target={"adopt": adopt})
        said = world.told("TargetExists")
        hint = "Choose another target.name, delete the Secret, or set target.adopt."
        assert said == f"Secret NS/llm is there already and is not ours, since NOW. {AGAIN} {hint}"

    world.delete_secret("llm")
    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})


@pytest.mark.parametrize(("adopt", "theirs"), [("IfEqual", "sk-one"), ("Always", "sk-theirs")])
def test_a_foreign_secret_is_taken_over_where_the_object_says_so(world: World, adopt: str, theirs: str) -> None:
    world.start()
    foreign = world.secret_is("llm", {"OPENAI_API_KEY": theirs, "MORE": "1"})

    world.has_key(target={"adopt": adopt})

    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": "sk-one", "MORE": "1"}
    taken = world.secret_object()
    assert taken and taken["metadata"]["uid"] == foreign["metadata"]["uid"]
    assert taken["metadata"]["annotations"]["keywright.dev/api-key-secret"] == f"{world.namespace}/llm"


def test_a_secret_of_a_forbidden_type_is_not_written(world: World) -> None:
    world.start()
    world.has_key(target={"type": "kubernetes.io/service-account-token"})

    said = world.told("ForbiddenType")

    what = "No Secret of type kubernetes.io/service-account-token is written"
    assert said.startswith(f"{what}, since NOW. {UNWRITTEN} Use one of Opaque, kubernetes.io/basic-auth, ")
    assert world.secret() is None


def test_nothing_is_written_into_the_operators_own_namespace(world: World) -> None:
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.system}"
    world.must("POST", f"{rbac}/roles", {"metadata": {"name": "served"}, "rules": SERVED})
    role = {"kind": "Role", "name": "served", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "ServiceAccount", "name": "keywright", "namespace": world.system}
    binding = {"metadata": {"name": "served"}, "roleRef": role, "subjects": [subject]}
    world.must("POST", f"{rbac}/rolebindings", binding)
    operator = world.start(f"--watch-namespace={world.system}")
    mark = world.plane.mark()
    path = world.path("ApiKeySecret", "llm", world.system)

    world.must("PATCH", path + "?fieldManager=test", wants(), "application/apply-patch+yaml")

    def condition() -> dict[str, Any]:
        conditions = world.must("GET", path)["status"].get("conditions", [])
        return next((each for each in conditions if each["type"] == "Ready"), {})

    world.until(lambda: condition().get("reason") == "ForbiddenNamespace", "it is refused")
    what = f"No Secret is written into namespace {world.system}, which belongs to the cluster or to Keywright"
    assert condition()["message"].startswith(what)
    assert world.secret_object("llm", world.system) is None
    assert world.writes(operator, mark)["patch secrets"] == 0


def test_an_immutable_secret_stays_as_it_is(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    path = f"/api/v1/namespaces/{world.namespace}/secrets/llm"
    world.must("PATCH", path, {"immutable": True}, "application/merge-patch+json")

    with world.untouched():
        world.put("llm/openai", api_key="sk-two")
        world.annotate("llm", refresh="1")
        said = world.told("TargetImmutable")
        assert said.startswith("Secret NS/llm is immutable and differs, since NOW. ")
        assert said.endswith(f"{AGAIN} Delete the Secret to have it made anew.")

    world.delete_secret("llm")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})


def test_a_secret_whose_type_would_have_to_change_stays_as_it_is(world: World) -> None:
    world.start()
    world.put("llm/openai", username="ci", password="pw")
    world.has_store()
    entries = (entry("username", "llm/openai", "username"), entry("password", "llm/openai", "password"))
    world.apply(api_key_secret("llm", *entries))
    world.is_ready()

    with world.untouched():
        world.apply(api_key_secret("llm", *entries, target={"type": "kubernetes.io/basic-auth"}))
        hint = "Set target.type to the Secret's type, or delete the Secret to have it made anew."
        said = world.told("TargetTypeDiffers")
        assert said == f"Secret NS/llm has another type than target.type, since NOW. {KEPT} {hint}"

    world.delete_secret("llm")
    world.is_ready()
    made = world.secret_object()
    assert made and made["type"] == "kubernetes.io/basic-auth"


def test_a_secret_that_its_type_does_not_allow_is_refused_with_the_field(world: World) -> None:
    world.start()
    world.has_key(target={"type": "kubernetes.io/dockerconfigjson"})

    said = world.told("TargetRefused")

    assert said.startswith("The API server answered 422 FieldValueRequired for Secret NS/llm (data[.dockerconfigjson])")
    assert world.secret() is None


def test_without_the_right_to_write_secrets_the_secret_stays_and_the_right_is_named(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    with world.untouched():
        rule(world, "secrets", "get", "list", "watch")
        world.put("llm/openai", api_key="sk-two")
        world.annotate("llm", refresh="1")
        said = world.told("TargetDenied")
        assert said.startswith(f"The API server answered 403 for Secret NS/llm, since NOW. {KEPT} Grant the operator's")

    rule(world, "secrets", "get", "list", "watch", "create", "patch", "delete")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.is_ready()


def test_a_quota_that_is_used_up_is_named(world: World) -> None:
    world.start()
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    world.must("POST", path, {"metadata": {"name": "few"}, "spec": {"hard": {"count/secrets": "1"}}})
    # What its controller would find: the Secret with the store's token.
    used = {"status": {"hard": {"count/secrets": "1"}, "used": {"count/secrets": "1"}}}
    world.must("PATCH", f"{path}/few/status", used, "application/merge-patch+json")

    world.has_key()

    said = world.told("TargetRefused")
    hint = "Raise the namespace's ResourceQuota for Secrets, or remove some."
    assert said == f"The quota of namespace NS does not allow Secret NS/llm, since NOW. {UNWRITTEN} {hint}"
    world.must("DELETE", f"{path}/few")
    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
