"""One leader at a time: who takes over when, and what a former leader no longer does."""

from __future__ import annotations

import functools
import signal
import time

import requests

from controlplane import MUTATING, FaultProxy, LoseAnswer
from running import Operator
from world import OWN, World


def stands_by(operator: Operator) -> bool:
    """Whether an operator is up, well, and does not lead."""
    try:
        ready = requests.get(f"{operator.url}/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False
    return ready and operator.metric("keywright_leader") == 0


def has_logged(operator: Operator, words: str) -> bool:
    """Whether an operator has logged something."""
    return words in operator.log.read_text()


def has_standby(world: World, *flags: str) -> Operator:
    """Start a second operator, which has nothing to do."""
    standby = world.launch(*flags)
    world.until(lambda: stands_by(standby), "the second stands by")
    return standby


def works(world: World, value: str) -> None:
    """See that somebody brings a new value into the Secret."""
    world.put("llm/openai", api_key=value)
    world.annotate("llm", refresh=value)
    world.secret_becomes({"OPENAI_API_KEY": value})


def test_a_standby_takes_over_from_a_leader_that_was_killed(world: World) -> None:
    first = world.start("--lease-seconds=3")
    world.has_key()
    world.is_ready()
    world.has_events("Created")
    second = has_standby(world, "--lease-seconds=3")
    mark = world.plane.mark()

    first.kill()

    world.until(second.ready, "the second leads")
    world.until(lambda: second.metric("keywright_objects") == 1, "it knows its object")
    assert world.writes(second, mark) == {}
    works(world, "sk-two")


def test_a_leader_that_is_stopped_gives_the_lease_up(world: World) -> None:
    # Nobody could wait for the end of this Lease.
    first = world.start("--lease-seconds=100")
    world.has_key()
    world.is_ready()
    second = has_standby(world, "--lease-seconds=100")

    assert first.stop() == 0

    world.until(second.ready, "the second leads")
    works(world, "sk-two")


def test_a_standby_writes_nothing(api_proxy: FaultProxy, world: World) -> None:
    world.start()
    standby = world.launch(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.until(lambda: stands_by(standby), "the second stands by")

    world.has_key()
    world.is_ready()
    works(world, "sk-two")

    assert api_proxy.count(method="GET", path="/leases/") > 0
    assert api_proxy.count(method=MUTATING) == 0


def holder_of(world: World) -> str:
    """Return who has the Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{world.system}/leases/keywright"
    return str(world.must("GET", path)["spec"]["holderIdentity"])


def test_a_leader_that_slept_past_its_deadline_writes_nothing_and_ends(api_proxy: FaultProxy, world: World) -> None:
    first = world.start("--lease-seconds=3", server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_key(refreshInterval="10s")
    world.is_ready()
    world.has_events("Created")
    second = has_standby(world, "--lease-seconds=3")

    first.process.send_signal(signal.SIGSTOP)
    world.until(second.ready, "the second leads")
    works(world, "sk-two")
    # Work for whoever believes that he leads: drift, and a key that has changed again.
    world.change_secret("llm", OPENAI_API_KEY="wrong")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    before, leads = len(api_proxy.requests), holder_of(world)
    first.process.send_signal(signal.SIGCONT)

    assert first.process.wait(30) == 1
    late = [f"{each.method} {each.path}" for each in api_proxy.requests[before:] if each.method in MUTATING]
    # It fell asleep while it renewed its Lease perhaps: that is another's by now, and refused.
    assert [each for each in late if "/leases/" not in each] == []
    assert holder_of(world) == leads
    assert "the Lease was lost" in first.log.read_text()
    works(world, "sk-three")


def test_without_the_right_to_a_lease_the_operator_says_so_and_ends(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    world.operators[0].stop()
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.system}/roles/keywright"
    rules = [each for each in OWN if each["resources"] != ["leases"]]
    world.must("PATCH", role, {"rules": rules}, "application/merge-patch+json")
    mark = world.plane.mark()

    second = world.launch()

    assert second.process.wait(30) == 1
    assert f"the API server answered 403 for the Lease {world.system}/keywright. Grant" in second.log.read_text()
    assert world.writes(second, mark) == {}


def test_without_its_namespace_the_operator_says_so_and_ends(world: World) -> None:
    operator = world.launch("--namespace=no-such")

    assert operator.process.wait(30) == 1
    said = operator.log.read_text()
    assert "the API server answered 403 for the Lease no-such/keywright" in said or "no namespace no-such" in said


def test_a_renewal_whose_answer_was_lost_is_no_loss(api_proxy: FaultProxy, world: World) -> None:
    operator = world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_key()
    world.is_ready()

    with api_proxy.fault(LoseAnswer(), method="PUT", path="/leases/", times=1) as lost:
        lost.wait()
        works(world, "sk-two")

    assert operator.process.poll() is None
    assert "the Lease was lost" not in operator.log.read_text()


def test_lost_install_keys_cost_a_new_baseline_and_no_secret_is_rewritten(world: World) -> None:
    first = world.start()
    world.has_key(refreshInterval="10s")
    old = world.is_ready()["status"]
    world.has_events("Created")
    assert first.stop() == 0
    world.must("DELETE", f"/api/v1/namespaces/{world.system}/secrets/keywright-install-keys")

    with world.untouched():
        second = world.start()
        world.until(lambda: world.object()["status"]["target"]["fingerprint"] != old["target"]["fingerprint"], "it is")
        mark = world.plane.mark()
        calls = second.metric("keywright_store_calls_total")
        world.until(lambda: second.metric("keywright_store_calls_total") > calls, "the next refresh")

    assert world.writes(second, mark) == {}
    assert world.object()["status"]["versions"][0]["fingerprint"] != old["versions"][0]["fingerprint"]
    world.has_events("Created")


def test_whenever_an_operator_is_told_to_end_while_it_starts_it_ends_well(world: World) -> None:
    """Who rolls a Deployment back at once must not see an operator that has failed."""
    for moment in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5):
        operator = world.launch()
        world.until(functools.partial(has_logged, operator, "leading"), "it leads")
        time.sleep(moment)

        code, said = operator.stop(), operator.log.read_text()

        assert (code, "ending unexpectedly" in said) == (0, False), f"{moment} s after it led: {said}"
