"""Workloads are restarted when the Secret that they use has new values: once for each change, one after the other."""

from __future__ import annotations

import time

import pytest

from audit.trails import Kept
from cli.terminal import call
from controlplane import Answer, FaultProxy, KillAfter, KillBefore, LoseAnswer
from rolling import BY_FILE, MERGE, OPEN, Rolling, closed
from running import Operator
from world import World

pytestmark = pytest.mark.usefixtures("running_pods")
#: What kills the operator, and at which request.
KILLS = {
    "before the status tells of the new Secret": (KillBefore, "/apikeysecrets/llm/status"),
    "after it does": (KillAfter, "/apikeysecrets/llm/status"),
    "before the restart": (KillBefore, "/deployments/api"),
    "after it": (KillAfter, "/deployments/api"),
}
KINDS = {"set": "StatefulSet", "each": "DaemonSet", "byhand": "StatefulSet"}
BY_KEY = {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "llm", "key": "OPENAI_API_KEY"}}}]}
DONE = "Each pod that is known to use Secret llm has its present values."


@pytest.fixture
def rolling(world: World) -> Rolling:
    """The workloads of the world."""
    return Rolling(world)


def patched(world: World, operator: Operator, since: int) -> list[str]:
    """Return what an operator patched or looked at among Deployments, by name, as often as it changes."""
    asked = [each for each in world.requests(operator, since) if each.resource == "deployments" and each.name]
    steps = [f"{each.verb} {each.name}" for each in asked if each.verb == "patch" or each.name]
    return [step for before, step in zip(["", *steps], steps, strict=False) if step != before]


def test_a_deployment_rolls_once_for_each_change_and_not_on_the_first_sync(world: World, rolling: Rolling) -> None:
    operator = world.start("--rollouts")
    rolling.is_held()
    world.has_key(rollout={"restart": "Auto"})
    world.is_ready()
    rolling.has("api", replicas=2)
    assert rolling.rollout("Done").keys() == {"phase", "fingerprint"}
    assert rolling.condition() == ("", "", "")
    mark = world.plane.mark()

    rolling.changes("sk-two", "one")

    told = rolling.rollout("Done")
    assert told.items() >= {"workloads": 1, "ready": 1, "pods": 2, "current": 2}.items()
    assert rolling.mark("api") == told["mark"]
    assert rolling.condition() == ("True", "RolledOut", DONE)
    assert rolling.restarts("api") == 1
    world.has_events("Created", "Updated", "RestartStarted", "Restarted")
    assert world.events()[2]["note"] == "Deployment/api: being restarted, as Secret llm has changed."
    assert world.writes(operator, mark) == {
        "patch secrets": 1,
        "patch apikeysecrets/status": 2,
        "patch deployments": 1,
        "create events": 3,
    }
    trail = Kept(world)
    ended = trail.has("restart.outcome", code="Restarted")
    begun = trail.has("restart.intent", code="Begun", id=ended["id"])
    assert (begun["object"]["kind"], begun["object"]["name"], begun["secret"]) == ("Deployment", "api", "llm")
    # Nothing else is a change: not another wish, not somebody's hand that is put right again.
    rolling.wants(restart="Auto", batch=5)
    world.change_secret("llm", OPENAI_API_KEY="sk-mine")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.refreshes("two")
    assert (rolling.rollout("Done")["fingerprint"], rolling.restarts("api")) == (told["fingerprint"], 1)


def test_workloads_are_restarted_a_batch_at_a_time_each_when_those_before_are_ready(
    world: World, rolling: Rolling
) -> None:
    operator = world.start("--rollouts")
    world.has_key(rollout={"restart": "Auto", "batch": 2, "pause": "1s"})
    world.is_ready()
    for name in ("api", "batch", "cron"):
        rolling.has(name)
    other = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "other", "key": "A"}}}]}
    rolling.has("unrelated", other)
    mark = world.plane.mark()

    rolling.changes("sk-two", "one")

    told = rolling.rollout("Done")
    assert (told["workloads"], told["ready"], told["pods"], told["current"]) == (3, 3, 3, 3)
    assert {name: rolling.restarts(name) for name in ("api", "batch", "cron", "unrelated")} == {
        "api": 1,
        "batch": 1,
        "cron": 1,
        "unrelated": 0,
    }
    steps = patched(world, operator, mark)
    assert [each for each in steps if each.startswith("patch")] == ["patch api", "patch batch", "patch cron"]
    # The first two are looked at after they are changed, and before the third is.
    between = steps[steps.index("patch batch") : steps.index("patch cron")]
    assert {"get api", "get batch"} <= set(between)
    # As it begins, after the first batch, and at its end.
    assert world.writes(operator, mark)["patch apikeysecrets/status"] == 3


