"""What takes copies of the audit trail: a server for webhooks, and S3 as moto has it; both can be made to misbehave.

moto keeps object lock and conditional writes as S3 documents them; it looks at no signature.

Does not belong here: how they misbehave (``vendors/server``).
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import botocore.session
from moto.server import ThreadedMotoServer

from vendors.base import Request, Response
from vendors.server import handed_on


class Collector:
    """A server that takes segments by webhook, each once.

    Attributes:
        token: what must be shown; empty: nothing.
        taken: bodies by their idempotency key, in the order in which they came.
    """

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.taken: dict[str, bytes] = {}

    def answer(self, request: Request) -> Response:
        """Take a segment."""
        key = request.headers.get("idempotency-key", "")
        if request.method != "POST" or not key:
            return Response(405)
        if self.token and request.bearer != self.token:
            return Response(401, {"error": f"not {request.bearer}"})
        if key in self.taken:
            return Response(409)
        self.taken[key] = request.body
        return Response(202)


class Buckets:
    """S3 on loopback.

    Attributes:
        client: the vendor's own client, for what tests arrange and look at.
    """

    def __init__(self) -> None:
        # Each request would be told on stderr.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        self._place = self._server.get_host_and_port()
        self.url = "http://{}:{}".format(*self._place)
        self.client: Any = botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - nobody looks at it
        )

    def close(self) -> None:
        """Listen no more."""
        self._server.stop()

    def make(self, name: str, *, locked: bool) -> None:
        """Make a bucket, with object lock or without."""
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)

    def objects(self, name: str) -> dict[str, bytes]:
        """Return what is in a bucket, by key and in the order of keys."""
        listed = self.client.list_objects_v2(Bucket=name).get("Contents", [])
        keys = sorted(each["Key"] for each in listed)
        return {key: self.client.get_object(Bucket=name, Key=key)["Body"].read() for key in keys}

    def answer(self, request: Request) -> Response:
        """Hand a request on, so that what stands in front may misbehave."""
        return handed_on(self._place, request)


@contextlib.contextmanager
def buckets() -> Iterator[Buckets]:
    """Run S3."""
    # What the SDK finds at home is none of a test's business.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    made = Buckets()
    try:
        yield made
    finally:
        made.close()
