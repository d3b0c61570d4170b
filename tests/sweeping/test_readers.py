"""Who reads a key is known before its end: an operator that begins hears of one namespace later than of another."""

from __future__ import annotations

import base64

from build import api_key_secret, entry
from controlplane import Answer
from sweeping.stage import Stage, Subject

APPLY = "application/apply-patch+yaml"


class Far:
    """A reader of a key in a namespace of its own.

    Args:
        namespace: which one; it is made.
    """

    def __init__(self, stage: Stage, namespace: str) -> None:
        self.stage, self.world, self.namespace = stage, stage.world, namespace
        self.world.must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        self._where = self.world.path("ApiKeySecret", "far", namespace)

    def reads(self, subject: Subject, *, suspend: bool = False) -> None:
        """Let it read, or sleep, and see that this was heard."""
        data = entry("OPENAI_API_KEY", subject.path, "api_key")
        spec = {"storeRef": self.stage.store, "refreshInterval": "1h", "suspend": suspend}
        query = "?fieldManager=test&force=true"
        self.world.must("PATCH", self._where + query, api_key_secret("far", data, **spec), APPLY)
        self.world.until(lambda: self._is_suspended() is suspend, "the operator says that it does as it is told")

    def _is_suspended(self) -> bool:
        conditions = (self.world.must("GET", self._where).get("status") or {}).get("conditions") or []
        return any(each["type"] == "Suspended" and each["status"] == "True" for each in conditions)

    def key(self) -> str:
        """Return the key in its Secret."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets/far"
        status, found = self.world.plane.request("GET", path)
        return base64.b64decode(found["data"]["OPENAI_API_KEY"]).decode() if status == 200 else ""


def test_a_key_does_not_end_before_every_reader_was_heard_of_after_a_restart(stage: Stage) -> None:
    world, far = stage.world, Far(stage, f"{stage.world.namespace}-b")
    stage.begins_for_all()
    world.operators[-1].stop()
    stage.shelf.flags = (f"--watch-namespace={far.namespace}",)
    stage.starts()
    subject = stage.subject()
    far.reads(subject)
    world.until(lambda: far.key() == subject.first, "the reader has the key")
    far.reads(subject, suspend=True)
    stage.asks(subject)
    world.until(lambda: stage.told(subject).get("step") == "Stored", lambda: f"it is {stage.told(subject)}")

    def unheard() -> bool:
        return bool({"heard", "listed", "listed:"} & set(str(stage.told(subject).get("waits", "")).split()))

    with stage.proxies["api"].fault(Answer(503), method="GET", path=f"/namespaces/{far.namespace}/apikeysecrets"):
        world.operators[-1].stop()
        stage.starts()
        world.until(unheard, lambda: f"it is told; it is {stage.told(subject)}")
        assert stage.told(subject)["step"] == "Stored"
        assert stage.vendor.lives[subject.first].ended is None
    # Heard of by now, it still has the old key.
    world.until(lambda: not unheard(), "it was heard of")
    assert (far.key(), stage.told(subject)["step"]) == (subject.first, "Stored")
    assert stage.vendor.lives[subject.first].ended is None
    far.reads(subject)
    stage.ends(subject, "Rotated")
    assert far.key() == stage.key(subject.name) != subject.first
