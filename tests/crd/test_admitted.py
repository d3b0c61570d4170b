"""Whatever is admitted can be read, and used."""

from __future__ import annotations

import ssl

import yaml
from hypothesis import HealthCheck, given, settings

import structural
from controlplane import ControlPlane
from crd.definitions import PARTS_OF_KINDS, Json, part_of, url
from keywright import kinds, schema, wire
from keywright.stores.vault import Vault

TRUST = ssl.create_default_context()


def reach(read: schema.Spec) -> None:
    """Do what the operator does with a spec before it asks the store anything, whatever the rules (CEL) would say."""
    if isinstance(read, kinds.ApiKeySecretSpec):
        assert read.refresh_seconds >= 0
    if isinstance(read, kinds.KeyActionSpec):
        assert read.expires_seconds >= 0
    if isinstance(read, kinds.KeyStoreSpec):
        assert read.limits.timeout_seconds >= 0
        _, config = read.store()
        if isinstance(config, Vault.Config):
            wire.Server(config.server, TRUST, 1)


def use(read: schema.Spec) -> None:
    """The same, for what the rules have let through: durations are what the API server took them for."""
    reach(read)
    if isinstance(read, kinds.ApiKeySecretSpec):
        assert read.refresh_seconds == 0 or read.refresh_seconds >= 10
    if isinstance(read, kinds.KeyActionSpec):
        assert read.expires_seconds >= 1
    if isinstance(read, kinds.KeyStoreSpec):
        assert 0.1 <= read.limits.timeout_seconds <= 60


@PARTS_OF_KINDS
def test_the_models_read_whatever_the_schema_admits(kind: type[kinds.Kind], part: str) -> None:
    model, described = part_of(kind, part)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(structural.admitted(described))
    def admitted_is_read(made: Json) -> None:
        read = model.model_validate(made)
        assert model.model_validate(schema.dump(read)) == read
        reach(read)

    admitted_is_read()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(structural.admitted(part_of(kinds.ApiKeySecret, "spec")[1]))
def test_of_lists_of_which_one_must_hold_something_one_does(made: Json) -> None:
    """Else nine of ten specs that are made here are refused, and now and then nearly all of them."""
    assert made.get("data") or made.get("dataFrom")


@PARTS_OF_KINDS
def test_the_models_read_whatever_the_api_server_admits(
    control_plane: ControlPlane, namespace: str, kind: type[kinds.Kind], part: str
) -> None:
    model, described = part_of(kind, part)
    name = f"{namespace}-{part}"
    # Not all specs may change.
    method, place = ("POST", "") if part == "spec" else ("PUT", f"/{name}/status")
    base = yaml.safe_load(kind.example) | {"metadata": {"name": name}}
    created, answer = control_plane.request("POST", url(kind, namespace), base)
    assert created == 201, answer
    answers: list[int] = []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(structural.admitted(described))
    def admitted_is_read(made: Json) -> None:
        status = 409
        while status == 409:
            # Operators of tests beside this one tell how cluster objects are.
            there = control_plane.request("GET", f"{url(kind, namespace)}/{name}")[1] if part == "status" else {}
            whole = (there or base | {"metadata": {"name": f"{name}-new"}}) | {part: made}
            status, answer = control_plane.request(method, f"{url(kind, namespace)}{place}?dryRun=All", whole)
        answers.append(status)
        if status < 300:
            use(model.model_validate(answer[part]))

    try:
        admitted_is_read()
    finally:
        control_plane.request("DELETE", f"{url(kind, namespace)}/{name}")
    assert set(answers) <= {200, 201, 422}
    assert len([each for each in answers if each < 300]) >= 10
