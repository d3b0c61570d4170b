"""A client that calls an API with the key from a file, which it reads anew for each call, and counts what comes of it.

It knows nothing of Keywright, and tries nothing twice: a call that fails has failed.

Does not belong here: who keeps the file (``mounted``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import pathlib
import threading
import time
import urllib.parse
from collections.abc import Iterator

#: Seconds between two calls, and for which an answer is waited for.
_PAUSE, _PATIENCE = 0.04, 30.0


@dataclasses.dataclass(slots=True)
class Count:
    """What came of the calls.

    Attributes:
        keys: how many keys were used, one after the other.
        why: what the first call that failed came to.
        lasted: seconds from the beginning to the last call.
    """

    calls: int = 0
    failed: int = 0
    keys: int = 0
    why: str = ""
    lasted: float = 0.0


class Client:
    """Calls, one call after the other.

    Args:
        file: holds the key.
        url: where the API is.
    """

    def __init__(self, file: pathlib.Path, url: str) -> None:
        self._file, self._place = file, urllib.parse.urlsplit(url).netloc
        self._ended, self._key = threading.Event(), ""
        self.count = Count()

    @contextlib.contextmanager
    def hammering(self) -> Iterator[Count]:
        """Call meanwhile."""
        thread = threading.Thread(target=self._run, name="client", daemon=True)
        thread.start()
        try:
            yield self.count
        finally:
            self._ended.set()
            thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._place, timeout=_PATIENCE)
        started = time.monotonic()
        with contextlib.closing(connection):
            while not self._ended.wait(_PAUSE):
                said = self._call(connection)
                self.count.calls += 1
                self.count.lasted = time.monotonic() - started
                if said != "200":
                    self.count.failed += 1
                    first = f"call {self.count.calls}, after {self.count.lasted:.1f} s, came to {said}"
                    self.count.why = self.count.why or first

    def _call(self, connection: http.client.HTTPConnection) -> str:
        """Call once; return the status of the answer, or what kept it away."""
        try:
            key = self._file.read_text()
            self.count.keys += key != self._key
            self._key = key
            connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__
        return str(answer.status)
