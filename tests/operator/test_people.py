"""What a person, a pipeline or Prometheus sees."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from build import api_key_secret, entry
from world import World

KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"


def kubectl(world: World, *arguments: str) -> str:
    """Return what kubectl prints."""
    command = [str(KUBECTL), f"--kubeconfig={world.plane.kubeconfig}", f"--namespace={world.namespace}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return done.stdout


def kstatus(item: dict[str, Any]) -> str:
    """Return what kstatus (Flux, kpt) makes of an object of a kind that it does not know."""
    status = item.get("status", {})
    if status.get("observedGeneration", item["metadata"]["generation"]) != item["metadata"]["generation"]:
        return "InProgress"
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    if conditions.get("Stalled") == "True":
        return "Failed"
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    return "InProgress" if conditions.get("Ready") in ("False", "Unknown") else "Current"


def test_kubectl_shows_what_one_wants_to_know_and_waits_for_it(world: World) -> None:
    world.start()
    world.has_key()

    kubectl(world, "wait", "--for=condition=Ready", "aks/llm", "--timeout=40s")

    shown = kubectl(world, "get", "aks").splitlines()
    assert shown[0].split() == ["NAME", "READY", "REASON", "STORE", "KEYS", "EXPIRES", "SUSPENDED", "AGE"]
    assert shown[1].split()[:5] == ["llm", "True", "Synced", "KeyStore/vault", "1/1"]
    assert "Secret llm holds 1 of 1 keys from KeyStore/vault." in kubectl(world, "get", "aks", "-o", "wide")
    ours = kubectl(world, "get", "keywright", "-o", "name").splitlines()
    # ClusterKeyStores belong to no namespace: those of tests beside this one are listed as well.
    assert [name for name in ours if not name.startswith(("clusterkeystore.", "clusterkeyissuer."))] == [
        "apikeysecret.keywright.dev/llm",
        "keystore.keywright.dev/vault",
    ]
    selected = kubectl(world, "get", "aks", "--field-selector=spec.storeRef.name=vault", "-o", "name")
    assert selected.split() == ["apikeysecret.keywright.dev/llm"]
    world.has_events("Created")
    assert "Created" in kubectl(world, "describe", "aks", "llm")


def test_a_pipeline_sees_progress_success_and_the_need_for_a_person(world: World) -> None:
    world.has_store()
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
    assert kstatus(world.object()) == "InProgress"

    world.start()
    world.is_refused("NotFound")
    assert kstatus(world.object()) == "Failed"

    world.put("llm/openai", api_key="sk-one")
    world.is_ready()
    assert kstatus(world.object()) == "Current"

    world.vault.sys.disable_secrets_engine(world.mount)  # type: ignore[no-untyped-call]
    world.vault.sys.enable_secrets_engine("kv", path=world.mount, options={"version": "2"})
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), target={"labels": {"a": "b"}}))
    found = world.is_refused("NotFound")
    assert kstatus(world.object()) == "Failed"
    assert found["message"].startswith("KeyStore/vault ")
    assert "Secret llm keeps version 1." in found["message"]


def test_what_happens_again_is_counted_in_the_same_event(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    for _ in range(2):
        first = world.secret_object()
        world.delete_secret("llm")
        world.until(
            lambda first=first: (world.secret_object() or first)["metadata"]["uid"] != first["metadata"]["uid"],  # type: ignore[misc]
            "the Secret is back",
        )

    world.until(lambda: (world.events()[-1].get("series") or {}).get("count") == 2, "the Event counts two repairs")
    world.has_events("Created", "Repaired")


def test_probes_answer_and_metrics_can_be_read(world: World) -> None:
    operator = world.start()
    world.has_key()
    world.is_ready()

    assert requests.get(f"{operator.url}/healthz", timeout=5).text == "ok\n"
    assert requests.get(f"{operator.url}/readyz", timeout=5).text == "ok\n"
    world.until(lambda: operator.metric("keywright_objects") == 1, "the object is counted")
    text = requests.get(f"{operator.url}/metrics", timeout=5).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    success = {
        sample.labels["namespace"]: sample for sample in families["keywright_last_success_timestamp_seconds"].samples
    }
    assert set(success) == {world.namespace}
    ready = {sample.labels["store"]: sample.value for sample in families["keywright_store_ready"].samples}
    assert ready == {f"KeyStore/{world.namespace}/vault": 1}
    assert "success" in {sample.labels["outcome"] for sample in families["keywright_syncs"].samples}
    assert "sk-one" not in text