def test_a_rollout_that_does_not_get_ready_stops_and_goes_on_when_a_person_asks(world: World, rolling: Rolling) -> None:
    world.start("--rollouts")
    world.has_key(rollout={"restart": "Auto", "timeout": "2s"})
    world.is_ready()
    rolling.has("api", minReadySeconds=3600, progressDeadlineSeconds=7200)
    rolling.has("later")

    rolling.changes("sk-two", "one")

    told = rolling.rollout("Failed")
    assert "laggards" not in told
    status, reason, message = rolling.condition()
    assert (status, reason) == ("False", "RolloutTimedOut")
    late = "Deployment/api was not ready within 2s: 0 of 1 pods are."
    assert message.startswith(f"{late} No other workload is restarted.")
    assert message.endswith("keywright refresh tries the rollout again.")
    assert (rolling.restarts("api"), rolling.restarts("later")) == (1, 0)
    world.is_ready()
    world.has_events("Created", "Updated", "RestartStarted", "RestartFailed")
    assert world.events()[-1]["type"] == "Warning"

    rolling.patch("api", {"spec": {"minReadySeconds": 0}})
    world.annotate("llm", refresh="again")

    rolling.rollout("Done")
    assert rolling.mark("api") == rolling.mark("later") == told["mark"]
    # One more: its minReadySeconds.
    assert (rolling.restarts("api"), rolling.restarts("later")) == (2, 1)


def test_what_another_tool_restarts_is_waited_for_and_told(world: World, rolling: Rolling) -> None:
    operator = world.start("--rollouts")
    world.has_key(rollout={"restart": "Observe", "timeout": "60s"})
    world.is_ready()
    rolling.has("api")
    mark = world.plane.mark()

    rolling.changes("sk-two", "one")
    assert rolling.rollout("Running").keys() == {"phase", "fingerprint", "since", "mark"}
    assert rolling.condition()[:2] == ("False", "RollingOut")
    time.sleep(1.01)
    rolling.restart("api")

    told = rolling.rollout("Done")
    assert (told["workloads"], told["ready"], told["pods"], told["current"]) == (1, 1, 1, 1)
    world.has_events("Created", "Updated", "Restarted")
    assert world.events()[-1]["note"].startswith("Deployment/api: restarted by another tool, and ready")
    assert "patch deployments" not in world.writes(operator, mark)

    rolling.wants(restart="Observe", timeout="1s")
    rolling.changes("sk-three", "two")

    rolling.rollout("Failed")
    said = "Deployment/api was not restarted within 1s by another tool. See why it did not, or restart it yourself."
    assert rolling.condition() == ("False", "RolloutTimedOut", said)


def test_a_change_is_followed_by_one_restart_whenever_the_operator_dies(
    api_proxy: FaultProxy, world: World, rolling: Rolling
) -> None:
    def lead() -> int:
        started = world.start("--rollouts", "--lease-seconds=2", server=api_proxy.url, ca_file=api_proxy.ca_file)
        return started.process.pid

    world.has_key(rollout={"restart": "Auto"})
    process = lead()
    world.is_ready()
    rolling.has("api")
    for number, (when, (kind, path)) in enumerate(KILLS.items(), 1):
        with api_proxy.fault(kind(process), method="PATCH", path=path, times=1) as killed:
            rolling.changes(f"sk-{number}", f"try-{number}")
            killed.wait()
            world.operators[-1].process.wait(30)

        process = lead()

        world.until(lambda number=number: rolling.restarts("api") == number, f"it is restarted, killed {when}")  # type: ignore[misc]
        told = rolling.rollout("Done")
        assert (rolling.mark("api"), rolling.restarts("api")) == (told["mark"], number), when
    trail = Kept(world)
    world.until(
        lambda: sorted(each["code"] for each in trail.records("restart.outcome")) == ["NotBegun", *["Restarted"] * 4],
        lambda: f"each intent has its outcome; there are {trail.records('restart')}",
    )

    # None follows from a status that is lost, whatever the Secret holds.
    gone = {"status": {"rollout": None, "target": None, "conditions": None, "versions": None}}
    world.must("PATCH", world.path("ApiKeySecret", "llm") + "/status", gone, MERGE)
    world.refreshes("lost")

    assert rolling.rollout("Done").keys() == {"phase", "fingerprint"}
    assert rolling.restarts("api") == len(KILLS)


