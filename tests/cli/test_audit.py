"""``keywright audit`` on the trail of a real cluster."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

import helm
from audit.logbook import DAY, KEY, START, Part, act, log, trail, whole, written
from cli.terminal import Said, keywright
from keywright.audit import heads, segment
from keywright.audit.record import Type
from world import GROUP, World

Json = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Auditor:
    """A world with a trail in it, and somebody who looks at that."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = f"{GROUP}/namespaces/{world.system}/auditsegments"
        self.kubeconfig = world.plane.kubeconfig
        self.witness = world.folder / "operator.log"

    def has(self, *parts: Part) -> None:
        """Let there be logs, and a log pipeline that has kept what the operator printed."""
        for part in parts:
            for each in part.segments(self.world.system):
                self.world.must("POST", self.path, each)
        lines = [heads.printed_key(KEY.public), *(heads.printed(b.head) for part in parts for b in part.batches)]
        with self.witness.open("a") as file:
            file.write("".join(f"2026-05-04T09:00:00Z stdout F {line}\n" for line in lines))

    def __call__(self, command: str, *arguments: str, stdin: str = "") -> Said:
        place = (f"--kubeconfig={self.kubeconfig}", f"--operator-namespace={self.world.system}")
        return keywright("audit", command, *arguments, *place, stdin=stdin)

    def verify(self, *arguments: str) -> Said:
        """Verify with the witness."""
        return self("verify", f"--heads={self.witness}", *arguments)

    def delete(self, name: str) -> Json:
        """Delete a segment by hand; return what it was."""
        was = self.world.must("GET", f"{self.path}/{name}")
        self.world.must("DELETE", f"{self.path}/{name}")
        return was

    def replace(self, name: str, old: str, new: str) -> None:
        """Put an edited copy in place of a segment, as somebody does who may do anything."""
        was = self.delete(name)
        was["spec"]["records"] = was["spec"]["records"].replace(old, new)
        meta = {part: was["metadata"][part] for part in ("name", "labels", "annotations")}
        self.world.must("POST", self.path, was | {"metadata": meta})

    def becomes(self, role: str) -> None:
        """Go on as somebody who has one of the chart's roles."""
        made = {each["metadata"]["name"]: each for each in helm.template("keywright", self.world.system, {})}
        rules = made[f"keywright-{role}"]["rules"]
        rbac = f"{RBAC}/namespaces/{self.world.system}"
        ref = {"kind": "Role", "name": role, "apiGroup": "rbac.authorization.k8s.io"}
        subject = {"kind": "ServiceAccount", "name": role, "namespace": self.world.system}
        self.world.must("POST", f"{rbac}/roles", {"metadata": {"name": role}, "rules": rules})
        body = {"metadata": {"name": role}, "roleRef": ref, "subjects": [subject]}
        self.world.must("POST", f"{rbac}/rolebindings", body)
        place = self.world.folder / f"{role}.kubeconfig"
        self.kubeconfig = self.world.plane.kubeconfig_for(self.world.system, role, place)

    def names(self) -> list[str]:
        """Return the names of the segments that there are."""
        return [each["metadata"]["name"] for each in self.world.must("GET", self.path)["items"]]


@pytest.fixture
def auditor(world: World) -> Auditor:
    return Auditor(world)


def test_an_auditor_reads_and_verifies_what_was_done(auditor: Auditor) -> None:
    parts = trail()
    assert (auditor("log").code, auditor("log").out) == (0, "No records: the audit trail is empty.\n")
    assert auditor("verify").code == 2
    auditor.has(*parts)
    auditor.becomes("auditor")

    said = auditor("log", "-n", "team-a", "--action=sync")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].split() == ["TIME", "WHO", "WHAT", "OBJECT", "DETAIL"]
    assert lines[1].split() == [
        *("2026-05-04T09:00:01Z", "keywright-system/keywright", "sync.written", "Updated", "team-a/llm"),
        *("OPENAI_API_KEY", "1", "new"),
    ]
    assert [line.rpartition(" ")[2] for line in lines[2:]] == ["1→2", "2→3", "3→4", "4→5"]

    said = auditor.verify()
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "9 records in 3 logs, from 2026-05-04T09:00:00Z to 2026-05-06T09:01:01Z.\n"
        "Whole, and a witness has seen it to its end.\n"
    )
    assert auditor("verify").code == 2
    assert "Without a witness" in auditor("verify").out
    assert auditor.verify("--public-key=" + "0" * 64).code == 1
    place = auditor.world.folder / "stranger.kubeconfig"
    auditor.kubeconfig = auditor.world.plane.kubeconfig_for(auditor.world.system, "stranger", place)
    said = auditor.verify()
    assert (said.code, "no right to list auditsegments" in said.err) == (7, True), said.everything


