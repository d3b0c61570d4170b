"""The how-to of rotations without a cluster, walked from its first command to its last."""

from __future__ import annotations

import base64
import json
import pathlib

from issuing import cases
from reader import Reader
from vendors.base import Request


def test_keys_are_replaced_on_a_laptop_as_the_page_says(tmp_path: pathlib.Path) -> None:
    with cases.desk("openai") as openai, cases.desk("awsIam") as aws:
        first, trail = openai.person_makes(), {"KEYWRIGHT_AUDIT_FOLDER": str(tmp_path / "audit")}
        reader = Reader(tmp_path, "rotate-on-a-laptop.md", {"KEY": first.parts["apiKey"], **trail})
        # A raw key, which costs no time.
        reader.passphrase(base64.b64encode(b"\x07" * 32).decode())
        lies_about(reader, openai, "llm/openai", {"proj_3f9c1a52": "proj_abc", "user-7be1": "user-abc"})
        lies_about(reader, aws, "aws/ci", {"user: ci\n": f"user: {aws.vendor.user}\n"})
        pair = aws.person_makes().parts
        right = aws.vendor.rights
        for name, told in {
            "admin": {"key": openai.vendor.admin},
            "admin-aws": {"id": right["id"], "secret": right["admin"]},
            "ci": {"id": pair["accessKeyId"], "secret": pair["secretAccessKey"], "region": "eu-central-1"},
        }.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(told))
        reader.saves(0, "issuer.yaml")
        reader.saves(1, "aws.yaml")

        reader.sees("Replace a key", stdin="y\n")
        assert first.handle not in openai.handles()
        reader.sees("First a test")
        reader.sees("Time for others")
        (old,) = openai.handles()
        reader.sees("Keys of several parts")
        assert len(aws.handles()) == 1
        assert json.loads(reader.runs("keywright get aws/ci --reveal"))["region"] == "eu-central-1"

        reader.places["key_8Rk2"] = old
        somebody_stores_another_key(reader, openai)
        reader.sees("What is owed")
        assert reader.runs("keywright get llm/openai --reveal") == "sk-theirs"
        reader.sees("What stays")


def lies_about(reader: Reader, desk: cases.Desk, path: str, places: dict[str, str]) -> None:
    """Have a reader ask a server of ours, and wait for no more than has to be waited for."""
    quick = f"--endpoint {desk.server.url} --passes 1 --apart 0s --settle 1s"
    reader.places |= places | {f"rotate --local {path}": f"rotate --local {path} {quick}"}
    reader.places[f"  {desk.name}:\n"] = f"  {desk.name}:\n    endpoint: {desk.server.url}\n"


def somebody_stores_another_key(reader: Reader, desk: cases.Desk) -> None:
    """Let that happen while the next new key is tested."""
    waits = ["sk-theirs"]

    def meanwhile(request: Request) -> bool:
        if request.path == "/v1/models" and waits:
            reader.runs(f"printf {waits.pop()} | keywright store llm/openai")
        return False

    desk.server.forgets, desk.server.mood = meanwhile, "forgets"
