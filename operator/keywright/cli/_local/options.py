"""What may be said of a local rotation.

Does not belong here: what follows (``running``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import click

from ...issuers import ISSUERS
from .. import _types


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What is said; spans are text as in manifests, but for ``settle`` and ``timeout``: seconds."""

    path: str
    issuer_file: str
    credential_issuer: str | None
    parts: Mapping[str, str | None] | None
    config: str | None
    endpoint: str | None
    overlap: str
    passes: int
    apart: str
    within: str
    allow_limited: bool
    settle: float | None
    back: bool
    forget: str | None
    made_from: float | None
    yes: bool
    test_only: bool
    output: str
    wait: bool
    timeout: float


class _Parts(click.ParamType[dict[str, str | None]]):
    """Which property holds which part; none where the entry as a whole does, or it is called as the part is."""

    name = "parts"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        return "PART[=PROPERTY],…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for each in str(value).split(","):
            name, sign, place = each.partition("=")
            if not re.fullmatch("[a-z][a-zA-Z0-9]{0,31}", name) or name in found or bool(sign) != bool(place):
                self.fail("parts are written like accessKeyId=id,secretAccessKey=secret, each once", param, ctx)
            found[name] = place or None
        return found


class _Span(click.ParamType[str]):
    """A span of time, as it is written."""

    name = "duration"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        return "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        _types.DURATION.convert(value, param, ctx)
        return str(value)


_SPAN = _Span()
#: Options of click for them, in the order of the help.
OPTIONS = (
    click.option("--local", metavar="PATH", help="Replace the key at PATH of the encrypted file, without a cluster."),
    click.option("--issuer-file", type=_types.FILE, help="Who makes keys: a KeyIssuer, as for a cluster."),
    click.option("--credential-issuer", type=click.Choice(list(ISSUERS)), help="Whose keys: who is asked about them."),
    click.option("--parts", type=_Parts(), help="Which property holds which part. Default: those of the issuer."),
    click.option("--config", type=_types.FILE, help="YAML with the fields that --credential-issuer takes."),
    click.option("--endpoint", type=_types.ENDPOINT, help="Test keys there; the address may be a private one."),
    click.option("--overlap", type=_SPAN, default="0s", show_default=True, help="How long the old key lives on."),
    click.option("--passes", type=click.IntRange(1, 20), default=3, show_default=True, help="Tests to pass in a row."),
    click.option("--apart", type=_SPAN, default="10s", show_default=True, help="From the first of them to the last."),
    click.option("--within", type=_SPAN, default="15m", show_default=True, help="After which a bad key is given up."),
    click.option("--allow-limited", is_flag=True, help="Take a key that may do less than the old one."),
    click.option("--settle", type=_types.DURATION, help="After which a new key is listed. Default: the KeyIssuer's."),
    click.option(
        "--back", is_flag=True, help="Turn back, while the old key lives; the new one then has the --overlap."
    ),
    click.option("--forget", metavar="HANDLE", help="You have seen to a key that is owed: forget it; - has no handle."),
    click.option("--made-from", type=_types.MOMENT, help="Which one of several without a handle, as it is told."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True),
)
