"""What people ask of one rotation, by KeyActions, until it has come to something.

What is asked lives in the KeyAction; whoever leads next is asked again, under the same id.

Does not belong here: KeyActions (``actions``), what follows (``decide/rotate``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Sequence

from ... import errors, pacing
from ...decide import act
from ...decide.rotate import fate, told
from ...decide.rotate.journal import Cause, Debt, Journal, Step
from ...decide.rotate.owed import made, meant
from ...decide.rotate.sight import Wish
from ...errors import Reason
from ..act_on import Asked

#: What begins a rotation; what changes the journal at once.
BEGINS = frozenset({"Rotate", "Reissue"})
AT_ONCE = frozenset({"Pin", "Unpin", "RetryDebts", "ForgetDebt"})
#: Seconds by which the clocks of two machines may differ, and by which objects tell when they were made.
SKEW, A_SECOND = 60.0, 1.0
#: What is told of a rotation that turned back; of the old key where there is none.
_TURNED = "The rotation turned back."
_NO_OLD = "There was no key before, so the new one stays."
#: Steps at which there is an old key to turn back to, or to end; those on the way back.
_SPREAD = frozenset({Step.STORED, Step.WRITTEN, Step.ADOPTED, Step.GRACE})
_BACK = frozenset({Step.ROLLING_BACK, Step.ROLLED_BACK})


@dataclasses.dataclass(frozen=True, slots=True)
class Begin:
    """A rotation that somebody asks for.

    Attributes:
        id: of it; whoever leads next finds it in the journal.
        take_over: whether the mark of another install is taken over.
    """

    id: str
    urgent: bool
    test_only: bool
    cause: Cause = Cause.ASKED
    take_over: bool = False


@dataclasses.dataclass(slots=True)
class _Order:
    asked: Asked
    told: asyncio.Future[act.Ended]
    #: The rotation that it is about, once that is known.
    about: str = ""
    #: The journal of that rotation, as it was seen under way last.
    seen: Journal | None = None
    #: Whether it is about the new key of a rotation that turns back.
    turning: bool = False
    #: Whether it begins once a rotation that turns back has ended, and nobody waits for that one's overlap.
    presses: bool = False
    #: Whether the journal was made to say what is asked.
    heeded: bool = False
    #: Of a debt without a handle that is to be forgotten: which one that is, or why none is, as it was found first.
    debt: Debt | None = None
    unmet: str = ""

    def forgotten(self, debts: Sequence[Debt]) -> tuple[Debt, ...]:
        """Return what is owed without the debt that is to be forgotten; asked again, no other one is."""
        if self.asked.debt:
            return tuple(each for each in debts if each.handle != self.asked.debt)
        if self.debt is None and not self.unmet:
            self.unmet = unmet(debts, self.asked)
            self.debt = None if self.unmet else meant(debts, self.asked.debt, self.asked.made_from)[0]
        return tuple(each for each in debts if each != self.debt)


class Orders:
    """What is asked of one rotation and has come to nothing yet."""

    def __init__(self) -> None:
        self._orders: dict[str, _Order] = {}

    def __bool__(self) -> bool:
        return bool(self._orders)

    def add(self, asked: Asked) -> asyncio.Future[act.Ended]:
        """Take an order; the future tells what came of it. One that is known already is not taken twice."""
        known = self._orders.get(asked.uid)
        if known is None:
            future: asyncio.Future[act.Ended] = asyncio.get_running_loop().create_future()
            known = self._orders[asked.uid] = _Order(asked, future)
        return known.told

    @property
    def wish(self) -> Wish:
        """What is asked of the rotation that is under way."""
        wanted = {each.asked.action for each in self._orders.values() if each.about}
        presses = any(each.presses for each in self._orders.values())
        return Wish(back="Rollback" in wanted, now=presses or "RevokeNow" in wanted)

    @property
    def needs_journal(self) -> bool:
        """Whether something is asked that a journal has to remember."""
        return any(each.asked.action == "Pin" for each in self._orders.values())

    def wanted(self, journal: Journal | None) -> Begin | None:
        """Return the rotation that is asked for and was not begun yet."""
        for each in self._orders.values():
            if each.asked.action in BEGINS and (journal is None or not _is_of(journal, each.asked)):
                urgent, over = each.asked.action == "Reissue", each.asked.take_over
                # By another name each time: where the journal was lost, the key of that name is in use perhaps.
                name = f"kw-{each.asked.uid}-{random.getrandbits(32):08x}"
                return Begin(name, urgent, each.asked.test_only, take_over=over)
        return None

    def journal(self, journal: Journal, now: float) -> Journal | None:
        """Return the journal as people want it, which is to be written; None if that is how it is."""
        wanted = journal
        for each in self._orders.values():
            asked, each.heeded = each.asked, True
            if asked.action in ("Pin", "Unpin"):
                wanted = wanted.but(pinned=asked.action == "Pin")
            elif asked.action == "RetryDebts":
                due = tuple(dataclasses.replace(debt, due=min(debt.due, now)) for debt in wanted.debts)
                wanted = wanted.but(debts=due)
            elif asked.action == "ForgetDebt":
                wanted = wanted.but(debts=each.forgotten(wanted.debts))
        return None if wanted == journal else wanted

    def settle(self, journal: Journal | None, failed: errors.Error | None = None) -> None:
        """Tell those whose orders have come to something, as the journal has it.

        Args:
            failed: why no key was made, or none written to the store; None: it was, or that is not known any more.
        """
        for uid, order in list(self._orders.items()):
            if ended := _ended(order, journal, failed):
                self._tell(uid, ended)

    def withdraw(self, uid: str) -> None:
        """Forget an order that nobody gives any more."""
        if uid in self._orders:
            self._tell(uid, none("It was deleted."))

    def settle_refused(self, error: errors.Error) -> None:
        """Tell those who want a rotation to begin that it cannot, as a person must change something first."""
        if isinstance(error, errors.Stalled):
            for uid, order in list(self._orders.items()):
                if order.asked.action in BEGINS and not order.about:
                    self._tell(uid, act.failed(error))

    def cancel(self, name: str) -> None:
        """Tell everybody that nobody rotates the credential any more."""
        for uid in list(self._orders):
            self._tell(uid, none(f"Credential {name} is not rotated any more."))

    def _tell(self, uid: str, ended: act.Ended) -> None:
        order = self._orders.pop(uid)
        if not order.told.done():
            order.told.set_result(ended)


def none(said: str) -> act.Ended:
    """Return that there is no rotation that it could be about.

    Args:
        said: why, as a sentence.
    """
    return act.Ended(Reason.NO_ROTATION, said)


def unmet(debts: Sequence[Debt], asked: Asked) -> str:
    """Return why none of these debts is forgotten, as sentences; empty where it is known which one is meant."""
    found = meant(debts, asked.debt, asked.made_from)
    if not found:
        return "There is no such debt; `keywright debts list` shows what there is."
    if asked.debt or len(found) == 1:
        return ""
    times = ", ".join(pacing.rfc3339(made(each)) for each in found)
    return f"{len(found)} debts have no handle: say by madeFrom which one is settled: {times}."


def _is_of(journal: Journal, asked: Asked) -> bool:
    """Whether a journal is of the rotation that was begun because of this."""
    name = f"kw-{asked.uid}"
    return journal.id == name or journal.id.startswith(f"{name}-")


def _ended(order: _Order, journal: Journal | None, failed: errors.Error | None) -> act.Ended | None:
    action = order.asked.action
    if action in AT_ONCE and journal is None:
        # There will be one to remember a pin.
        return None if action == "Pin" else none("Nothing is remembered of a rotation.")
    if action in AT_ONCE:
        if order.unmet:
            return none(order.unmet)
        # What was asked during a look is not noted yet.
        return act.Ended(Reason.DONE, "It is noted.") if order.heeded else None
    if action in BEGINS:
        return _begun(order, journal, failed)
    return _turned(order, journal)


def _begun(order: _Order, journal: Journal | None, failed: errors.Error | None) -> act.Ended | None:
    if journal is None or not _is_of(journal, order.asked):
        return _another(order, journal)
    order.about, order.presses = journal.id, False
    if journal.step is Step.IDLE:
        return _come_to(order, journal, failed)
    order.seen = journal
    if journal.step is not Step.GRACE or journal.urgent or journal.old is None:
        return None
    return act.Ended(Reason.DONE, "The new key is in place; the old one works until the overlap is over.")


def _another(order: _Order, journal: Journal | None) -> act.Ended | None:
    """Return what is told while no rotation is there that was begun because of this."""
    step = journal.step if journal else Step.IDLE
    if journal is None or step is Step.IDLE:
        order.presses = False
        return none("It was begun, and nothing is remembered of it.") if order.about else None
    back = step is Step.ROLLING_BACK
    # The old key is to be replaced, which is in place: that it is once more need not be waited for.
    order.presses = order.asked.action == "Reissue" and back and (order.presses or journal.back_from > 0)
    if order.presses or step is Step.ROLLED_BACK:
        return None
    if not (back and journal.back_from):
        return act.Ended(Reason.ROTATING, "Another rotation of this credential is under way.")
    said = (
        "Another rotation of this credential has turned back, and its new key works until "
        f"{pacing.rfc3339(journal.until)}, for who has it elsewhere. `keywright revoke`, `keywright rotate --reissue`"
        " or a shorter rotation.overlap ends that."
    )
    return act.Ended(Reason.ROTATING, said)


def _come_to(order: _Order, journal: Journal, failed: errors.Error | None) -> act.Ended:
    """Return what a rotation has come to, for who had it begun."""
    outcome = (told.last(journal) or {}).get("outcome")
    if outcome == "RolledBack":
        why = told.turned_back(journal, failed)
        return act.Ended(Reason.ROLLED_BACK, f"The rotation turned back. {why}".strip())
    if outcome == "Tested":
        said = f"A new key was made, and passed its tests. {fate.of_tested(journal, order.seen)}"
        return act.Ended(Reason.DONE, said.strip())
    old = fate.of_old(journal, order.seen)
    # Who wants the old key dead does not have that before it is.
    code = old.code if order.asked.action == "Reissue" else Reason.DONE
    return act.Ended(code, f"The new key is in place. {old.said}")


def _turned(order: _Order, journal: Journal | None) -> act.Ended | None:
    if journal and not order.about and journal.step is Step.IDLE and 0 < order.asked.at <= journal.since - A_SECOND:
        # It ended after that was asked, and whoever led has died before it could tell.
        order.about = journal.id
    if journal is None or (not order.about and journal.step is Step.IDLE):
        return none("No rotation of this credential is under way.")
    back = order.asked.action == "Rollback"
    if not order.about:
        if 0 < order.asked.at < journal.began - SKEW:
            # Asked for before a crash, of the rotation before.
            return none("The rotation that it was asked of has ended.")
        if why := _too_late(journal) if back else _too_early(journal):
            return none(why)
        order.about, order.turning = journal.id, journal.step in _BACK
    if journal.step is not Step.IDLE:
        order.seen = journal
        return _back_in_place(journal) if back else None
    return _turned_back(order, journal) if back else _ended_now(order, journal)


def _turned_back(order: _Order, journal: Journal) -> act.Ended:
    """Return what has come of turning back."""
    if journal.why is None:
        return none("It had ended before.")
    if order.seen is None:
        return act.Ended(Reason.DONE, _TURNED)
    if order.seen.old is None:
        return none(_NO_OLD) if fate.stays(journal, order.seen) else act.Ended(Reason.DONE, _TURNED)
    if fate.replaced(journal, order.seen):
        said = "The rotation turned back, and the store has another key than the old one."
        return act.Ended(Reason.ROLLED_BACK, f"{said} {fate.of_old(journal, order.seen).said}")
    return act.Ended(Reason.DONE, "The old key is in place.")


def _ended_now(order: _Order, journal: Journal) -> act.Ended:
    """Return what has come of the key that was to end at once."""
    if journal.why is None:
        ended = fate.of_old(journal, order.seen)
    elif order.turning:
        ended = fate.of_new(journal, order.seen)
    else:
        ended = fate.Fate(Reason.ROLLED_BACK, _TURNED)
    return act.Ended(ended.code, ended.said)


def _back_in_place(journal: Journal) -> act.Ended | None:
    """Return that all is as it was, but for the new key, which need not be waited for."""
    if journal.step is not Step.ROLLING_BACK or not journal.back_from:
        return None
    said = (
        f"The old key is in place; the new one works until {pacing.rfc3339(journal.until)}, for who has it elsewhere."
    )
    return act.Ended(Reason.DONE, said)


def _too_late(journal: Journal) -> str:
    if journal.old is None and journal.step in _SPREAD:
        return _NO_OLD
    dead = journal.one_way or journal.old_may_be_dead
    return "The old key is dead, or may be: there is no way back." if dead else ""


def _too_early(journal: Journal) -> str:
    if journal.step in _BACK:
        said = "The rotation turns back, so the old key stays; the new one ends once rotation.overlap is over."
        return "" if journal.back_from else f"{said} Once the old key is in place, ask again to end it before."
    if journal.step not in (*_SPREAD, Step.REVOKED):
        return "The new key is not in the store yet, so the old one cannot end."
    return "" if journal.old else _NO_OLD
