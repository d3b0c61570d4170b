"""What the API server says of credentials of issuer custom."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane import ControlPlane
from crd.definitions import Json, refusal
from crd.writing import with_spec

URL = "https://api.example.com/v1/me"


def custom(*parts: Json, issuer: str = "custom", **probe: Any) -> Json:
    """Return an object with one credential of parts that are declared, and with a probe."""
    said = {"parts": list(parts) or [{"name": "apiKey"}], "probe": {"url": URL} | probe}
    named = {"name": "acme", "issuer": issuer, "parts": {"apiKey": "KEY"}, "custom": said}
    return with_spec(credentials=[named])


def without_fields() -> Json:
    return with_spec(credentials=[{"name": "acme", "issuer": "custom", "parts": {"apiKey": "KEY"}}])


def without_parts() -> Json:
    manifest = custom()
    manifest["spec"]["credentials"][0]["custom"]["parts"] = []
    return manifest


ACCEPTED = {
    "a part alone": custom(),
    "a pair": custom({"name": "user", "pattern": "u-.*"}, {"name": "password", "form": "Text", "minEntropy": 40}),
    "a schema": custom({"name": "account", "form": "Json", "jsonSchema": '{"required": ["id"]}'}),
    "headers": custom(headers={"Authorization": "Bearer {apiKey}", "X-Api-Version": "1"}),
    "a query": custom(url=f"{URL}?a=b&c=%20d"),
    "a port": custom(url="https://api.example.com:8443"),
    "the last port": custom(url="https://api.example.com:65535/v1"),
    "a body of two lines": custom(method="POST", body="a\n\tb"),
    "a body": custom(method="POST", body='{"key": "{apiKey}"}'),
    "no body to be had": custom(method="HEAD", answer="Any"),
    "statuses": custom(valid=[200, 204], limited=[402, 403], invalid=[400, 401]),
}
REFUSED = {
    "no fields": (without_fields(), "issuer: custom needs custom"),
    "another issuer": (custom(issuer="openai"), "custom goes with issuer: custom"),
    "no parts": (without_parts(), "should have at least 1 items"),
    "a part twice": (custom({"name": "a"}, {"name": "a"}), "Duplicate value"),
    "a part with a hyphen": (custom({"name": "api-key"}), "spec.credentials[0].custom.parts[0].name"),
    "a schema of a token": (custom({"name": "a", "jsonSchema": "{}"}), "jsonSchema needs form: Json"),
    "http": (custom(url="http://api.example.com"), "write https://"),
    "a part in the address": (custom(url=f"{URL}/{{apiKey}}"), "write https://"),
    "a port beyond 65535": (custom(url="https://api.example.com:99999/"), "perhaps a port up to 65535"),
    "a user in the address": (custom(url="https://a:b@api.example.com"), "write https://"),
    "a header of the connection": (custom(headers={"Host": "inside"}), "none that the connection sets itself"),
    "a header in two lines": (custom(headers={"X-A": "a\r\nb"}), "custom.probe.headers.X-A"),
    "a header's name with a colon": (custom(headers={"X:": "a"}), "none that the connection sets itself"),
    "a body with a null byte": (custom(method="POST", body="a\0"), "custom.probe.body"),
    "a pattern of two lines": (custom({"name": "a", "pattern": "a\nb"}), "custom.parts[0].pattern"),
    "a body without POST": (custom(body="a"), "a body needs method: POST"),
    "HEAD with an answer": (custom(method="HEAD"), "method: HEAD needs answer: Any"),
    "429": (custom(invalid=[429]), "redirects and 429 say nothing"),
    "a redirect": (custom(invalid=[302]), "redirects and 429 say nothing"),
    "a server's error": (custom(invalid=[500]), "custom.probe.invalid[0]"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_right_is_accepted(control_plane: ControlPlane, name: str) -> None:
    assert refusal(control_plane, ACCEPTED[name]) == ""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_by_name(control_plane: ControlPlane, name: str) -> None:
    manifest, said = REFUSED[name]

    assert said in refusal(control_plane, manifest)
