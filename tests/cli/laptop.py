"""A person who rotates a key of an encrypted file, and the issuer who makes keys.

Does not belong here: what happens (the tests), the sweep (``sweeping.laptop``).
"""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Any

import yaml

from audit.local_trails import judged, records
from cli.desk import Desk
from cli.terminal import Said

if TYPE_CHECKING:
    from issuing import cases
    from vendors.base import Made

FINE, FAILED, USAGE, WAITS = 0, 1, 2, 3
QUICK = ("--passes=1", "--apart=0s", "--settle=1s")


class Laptop:
    """A person with keys in an encrypted file, and an issuer."""

    def __init__(self, desk: Desk, folder: pathlib.Path, issuer: cases.Desk) -> None:
        self.desk, self.issuer, self.manifest = desk, issuer, folder / "issuer.yaml"
        desk.must("store", "right", "--map", stdin=json.dumps(dict(issuer.vendor.rights)))
        self.config = issuer.case.config(issuer.server.url)
        if issuer.name == "awsIam":
            self.config["user"] = issuer.vendor.user
        self.says(**self.config)

    def says(self, **config: Any) -> None:
        """Write down who makes keys."""
        spec = {self.issuer.name: config}
        meta = {"apiVersion": "keywright.dev/v1alpha1", "kind": "KeyIssuer", "metadata": {"name": "mine"}}
        self.manifest.write_text(yaml.safe_dump({**meta, "spec": spec}))

    def has_key(self) -> Made:
        """Have a key made by a person, and keep it."""
        made = self.issuer.person_makes()
        parts = dict(made.parts)
        text = json.dumps(parts) if len(parts) > 1 else next(iter(parts.values()))
        self.desk.must("store", "llm/key", *(["--map"] if len(parts) > 1 else []), stdin=text)
        return made

    def command(self, *options: str, path: str = "llm/key") -> list[str]:
        place = ["rotate", f"--local={path}", f"--issuer-file={self.manifest}", f"--endpoint={self.issuer.server.url}"]
        return [*place, "--yes", *QUICK, *options]

    def rotate(self, *options: str, path: str = "llm/key") -> Said:
        return self.desk(*self.command(*options, path=path))

    def held(self) -> str:
        return self.desk.must("get", "llm/key", "--reveal").out

    def is_whole(self, *more: Said) -> None:
        """No value is anywhere in clear, nothing of the rotation can be seen as a key, and each act has its outcome."""
        for made in self.issuer.vendor.made.values():
            secret = list(made.parts.values())[-1]
            assert not any(secret in each.everything for each in more)
            kept = [*self.desk.trail.iterdir(), *self.desk.file.parent.iterdir()]
            assert not any(secret.encode() in each.read_bytes() for each in kept if each.is_file())
        assert ".keywright" not in self.desk.must("list").everything
        verdict = judged(self.desk.trail)
        assert (verdict.findings, verdict.open) == ((), ())

    def acts(self) -> list[str]:
        kinds = ("rotation.intent", "rotation.outcome")
        return [f"{each['type'][9:]} {each['code']}" for each in records(self.desk.trail) if each["type"] in kinds]
