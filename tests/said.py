"""An object that wants one key, and what is said of it when that is not to be had."""

from __future__ import annotations

from typing import Any

from build import api_key_secret, entry

AGAIN = "It is tried again with growing pauses, at most 5 minutes."
UNWRITTEN = f"Its Secret is not written yet. {AGAIN}"
KEPT = f"Secret llm keeps version 1. {AGAIN}"


def wants(name: str = "llm", path: str = "llm/openai", **spec: Any) -> dict[str, Any]:
    """Return an ApiKeySecret that wants one key."""
    return api_key_secret(name, entry("OPENAI_API_KEY", path, "api_key"), **spec)
