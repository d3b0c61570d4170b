"""S3 for the sinks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from receivers import Buckets, buckets


@pytest.fixture(scope="session")
def s3() -> Iterator[Buckets]:
    """S3 on loopback."""
    with buckets() as made:
        yield made
