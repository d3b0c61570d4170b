"""Faults of single events, on watches that were open before."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests

from controlplane import ControlPlane, CutWatch, DropEvent, EndWatch, EventFault, ExpireWatch, FaultProxy


def watch(kube: requests.Session, secrets: str, **parameters: str) -> Iterator[tuple[str, str]]:
    """Open a watch; yield type and name of each event."""
    stream = kube.get(secrets, params={"watch": "1", **parameters}, stream=True)
    assert stream.status_code == 200
    # One byte at a time: an event must not wait for a full chunk.
    events = (json.loads(line) for line in stream.iter_lines(chunk_size=1))
    return ((event["type"], event["object"].get("metadata", {}).get("name", "")) for event in events)


def make(plane: ControlPlane, secrets: str, *names: str) -> None:
    for name in names:
        assert plane.request("POST", secrets, {"metadata": {"name": name}})[0] == 201


def test_events_come_as_they_happen(control_plane: ControlPlane, kube: requests.Session, secrets: str) -> None:
    events = watch(kube, secrets)

    make(control_plane, secrets, "one")
    assert next(events) == ("ADDED", "one")

    control_plane.request("DELETE", f"{secrets}/one")
    assert next(events) == ("DELETED", "one")


def test_a_dropped_event_is_never_seen_while_the_watch_goes_on(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    events = watch(kube, secrets)

    with proxy.fault(DropEvent(), path="/secrets", after=1, times=1) as dropped:
        make(control_plane, secrets, "one", "two", "three")

        assert [next(events), next(events)] == [("ADDED", "one"), ("ADDED", "three")]
    assert dropped.hits == 1


def test_events_can_be_chosen_by_type_and_name(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    events = watch(kube, secrets)

    with proxy.fault(DropEvent(type="DELETED", name="two")):
        make(control_plane, secrets, "one", "two")
        for name in ("two", "one"):
            control_plane.request("DELETE", f"{secrets}/{name}")

        assert [next(events) for _ in range(3)] == [("ADDED", "one"), ("ADDED", "two"), ("DELETED", "one")]


def test_an_expired_watch_says_410_and_ends(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    stream = kube.get(secrets, params={"watch": "1"}, stream=True)

    with proxy.fault(ExpireWatch(), times=1):
        make(control_plane, secrets, "one")
        (event,) = (json.loads(line) for line in stream.iter_lines())

    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_an_ended_watch_ends_in_order(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    events = watch(kube, secrets)

    with proxy.fault(EndWatch(), after=1, times=1):
        make(control_plane, secrets, "one", "two")

        assert list(events) == [("ADDED", "one")]


def test_a_cut_watch_breaks(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    events = watch(kube, secrets)

    with proxy.fault(CutWatch(), times=1):
        make(control_plane, secrets, "one")

        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
            next(events)


@pytest.mark.parametrize("fault", [DropEvent(), EndWatch()])
def test_requests_that_are_no_watch_are_let_alone(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str, fault: EventFault
) -> None:
    make(control_plane, secrets, "one")

    rule = proxy.fault(fault)

    assert len(kube.get(secrets).json()["items"]) == 1
    assert rule.hits == 0


def test_a_client_that_leaves_takes_its_watch_with_it(
    control_plane: ControlPlane, kube: requests.Session, secrets: str
) -> None:
    mark = control_plane.mark()
    stream = kube.get(secrets, params={"watch": "1"}, stream=True)

    stream.close()

    # The API server logs the end of a watch once it is closed; without that it would run for minutes.
    ends = time.monotonic() + 20
    while not _ended(control_plane, mark, secrets):
        assert time.monotonic() < ends
        time.sleep(0.05)


def _ended(plane: ControlPlane, mark: int, secrets: str) -> bool:
    with (plane.folder / "audit.log").open() as log:
        log.seek(mark)
        lines = [line for line in log if secrets in line and '"verb":"watch"' in line]
    return any('"stage":"ResponseComplete"' in line for line in lines)
