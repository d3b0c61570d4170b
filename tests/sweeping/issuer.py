"""An issuer that answers as OpenAI's does, remembers when each key was made, accepted and ended, and has moods.

Does not belong here: what is done to it when (``points``), what follows from the times (``watching``).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping

from vendors import VendorServer
from vendors.base import Made, Request, Response, State
from vendors.openai import OpenAI, _error


@dataclasses.dataclass(slots=True)
class Life:
    """The life of a key, by ``time.monotonic()``.

    Attributes:
        passed: when it was accepted for the first time that somebody asked; None: nobody was told so.
        ended: when it was revoked; None: it was not.
    """

    made: float
    passed: float | None = None
    ended: float | None = None


class Issuer(OpenAI):
    """Remembers.

    Attributes:
        unknown_for: seconds for which a new key is refused.
        known_for: seconds for which a revoked one is still accepted.
        cap: how many keys there may be; None: any number.
        hides: so many of the next keys are not listed.
        hidden: names of those that are not.
    """

    page = 100
    unknown_for, known_for = 0.0, 0.0
    cap: int | None = None
    hides = 0

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()
        self.lives: dict[str, Life] = {}

    def make(self, handle: str, name: str, kind: str) -> Made:
        """Make a key."""
        made = super().make(handle, name, kind)
        if self.hides:
            self.hides -= 1
            self.hidden.add(handle)
        self.lives[made.parts["apiKey"]] = Life(time.monotonic())
        return made

    def end(self, handle: str) -> bool:
        """Revoke a key: it counts as dead before anybody is told so."""
        if handle in self.made:
            self.lives[self.made[handle].parts["apiKey"]].ended = time.monotonic()
        return super().end(handle)

    def state(self, mark: str) -> State:
        """Return how a key is, as far as everybody has heard."""
        life, now = self.lives.get(mark), time.monotonic()
        if life and life.ended is not None:
            return "valid" if now < life.ended + self.known_for else "invalid"
        return "invalid" if life and now < life.made + self.unknown_for else super().state(mark)

    def answer(self, request: Request) -> Response:
        """Answer, and remember which keys were accepted."""
        answer = super().answer(request)
        life = self.lives.get(request.bearer)
        if life and answer.status == 200 and life.passed is None:
            life.passed = time.monotonic()
        return answer

    def _list(self, asked: Mapping[str, str]) -> Response:
        answer = super()._list(asked)
        shown = [each for each in answer.body["data"] if each["id"] not in self.hidden]
        return dataclasses.replace(answer, body={**answer.body, "data": shown})

    def _allowed(self, request: Request) -> Response:
        if request.method == "POST" and self.cap is not None and len(self.made) >= self.cap:
            return Response(400, _error("There are as many keys as may be", "invalid_request_error", None))
        return super()._allowed(request)


class TouchyServer(VendorServer):
    """Has its mood at one request, then is itself again.

    Attributes:
        touches: at which; None: at every one.
    """

    touches: Callable[[Request], bool] | None = None

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        super().__init__(issuer)

    def respond(self, request: Request) -> Response | None:
        """Answer."""
        if self.touches and self.mood != "documented":
            if not self.touches(request):
                self.requests.append(request)
                return self.issuer.answer(request)
            response = super().respond(request)
            self.mood = "documented"
            return response
        return super().respond(request)
