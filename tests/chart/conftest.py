"""A control plane of its own for tests that change what all tests share: CRDs, and operators that serve everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chart.release import until
from controlplane import ControlPlane, Server
from controlplane.build import assets
from keywright import crd, kinds

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
#: What the chart makes outside of namespaces that tests make, beside the CRDs.
LEFT = [
    f"{RBAC}/{each}"
    for each in ("clusterroles", "clusterrolebindings", "namespaces/default/roles", "namespaces/default/rolebindings")
] + [f"{ADMISSION}/{each}" for each in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")]


@pytest.fixture(scope="session")
def empty_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane without our CRDs, whose roles add up: the cluster's ``edit`` has what charts add to it."""
    folder = tmp_path_factory.mktemp("own")
    with ControlPlane.start(folder / "kubernetes") as plane:
        command = [str(assets().controller_manager), f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false"]
        command += ["--secure-port=0", "--controllers=clusterrole-aggregation-controller"]
        adding = Server("aggregation", command, folder)
        try:
            yield plane
        finally:
            adding.stop()


@pytest.fixture
def own_plane(empty_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The same for one test, after which it is as before but for namespaces, which take long to go."""
    yield empty_plane
    for path in LEFT:
        status, answer = empty_plane.request("DELETE", f"{path}?labelSelector=app.kubernetes.io/part-of=keywright")
        assert status == 200, answer
    for each in kinds.KINDS.values():
        # A kind that nobody has looked at yet cannot be listed at once, and what removes its objects waits long then.
        where = f"/apis/{kinds.API_VERSION}/{each.plural}"
        until(lambda where=where: empty_plane.request("GET", where)[0] in (200, 404), "it can be listed")  # type: ignore[misc]
    ours = [f"{CRDS}/{each['metadata']['name']}" for each in crd.manifests()]
    for name in ours:
        empty_plane.request("DELETE", name)
    until(lambda: {empty_plane.request("GET", each)[0] for each in ours} == {404}, "the CRDs are gone")
