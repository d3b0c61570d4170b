"""Secrets that are in the way, or that the API server does not take. On the real servers."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, entry
from said import AGAIN, KEPT, UNWRITTEN, wants
from world import SERVED, World


def rule(world: World, resource: str, *verbs: str) -> None:
    """Let the operator have just these rights on a resource of the namespace that it serves."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}/roles/keywright"
    rules = [each | {"verbs": list(verbs)} if each["resources"] == [resource] else each for each in SERVED]
    world.must("PATCH", path, {"rules": rules}, "application/merge-patch+json")


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


@pytest.mark.parametrize("adopt", ["IfEqual", "Always"])
def test_an_immutable_secret_that_holds_the_same_is_taken_over(world: World, adopt: str) -> None:
    world.start()
    made = {"labels": {"app.kubernetes.io/managed-by": "Helm"}}
    world.secret_is("llm", {"OPENAI_API_KEY": "sk-one"}, immutable=True, metadata=made)

    world.has_key(target={"adopt": adopt})
    world.is_ready()

    found = world.secret_object()
    assert found
    assert found["immutable"] is True
    assert found["metadata"]["labels"] == made["labels"] | {"keywright.dev/managed": "true"}


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

    hint = "Delete the Secret to have it made anew, choose another target.name, or set target.type to what it is."
    with world.untouched():
        world.apply(api_key_secret("llm", *entries, target={"type": "kubernetes.io/basic-auth"}))
        said = world.told("TargetTypeDiffers")
        assert said.startswith("Secret NS/llm has another type than target.type or the object's shape says, since NOW.")
        assert said.endswith(f"{KEPT} {hint}")

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


@pytest.mark.parametrize("changed", [False, True])
def test_immutable_taken_back_is_told_as_what_it_is(world: World, changed: bool) -> None:
    world.start()
    world.has_key(refreshInterval="0", target={"immutable": True})
    world.is_ready()
    if changed:
        world.put("llm/openai", api_key="sk-two")
    world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key"), refreshInterval="1h"))
    world.is_refused("TargetImmutable")