def test_where_restarts_are_not_allowed_it_is_told_and_made_up_for_when_they_are(
    world: World, rolling: Rolling
) -> None:
    operator = world.start()
    world.has_key(rollout={"restart": "Auto"})
    world.is_ready()
    rolling.has("api")
    disabled = "Nobody who uses Secret llm is restarted, as this install may not restart workloads."
    disabled += " Set the chart's rollout.enabled, or restart: None."
    assert rolling.condition() == ("False", "RestartsDisabled", disabled)
    assert rolling.rollout("Done")

    rolling.changes("sk-two", "one")

    assert rolling.rollout("Blocked")
    assert rolling.condition() == ("False", "RestartsDisabled", disabled)
    world.is_ready()
    operator.stop()

    # It is allowed to, and has no right to.
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}/roles/keywright"
    rules = world.must("GET", role)["rules"]
    world.must("PATCH", role, {"rules": [each for each in rules if each["apiGroups"] != ["apps"]]}, MERGE)
    world.start("--rollouts")
    world.until(lambda: rolling.condition()[1] == "RestartDenied", "it is told that it is denied")
    said = f"The API server answered 403 for deployments/{world.namespace}."
    assert rolling.condition()[2] == f"{said} Set the chart's rollout.enabled, or see which policy says no."
    assert rolling.restarts("api") == 0

    world.must("PATCH", role, {"rules": rules}, MERGE)

    rolling.rollout("Done")
    assert rolling.restarts("api") == 1
    world.has_events("Created", "Updated", "RestartFailed", "RestartStarted", "Restarted")


def test_each_kind_is_restarted_as_it_can_be_and_what_cannot_be_is_named(world: World, rolling: Rolling) -> None:
    world.start("--rollouts")
    world.has_key(rollout={"restart": "Auto", "batch": 10})
    world.is_ready()
    rolling.has("set", BY_KEY, "StatefulSet", replicas=2)
    rolling.has("each", kind="DaemonSet")
    rolling.has("files", BY_FILE)
    rolling.has("byhand", kind="StatefulSet", updateStrategy={"type": "OnDelete"})
    rolling.has("quiet", {}, annotations={"secret.reloader.stakater.com/reload": "a, llm"})
    rolling.has_pod("bare")

    rolling.changes("sk-two", "one")

    told = rolling.rollout("Lagging")
    restarts = {"set": 1, "each": 1, "files": 1, "byhand": 0, "quiet": 1}
    assert {name: rolling.restarts(name, KINDS.get(name, "Deployment")) for name in restarts} == restarts
    assert (told["workloads"], told["pods"], told["current"]) == (4, 7, 5)
    assert told["laggards"] == [
        {"kind": "Pod", "name": "bare", "pods": 1, "holds": "Old"},
        {"kind": "StatefulSet", "name": "byhand", "pods": 1, "holds": "Old"},
    ]
    status, reason, message = rolling.condition()
    assert (status, reason) == ("False", "OldValueInUse")
    assert message.startswith("2 of 7 pods that use Secret llm may have older values: Pod/bare, StatefulSet/byhand.")
    shown(world)

    for pod in ("bare", "byhand-0"):
        world.must("DELETE", f"/api/v1/namespaces/{world.namespace}/pods/{pod}")

    # Whoever lags is looked at less and less often.
    told = rolling.rollout("Done", seconds=150)
    assert "laggards" not in told and told["current"] == told["pods"] == 6
    assert call(world, "consumers", "llm").code == 0
    # Only who is listed; whether it shows or not.
    rolling.wants(restart="Listed", workloads=[{"kind": "Deployment", "name": "quiet"}])
    rolling.changes("sk-three", "two")
    rolling.rollout("Lagging")
    assert (rolling.restarts("quiet"), rolling.restarts("files")) == (2, 1)


def shown(world: World) -> None:
    """See that the program tells who uses the Secret, and what they have."""
    said = call(world, "consumers", "llm", "-o", "json")
    assert (said.code, said.err) == (3, "")
    uses = {f"{each['kind']}/{each['name']}": each["uses"] for each in said.json["consumers"]}
    assert uses["StatefulSet/set"] == [{"way": "env", "container": "main", "key": "OPENAI_API_KEY", "place": "KEY"}]
    assert uses["Deployment/files"] == [{"way": "volume", "container": "main", "key": None, "place": "/keys"}]
    assert [each["way"] for each in uses["Deployment/quiet"]] == ["named"]
    holds = {each["pod"].rpartition("-")[0] or each["pod"]: each["holds"] for each in said.json["running"]}
    assert (holds["bare"], holds["byhand"], holds["set"]) == ("Old", "Old", "Current")
    table = call(world, "consumers", "llm").out
    assert "5 of 7 pods have what is in it." in table
    assert "Deployment/files" in table and "volume /keys" in table


