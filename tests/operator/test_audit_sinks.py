"""Copies of the audit trail reach every sink, whatever happens on the way, and are as good as the trail."""

from __future__ import annotations

import contextlib
import logging
import pathlib
from collections.abc import Iterator

import pytest

from audit.copying import PACE, Copying, Written, cursors, grant, lines, operator
from controlplane import FaultProxy
from controlplane.faults import Answer, LoseAnswer
from keywright import metrics
from keywright.audit.copies import NAME
from keywright.audit.verify import State, Verifier
from receivers import Buckets, Collector, buckets
from vendors.server import MoodyServer
from world import World


class Siem:
    """A webhook's server."""

    def __init__(self) -> None:
        self.collector = Collector()
        self.server = MoodyServer(self.collector.answer)
        self.url = f"{self.server.url}/private-path"

    def took(self, world: World, names: list[str]) -> None:
        """Wait until just these segments were taken, in this order."""
        world.until(
            lambda: list(self.collector.taken) == names, lambda: f"{names}; there are {list(self.collector.taken)}"
        )

    @property
    def asked(self) -> list[str]:
        return [each.headers["idempotency-key"] for each in self.server.requests]

    @property
    def lag(self) -> float | None:
        return metrics.REGISTRY.get_sample_value("keywright_audit_sink_lag_segments", {"sink": self.server.url})


@pytest.fixture
def siem() -> Iterator[Siem]:
    made = Siem()
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def s3() -> Iterator[Buckets]:
    with buckets() as made:
        yield made


