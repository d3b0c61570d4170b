"""Amazon Bedrock, after its API reference and user guide: lists of models, asked for with API keys.

Does not belong here: models, signed requests.
"""

from __future__ import annotations

import base64
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from .base import ALNUM, Request, Response, Vendor, word


class Bedrock(Vendor):
    """Knows keys by their text."""

    name = "bedrock"

    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a key of each kind."""
        name = f"BedrockAPIKey-{word(4)}-at-{word(12, '0123456789')}"
        return {
            "long-term key": {"apiKey": "ABSK" + base64.b64encode(f"{name}:{word(60)}".encode()).decode()},
            "short-term key": {"apiKey": short_term()},
        }

    def mark(self, parts: Mapping[str, str]) -> str:
        """Return the key."""
        return parts["apiKey"]

    def answer(self, request: Request) -> Response:
        """Answer the list of models."""
        if request.path != "/foundation-models" or request.method != "GET":
            return Response(404, {"message": "Not found"})
        if self.ends.get(request.bearer):
            return Response(403, {"Message": "Bearer Token has expired"})
        match self.state(request.bearer):
            case "valid":
                return Response(200, {"modelSummaries": []})
            case "limited":
                told = "arn:aws:iam::123456789012:user/ci is not authorized to perform: bedrock:ListFoundationModels"
                return Response(403, {"message": f"User: {told} because no identity-based policy allows the action"})
        return Response(403, {"Message": "Authentication failed: Please make sure your API Key is valid."})


def short_term(made: float | None = None, region: str = "us-east-1", **other: str) -> str:
    """Make a short-term key as aws-bedrock-token-generator does: a presigned request in Base64.

    Args:
        made: seconds since the epoch; None for now.
        region: for which it is good.
        other: parameters that it shall have instead, with ``_`` for ``-``.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(made))
    query: dict[str, Any] = {
        "Action": "CallWithBearerToken",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"ASIA{word(16)}/{stamp[:8]}/{region}/bedrock/aws4_request",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "43200",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Security-Token": word(300, ALNUM + "+/"),
        "X-Amz-Signature": word(64, "0123456789abcdef"),
    } | {name.replace("_", "-"): value for name, value in other.items()}
    url = f"bedrock.amazonaws.com/?{urllib.parse.urlencode(query)}&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()
