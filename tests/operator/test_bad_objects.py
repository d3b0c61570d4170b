"""Objects that no CRD can refuse: each is told why, in words that help, and what its Secret holds stays."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from build import api_key_secret, cluster_key_store, entry
from said import KEPT, UNWRITTEN, wants
from world import World


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
    world.forget("llm/openai")


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
    # An engine that is not mounted is told once by the store, for all its objects.
    world.has_events(*(("Created",) if reason == "MountNotFound" else ("Created", "Refused")))


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