def test_segments_that_are_edited_deleted_or_swapped_are_found(auditor: Auditor) -> None:
    parts = trail()
    auditor.has(*parts)
    first = segment.name(parts[2].name, 0)

    status, answer = auditor.world.plane.request(
        "PATCH", f"{auditor.path}/{first}", {"spec": {"records": "{}"}}, "application/merge-patch+json"
    )
    assert (status, "an audit segment cannot be changed" in answer["message"]) == (422, True)

    auditor.replace(first, '"version":"3"', '"version":"9"')
    said = auditor.verify()
    assert said.code == 1
    assert f"one of the records 0 to 1 of log {parts[2].name} is vouched for by a head that does not fit" in said.out
    auditor.replace(first, '"version":"9"', '"version":"3"')
    assert auditor.verify().code == 0

    was = auditor.delete(segment.name(parts[2].name, 1))
    said = auditor.verify()
    assert (said.code, f"record 2 of log {parts[2].name} was there when a witness" in said.out) == (1, True)
    # Who has no witness cannot know that there was an end.
    assert auditor("verify").code == 2
    auditor.delete(first)
    assert f"record 0 of log {parts[2].name} was there when a witness" in auditor.verify().out
    auditor.delete(segment.name(parts[1].name, 0))
    auditor.world.must("POST", auditor.path, was | {"metadata": {"name": segment.name(parts[1].name, 0)}})
    said = auditor("verify", "-o", "json")
    assert (said.code, said.json["state"], said.json["findings"][0]["problem"]) == (1, "Tampered", "MISSING")
    said = auditor("log")
    assert said.code == 1
    assert said.err.startswith(f"Warning: this trail was tampered with: record 0 of log {parts[2].name} is missing")


def test_acts_without_an_outcome_are_listed(auditor: Auditor) -> None:
    auditor.has(log(1, [[act(Type.ACTION_INTENT, "a"), act(Type.ACTION_INTENT, "b")], [act(Type.ACTION_OUTCOME, "a")]]))

    said = auditor.verify()

    assert said.code == 3
    assert (
        "Whole, with acts of which the outcome is not recorded:\n  2026-05-04T09:00:02Z  alice@example.com" in said.out
    )
    assert said.out.count("alice@example.com") == 1


def test_an_export_and_a_proof_are_whole_without_the_cluster(auditor: Auditor, tmp_path: pathlib.Path) -> None:
    parts = trail()
    auditor.has(*parts)
    export, proof = tmp_path / "export.jsonl", tmp_path / "proof.json"

    said = auditor("export", "-o", str(export))
    assert (said.code, said.out, said.err) == (0, "", f"{export}: 9 records\n")
    assert export.read_bytes().splitlines() == whole(parts)
    assert export.stat().st_mode & 0o777 == 0o600
    assert auditor("export", "-o", str(export)).code == 1
    said = auditor("export", "--since=2026-05-05")
    assert said.out.encode().splitlines() == whole(parts[1:])
    assert keywright("audit", "verify", str(export), f"--heads={auditor.witness}").code == 0

    said = auditor("prove", f"{parts[2].name}/3")
    proof.write_text(said.out)
    assert keywright("audit", "verify", str(proof), f"--heads={auditor.witness}").code == 0
    assert keywright("audit", "verify", str(proof), f"--public-key={KEY.public}").code == 0
    assert keywright("audit", "verify", str(proof)).code == 2
    proof.write_text(said.out.replace("Updated", "Created"))
    assert keywright("audit", "verify", str(proof), f"--heads={auditor.witness}").code == 1
    assert auditor("prove", parts[2].name, "4").code == 1