def test_lost_answers_conflicts_and_trouble_do_not_make_two_restarts_of_one(
    api_proxy: FaultProxy, world: World, rolling: Rolling
) -> None:
    world.start("--rollouts", server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_key(rollout={"restart": "Auto"})
    world.is_ready()
    rolling.has("api")
    faults = {
        "the answer to the restart": (LoseAnswer(), "PATCH", "/deployments/api"),
        "a restart that loses": (Answer(409), "PATCH", "/deployments/api"),
        "who uses it": (Answer(500), "GET", "/pods"),
        "the end": (Answer(409), "PATCH", "/apikeysecrets/llm/status"),
    }
    for number, (what, (fault, method, path)) in enumerate(faults.items(), 1):
        with api_proxy.fault(fault, method=method, path=path, times=1) as troubled:
            rolling.changes(f"sk-{number}", f"try-{number}")
            troubled.wait()

        told = rolling.rollout("Done")
        assert (rolling.mark("api"), rolling.restarts("api")) == (told["mark"], number), what
    trail = Kept(world)
    # Outcomes are written within a second: nobody waits for them.
    codes = ["Restarted"] * len(faults)
    world.until(lambda: [each["code"] for each in trail.records("restart.outcome")] == codes, "all are recorded")


def test_a_value_that_comes_back_restarts_who_has_had_another_meanwhile(world: World, rolling: Rolling) -> None:
    world.start("--rollouts")
    world.has_key(rollout={"restart": "Auto", "timeout": "2s"})
    world.is_ready()
    for name in ("api", "later"):
        rolling.has(name)
    rolling.changes("sk-two", "two")
    rolling.rollout("Done")
    rolling.patch("api", {"spec": {"minReadySeconds": 3600, "progressDeadlineSeconds": 7200}})
    rolling.changes("sk-three", "three")
    rolling.rollout("Failed")
    # The rollout has stopped; one more pod gets what the Secret has by now, by a template of the time before.
    time.sleep(1.01)
    rolling.patch("later", {"spec": {"replicas": 2}})
    world.until(lambda: rolling.ready("later"), "there is one more pod")
    rolling.patch("api", {"spec": {"minReadySeconds": 0}})

    rolling.changes("sk-two", "back")

    rolling.rollout("Done")
    assert rolling.restarts("later") == 3


def test_restarts_wait_until_their_window_opens_and_go_on_with_what_has_begun(world: World, rolling: Rolling) -> None:
    world.start("--rollouts")
    world.has_key(rollout={"restart": "Auto", "window": closed()})
    world.is_ready()
    for name in ("api", "later"):
        rolling.has(name)

    rolling.changes("sk-two", "one")

    told = rolling.rollout("Waiting")
    assert rolling.condition()[:2] == ("False", "WaitsForWindow")
    assert f"at {told['opens']}; until then" in rolling.condition()[2]
    world.has_events("Created", "Updated", "RestartWaits")
    assert world.events()[-1]["note"].startswith(
        "Deployment/api, Deployment/later: restarted when rollout.window opens"
    )

    rolling.patch("api", {"spec": {"minReadySeconds": 3600, "progressDeadlineSeconds": 7200}})
    rolling.wants(restart="Auto", window=OPEN)
    world.until(lambda: rolling.restarts("api") == 2, "the first is restarted")
    # The window closes.
    rolling.wants(restart="Auto", window=closed())
    rolling.patch("api", {"spec": {"minReadySeconds": 0}})

    told = rolling.rollout("Waiting")
    assert (told["workloads"], told["ready"], rolling.restarts("later")) == (2, 1, 0)

    rolling.wants(restart="Auto", window=OPEN)

    told = rolling.rollout("Done")
    assert (told["current"], rolling.restarts("api"), rolling.restarts("later")) == (2, 3, 1)
    assert "opens" not in told
    rolling.wants(restart="Auto", window=OPEN | {"start": "never"})
    world.until(lambda: rolling.condition()[1] == "InvalidSpec", "it is told before anything waits for it")
    rolling.wants(restart="Auto")
    world.until(lambda: rolling.condition()[1] == "", "it is told no more")