@pytest.fixture
def bucket(s3: Buckets, world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a sink; its bucket has the name of the world."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    s3.make(world.namespace, locked=True)
    return f"s3://{world.namespace}/trail?endpoint={s3.url}&retain=365d&mode=compliance"


def test_what_lies_in_a_bucket_is_the_trail_and_verifies(world: World, siem: Siem, s3: Buckets, bucket: str) -> None:
    written = Written(world)
    written.log(3)
    written.log(2)
    with Copying(world, operator(world), siem.url, bucket) as copying:
        siem.took(world, written.names)
        # In the log that is there, and then a new one, found by the end of the old.
        written.more()
        copying.more()
        siem.took(world, written.names)
        written.log(2)
        copying.more()
        siem.took(world, written.names)
        world.until(lambda: len(s3.objects(world.namespace)) == len(written.names), "all lies in the bucket")
        found = s3.objects(world.namespace)

    verifier = Verifier(written.heads.values())
    rows = list(verifier.take_all(lines(found)))
    verdict = verifier.verdict()
    assert (verdict.state, verdict.findings) == (State.WHOLE, ())
    assert len(rows) == verdict.records == 6 + 6 + 3
    assert [key.rpartition("/")[2] for key in found] == [f"{name}.jsonl" for name in written.names]
    assert list(siem.collector.taken.values()) == list(found.values())
    # A cut in the copies shows.
    cut = Verifier(written.heads.values())
    list(cut.take_all(lines(dict(list(found.items())[:-1]))))
    assert cut.verdict().state is State.TAMPERED


def test_a_sink_that_is_down_holds_up_no_other_and_is_told_once(
    world: World, siem: Siem, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "keywright")
    other, written = Siem(), Written(world)
    written.log(4)
    siem.server.mood, siem.server.pause = "slow down", 0
    try:
        with Copying(world, operator(world), siem.url, other.url) as copying:
            other.took(world, written.names)
            written.more(2)
            copying.more()
            other.took(world, written.names)
            world.until(lambda: siem.lag == 6 and len(siem.server.requests) > 3, "it lags behind, and is asked again")
            assert siem.collector.taken == {}
            siem.server.mood = "documented"
            siem.took(world, written.names)
            world.until(lambda: (siem.lag, other.lag) == (0, 0), "nothing lags behind")
            refused = {"sink": siem.server.url, "outcome": "StoreRateLimited"}
            assert (metrics.REGISTRY.get_sample_value("keywright_audit_sink_deliveries_total", refused) or 0) > 3
    finally:
        other.server.close()

    told = [each.getMessage() for each in caplog.records if each.name == "keywright.audit.copies"]
    assert told == [
        f"audit sink {siem.server.url}: answered 429 for segment {written.names[0]} (StoreRateLimited)",
        f"audit sink {siem.server.url} takes segments again, from {written.names[0]} on",
    ]


def test_after_a_restart_it_goes_on_where_it_was(world: World, siem: Siem) -> None:
    written, rights = Written(world), operator(world)
    written.log(3)
    with Copying(world, rights, siem.url) as copying:
        siem.took(world, written.names)
        copying.stop()
    kept = cursors(world)
    written.more()
    written.log(1)
    with Copying(world, rights, siem.url) as copying:
        siem.took(world, written.names)
        copying.stop()

    assert siem.asked == written.names
    assert [key.rpartition("-")[0] for key in kept] == [siem.server.url.replace("://", "-").replace(":", "-")]
    assert kept.keys() == cursors(world).keys()

    # Another sink in its place has nothing yet; and without the ConfigMap, what was there is found to be there.
    with Copying(world, rights, f"{siem.url}/other"):
        world.until(lambda: len(siem.asked) == 2 * len(written.names), "all is sent again")
        world.until(lambda: cursors(world) and cursors(world).keys().isdisjoint(kept), "only what is named is kept")
    world.must("DELETE", f"/api/v1/namespaces/{world.system}/configmaps/{NAME}")
    with Copying(world, rights, siem.url):
        world.until(lambda: siem.asked == 3 * written.names, "all is sent again")
        world.until(lambda: cursors(world).keys() == kept.keys(), "it is kept again")


def test_an_api_server_in_trouble_loses_nothing(world: World, siem: Siem, api_proxy: FaultProxy) -> None:
    written, rights = Written(world), operator(world, api_proxy)
    written.log(3)
    with contextlib.ExitStack() as stack:
        for fault, method, path, times in (
            (Answer(500), "GET", r"/auditsegments\?", 3),
            (Answer(410), "GET", r"/auditsegments\?", 1),
            (Answer(500), "GET", f"/auditsegments/{written.names[1]}", 3),
            (Answer(500), "GET", f"/configmaps/{NAME}", 3),
            (LoseAnswer(), "POST", "/configmaps$", 1),
            (Answer(500), "PATCH", f"/configmaps/{NAME}", 3),
        ):
            stack.enter_context(api_proxy.fault(fault, method=method, path=path, times=times))
        copying = stack.enter_context(Copying(world, rights, siem.url))
        siem.took(world, written.names)
        world.until(lambda: cursors(world), "how far it came is kept")
        api_proxy.down()
        written.more()
        copying.more()
        world.holds(lambda: len(siem.asked) == 3, "nothing new is seen", 0.5)
        api_proxy.up()
        siem.took(world, written.names)

    assert siem.asked == written.names


def test_segments_that_are_gone_are_told_and_the_others_delivered(
    world: World, siem: Siem, caplog: pytest.LogCaptureFixture
) -> None:
    written = Written(world)
    written.log(6)
    names = list(written.names)
    for number in (0, 3, 4):
        written.lose(names[number])
    world.must("POST", written.path, _by_hand(world, written, names[1]))
    with Copying(world, operator(world), siem.url):
        siem.took(world, [names[1], names[2], names[5]])

    told = [each.getMessage() for each in caplog.records if each.name == "keywright.audit.copies"]
    assert told == [
        f"1 audit segments before {names[1]} are gone, and were not copied to {siem.server.url}",
        f"2 audit segments before {names[5]} are gone, and were not copied to {siem.server.url}",
    ]


def _by_hand(world: World, written: Written, like: str) -> dict[str, object]:
    """Return a segment that is called as none is."""
    found = world.must("GET", f"{written.path}/{like}")
    return found | {"metadata": {"name": "a-copy", "labels": found["metadata"]["labels"]}}


def test_a_sink_that_refuses_is_asked_slowly_until_somebody_mends_it(
    world: World, siem: Siem, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    written, token = Written(world), tmp_path / "token"
    token.write_text("kw-canary-wrong")
    siem.collector.token = "kw-canary-right"
    written.log(2)
    with Copying(world, operator(world), f"{siem.url}?token-file={token}", pace=PACE) as copying:
        world.until(lambda: len(siem.asked) > 2, "it is asked again")
        copying.more()
        token.write_text("kw-canary-right")
        siem.took(world, written.names)

    told = [each.getMessage() for each in caplog.records if each.name == "keywright.audit.copies"]
    assert told == [
        f"audit sink {siem.server.url}: answered 401 for segment {written.names[0]} (AuthFailed)."
        " Check token-file, and the token in it"
    ]


def test_an_operator_copies_what_it_records(world: World, siem: Siem) -> None:
    config_maps = {"apiGroups": [""], "resources": ["configmaps"]}
    grant(
        world, [config_maps | {"verbs": ["create"]}, config_maps | {"resourceNames": [NAME], "verbs": ["get", "patch"]}]
    )
    process = world.start(f"--audit-sink={siem.url}")
    world.has_key()
    world.is_ready()

    world.until(
        lambda: any(b'"type":"sync.written"' in each for each in siem.collector.taken.values()), "the sync is copied"
    )

    assert process.metric("keywright_audit_sink_deliveries_total") > 0
    assert process.stop() == 0
    assert len(cursors(world)) == 1
    assert "private-path" not in process.log.read_text()