def test_only_an_archivist_moves_old_logs_into_a_file(auditor: Auditor, tmp_path: pathlib.Path) -> None:
    parts, archive = trail(), tmp_path / "archive.jsonl"
    auditor.has(*parts)

    auditor.becomes("auditor")
    said = auditor("archive", f"--to={archive}", "--yes")
    assert (said.code, len(auditor.names())) == (1, 5)
    assert "you have no right to delete auditsegments" in said.err
    auditor.becomes("audit-archivist")
    assert auditor("archive", f"--to={archive}", "--yes").code == 1
    assert auditor("archive", f"--to={archive}", "--resume", stdin="n\n").code == 130
    said = auditor("archive", f"--to={archive}", "--resume", "--yes")
    assert (said.code, said.out) == (0, f"3 AuditSegments deleted; their records are in {archive}.\n")
    assert auditor.names() == [segment.name(parts[2].name, number) for number in (0, 1)]

    said = auditor.verify()
    assert said.code == 2
    assert f"It begins after log {parts[1].name}, which was archived or taken away." in said.out
    assert f"A witness has seen what is not here: log {parts[0].name}, log {parts[1].name}." in said.out
    assert "What is here is whole, and a witness has seen it to its end." in said.out
    assert auditor.verify("--cluster", str(archive)).code == 0
    said = auditor("archive", f"--to={tmp_path}/none", "--yes")
    assert (said.code, said.out[:29]) == (0, "There is nothing to archive: ")
    assert not (tmp_path / "none").exists()


def test_what_was_not_archived_whole_is_not_deleted(auditor: Auditor, tmp_path: pathlib.Path) -> None:
    parts = trail()
    auditor.has(*parts)
    archive = tmp_path / "archive.jsonl"

    # A file that was damaged meanwhile, one that holds the newest log, one that is not all of a log.
    for lines in (whole(parts[:2])[1:], whole(parts), whole(parts[:2])[:-2], [b"x"], []):
        archive.write_bytes(b"".join(line + b"\n" for line in lines))
        said = auditor("archive", f"--to={archive}", "--resume", "--yes")
        assert (said.code, len(auditor.names())) == (1, 5), said.out
    archive.unlink()

    assert auditor("archive", f"--to={archive}", "--before=2026-05-04", "--yes").out.startswith("There is nothing")
    auditor.replace(segment.name(parts[2].name, 0), "Updated", "Created")
    said = auditor("archive", f"--to={archive}", "--yes")
    assert (said.code, len(auditor.names())) == (1, 5)
    assert "Nothing was deleted: a trail that was tampered with is evidence" in said.err
    assert not archive.exists()

    # A call that was broken off after one of three had gone is taken up again.
    auditor.replace(segment.name(parts[2].name, 0), "Created", "Updated")
    archive.write_bytes(b"".join(line + b"\n" for line in whole(parts[:2])))
    auditor.delete(segment.name(parts[0].name, 0))
    assert auditor("verify").code == 1
    assert auditor.verify("--cluster", str(archive)).code == 0
    assert auditor("archive", f"--to={archive}", "--resume", "--yes").code == 0
    assert auditor.verify("--cluster", str(archive)).code == 0
    assert len(auditor.names()) == 2


def test_the_three_questions_of_an_auditor_have_an_answer(auditor: Auditor) -> None:
    """Who changed what and why; that nobody edited the log; which versions team A's workload got since May."""
    asked = [
        act(Type.ACTION_INTENT, "a"),
        act(Type.ACTION_OUTCOME, "a", code="Done"),
        written(2),
        written(7, namespace="b"),
    ]
    april = log(1, [[written(1)]], at=START - 30 * DAY)
    auditor.has(april, log(2, [asked], april.head))

    said = auditor("log", "-o", "json", "--who=alice@example.com")
    assert [(each["type"], each["action"]["reference"]) for each in said.json["records"]] == [
        ("action.intent", "INC-42"),
        ("action.outcome", "INC-42"),
    ]
    assert auditor.verify().code == 0
    said = auditor("log", "-n", "team-a", "--name=llm", "--action=sync", "--since=2026-05-01", "-o", "jsonl")
    (found,) = (json.loads(line) for line in said.out.splitlines())
    assert [(each["key"], each["new"]["version"]) for each in found["keys"]] == [("OPENAI_API_KEY", "2")]
