"""``keywright consumers``: who uses a Secret, for whoever may look; what pods have is tested where pods run."""

from __future__ import annotations

from cli.terminal import call, person
from rolling import APPS, BY_FILE, Rolling, template
from world import World

MAY_SEE = {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets"], "verbs": ["get"]}
MAY_LOOK = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


def test_consumers_are_shown_to_who_may_see_them_and_others_are_told_why_not(world: World) -> None:
    world.has_key()
    unwritten = call(world, "consumers", "llm")
    world.start()
    world.is_ready()
    nobody = call(world, "consumers", "llm")
    unknown = call(world, "consumers", "nothere")
    denied = call(world, "consumers", "llm", kubeconfig=person(world, MAY_SEE, MAY_LOOK))
    path = Rolling(world).path("Deployment")
    spec = {"selector": {"matchLabels": {"app": "api"}}, "template": template("api", BY_FILE), "replicas": 0}
    assert path.startswith(APPS)
    world.must("POST", path, {"metadata": {"name": "api"}, "spec": spec})

    somebody = call(world, "consumers", "llm")
    told = call(world, "consumers", "llm", "-o", "yaml")

    where = f"ApiKeySecret {world.namespace}/llm"
    assert (unwritten.code, f"Error: {where} has written no Secret llm yet." in unwritten.err) == (1, True)
    assert (nobody.code, nobody.err) == (0, "")
    said = "Nobody who shows it uses Secret llm. What a program asks of the API server itself cannot be seen."
    assert nobody.out == f"{said}\n"
    assert (unknown.code, "ApiKeySecret nothere does not exist" in unknown.err) == (1, True)
    assert (denied.code, f"no right to list deployments in namespace {world.namespace}" in denied.err) == (1, True)
    assert somebody.code == 0
    assert ": 0 of 0 pods have what is in it." in somebody.out
    assert somebody.out.splitlines()[-1].split() == ["Deployment/api", "main", "all", "volume", "/keys"]
    assert "kind: Deployment\n  name: api\n" in told.out
    assert "sk-one" not in somebody.everything + told.everything
