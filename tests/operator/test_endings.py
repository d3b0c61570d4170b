"""What ends an operator by itself is told in one sentence, with what to do."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from controlplane import Answer, ControlPlane, FaultProxy, OpenBao
from keywright import crd
from running import Operator
from world import World


@pytest.fixture
def doomed(tmp_path: pathlib.Path, openbao: OpenBao) -> Iterator[World]:
    """A world in a cluster of its own, whose CRDs may be deleted."""
    with ControlPlane.start(tmp_path / "kubernetes", crd.manifests()) as plane:
        plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": "doomed"}})
        with World(plane, openbao, "doomed", tmp_path) as world:
            yield world


def errors(operator: Operator) -> list[str]:
    """Return the lines of the log that tell an error, and what stands below them."""
    lines = operator.log.read_text().splitlines()
    return [line for line in lines if " ERROR " in line or " CRITICAL " in line or line.startswith("  ")]


def test_crds_that_are_deleted_end_it_with_one_sentence(doomed: World) -> None:
    operator = doomed.start()
    doomed.has_key()
    doomed.is_ready()

    for name in ("apikeysecrets", "keystores", "clusterkeystores"):
        doomed.must("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}.keywright.dev")

    assert operator.process.wait(60) == 1
    (said,) = errors(operator)
    assert "the CRDs of Keywright were deleted while it was running" in said
    assert "Install them: keywright crds | kubectl apply --server-side -f -" in said
    assert "Traceback" not in operator.log.read_text() and "has failed" not in operator.log.read_text()


FORBIDDEN = {
    "to list KeyStores": (r"/keystores\b", "may not list or watch keystores in namespace NS."),
    "to list our objects": (
        r"/apikeysecrets\b",
        "may not list or watch objects of keywright.dev where it serves them.",
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_right_that_the_operator_lacks_is_named_with_what_to_do(
    api_proxy: FaultProxy, world: World, what: str
) -> None:
    path, lacks = FORBIDDEN[what]
    with api_proxy.fault(Answer(403), path=path):
        operator = world.launch(server=api_proxy.url, ca_file=api_proxy.ca_file)
        assert operator.process.wait(60) == 1

    *_, said = errors(operator)
    assert not said.startswith("  ")
    assert f"KubernetesUnavailable: the API server answered 403: the operator {lacks}" in said.replace(
        world.namespace, "NS"
    )
    assert said.endswith("the chart's watchNamespaces and --watch-namespace must name the same namespaces.")


def test_a_watch_that_is_not_allowed_is_told_with_what_to_do(api_proxy: FaultProxy, world: World) -> None:
    with api_proxy.fault(Answer(403), path=r"/secrets\b.*labelSelector"):
        operator = world.launch(server=api_proxy.url, ca_file=api_proxy.ca_file)
        told = "the operator may not list or watch secrets in namespace"
        world.until(lambda: told in operator.log.read_text(), "it tells what it may not")
        assert "--watch-namespace must name the same namespaces" in operator.log.read_text()

    world.until(operator.ready, "it goes on once it may")
