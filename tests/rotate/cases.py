# ruff: noqa: E501 - a table is read by its columns
"""What is done at each step, by what is seen: one line a case.

Does not belong here: what must hold however cases follow each other (``test_world.py``).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from keywright.decide.rotate.journal import Debt, Half, Journal, Owed, Step, Why
from keywright.decide.rotate.moves import Do, Go, Move, Wait
from keywright.decide.rotate.sight import Has, Holds, Keys, Rules, Seen, Targets, Trial, Users, Wish
from keywright.issuers.base import Verdict
from keywright.issuing.base import Way

NOW = 1_000_000.0
OLD, NEW = Half("old", "k0"), Half("new", "k1")
GOOD = Trial(Verdict.VALID, 3, 10.0, Verdict.VALID, 3, NOW)
ONCE = Trial(Verdict.VALID, 1, 0.0, Verdict.VALID, 1, NOW)
BAD = Trial(Verdict.INVALID, 0, 600.0, Verdict.INVALID, 9, NOW)
OLDER = dataclasses.replace(GOOD, at=NOW - 901)
REFUSED = Trial(Verdict.UNKNOWN, 0, 0.0, Verdict.INVALID, 9, NOW)
SILENT = Trial(Verdict.UNKNOWN, tries=9)
NAMELESS = Rules(names=False)
RULES, SLOTS, LOCAL, MANUAL = Rules(), Rules(way=Way.SLOTS), Rules(way=Way.LOCAL, tests=False), Rules(way=Way.MANUAL)
#: One that nobody can revoke, and one that is revoked, and lives longer where that is asked for.
MINTED = Rules(way=Way.MINTED, lists=False, revokes=False)
LEASED = Rules(way=Way.MINTED, lists=False, renews=True)
KEYS = Keys(frozenset({"k0"}))
#: All is well: the new key is in the store and in every Secret, and everybody uses it.
WELL = Seen(KEYS, Holds.NEW, NEW, Targets(new=2), Has.NEW, Users(3, 0), GOOD, GOOD)
#: All is back: the same with the old key.
BACK = dataclasses.replace(WELL, store=Holds.OLD, held=OLD, targets=Targets(old=2), own=Has.OLD)
#: The same with a key that somebody else has written.
THEIRS = dataclasses.replace(
    BACK, store=Holds.OTHER, held=Half("theirs"), targets=Targets(), own=Has.NOTHING, theirs=GOOD
)
UNTESTED = Rules(tests=False)
DAY = 86400.0
LONG = 10 * DAY
#: On the way back, nine seconds after the last one was seen to have the new key.
ELSEWHERE: dict[str, Any] = {"back_from": NOW - 9, "until": NOW - 9 + DAY}
#: The old one, switched off.
OFF = dataclasses.replace(OLD, disabled=True)
#: The same, ten seconds ago.
WATCHED = dataclasses.replace(OFF, off_from=NOW - 10)


def lives(half: Half, left: float, life: float = 3600.0) -> Half:
    """Return a key of a life of an hour, of which so many seconds are left."""
    return dataclasses.replace(half, lives_from=NOW + left - life, lives_until=NOW + left)


#: The new one is fresh, and so is what is in use; the old one has ended, or most of the new one's life is over.
FRESH: dict[str, Any] = {"new": lives(NEW, 3000), "old": lives(OLD, 600)}
OVER: dict[str, Any] = FRESH | {"old": lives(OLD, 0)}
WORN: dict[str, Any] = FRESH | {"new": lives(NEW, 1200)}
IN_USE = lives(OLD, 3000)


def at(step: Step, *, since: float | None = None, **more: object) -> Journal:
    """Return a journal at a step, so many seconds after it was reached; on the way back, long enough by default, and as
    the overlap is over.
    """
    since = (100.0 if step is Step.ROLLING_BACK else 0.0) if since is None else since
    reached = step if step not in (Step.ROLLING_BACK, Step.ROLLED_BACK) else Step.WRITTEN
    fields: dict[str, object] = {"old": OLD, "before": frozenset({"k0"}), "reached": reached}
    if step is Step.ROLLING_BACK:
        fields["back_from"] = NOW - DAY
    if step not in (Step.ISSUING, Step.IDLE):
        fields["new"] = NEW
    return dataclasses.replace(Journal("r1", step, NOW - since), **{**fields, **more})  # type: ignore[arg-type]


def seen(of: Seen = WELL, **more: object) -> Seen:
    """Return what is seen, with changes."""
    return dataclasses.replace(of, **more)  # type: ignore[arg-type]


def short(move: Move) -> str:
    """Return a move as a few words."""
    match move:
        case Do(effect, handle):
            return f"{effect} {handle}".strip()
        case Go(journal):
            return f"{journal.step} {journal.why or ''}".strip()
        case Wait(_, why, asks):
            return f"wait {why or ''}{'!' if asks else ''}".strip()
    return "end"


BEFORE = Seen(KEYS, Holds.OLD, OLD)
CASES: list[tuple[str, Rules, Journal, Seen, str]] = [
    # Issuing.
    ("a key is asked for", RULES, at(Step.ISSUING), BEFORE, "issue"),
    ("what there is is remembered first", RULES, at(Step.ISSUING, before=None), BEFORE, "Issuing"),
    ("what another rotates is left alone", RULES, at(Step.ISSUING), seen(BEFORE, ours=False), "RollingBack RotationOwnedElsewhere"),
    ("nobody wants it any more", RULES, at(Step.ISSUING), seen(BEFORE, wish=Wish(gone=True)), "RollingBack ObjectGone"),
    ("somebody turns it back", RULES, at(Step.ISSUING), seen(BEFORE, wish=Wish(back=True)), "RollingBack Asked"),
    ("the store has another key", RULES, at(Step.ISSUING), seen(BEFORE, store=Holds.OTHER), "RollingBack StoreChanged"),
    ("the store is silent", RULES, at(Step.ISSUING), seen(BEFORE, store=None), "wait StoreSilent"),
    ("the list is not known", RULES, at(Step.ISSUING), seen(BEFORE, keys=None), "wait"),
    ("the store is silent for long, and nothing is made", RULES, at(Step.ISSUING, since=901), seen(BEFORE, store=None), "RollingBack StoreSilent"),
    ("both are silent for long", RULES, at(Step.ISSUING, since=901), seen(BEFORE, store=None, keys=None), "RollingBack StoreSilent"),
    ("the list is not known for long", RULES, at(Step.ISSUING, since=901), seen(BEFORE, keys=None), "RollingBack IssueUnclear"),
    ("it is not known for long if a key was made", RULES, at(Step.ISSUING, since=901, asked_at=NOW - 61), BEFORE, "RollingBack IssueUnclear"),
    ("the store was silent for long, and the issuer was not asked yet", RULES, at(Step.ISSUING, since=901), BEFORE, "issue"),
    ("an orphan goes first", RULES, at(Step.ISSUING, asked_at=NOW), seen(BEFORE, keys=Keys(frozenset({"k0", "kx"}), frozenset({"kx"}))), "revoke kx"),
    ("a lost answer is waited for", RULES, at(Step.ISSUING, asked_at=NOW - 59), BEFORE, "wait"),
    ("a lost answer was none", RULES, at(Step.ISSUING, asked_at=NOW - 61), BEFORE, "issue"),
    ("two of two slots are taken", Rules(slots=2), at(Step.ISSUING), seen(BEFORE, keys=Keys(frozenset({"k0", "theirs"}))), "RollingBack SlotsFull"),
    ("one of them is owed", Rules(slots=2), at(Step.ISSUING, debts=(Debt(Owed.REVOKE, "kd", "", 0.0),)), seen(BEFORE, keys=Keys(frozenset({"k0", "kd"}))), "revoke kd"),
    ("the other slot is made anew", SLOTS, at(Step.ISSUING, asked_at=NOW), BEFORE, "issue"),
    ("no slot is known to be free", SLOTS, at(Step.ISSUING, old=Half("old")), BEFORE, "wait SlotUnknown!"),
    ("no slot is known to be free for long", SLOTS, at(Step.ISSUING, since=LONG, old=Half("old")), BEFORE, "wait SlotUnknown!"),
    ("a slot is kept for somebody", SLOTS, at(Step.ISSUING, debts=(Debt(Owed.KEEP, "k1", "kept", 0.0),)), BEFORE, "wait SlotUnknown!"),
    ("a lost answer that cannot be found", Rules(lists=False), at(Step.ISSUING, asked_at=NOW), BEFORE, "RollingBack IssueUnclear"),
    ("asked for tomorrow: the clock was put back", RULES, at(Step.ISSUING, asked_at=NOW + 1), BEFORE, "Issuing"),
    ("another issuer", Rules(issuer="b"), at(Step.ISSUING, issuer="a"), BEFORE, "wait IssuerChanged!"),
    ("one of them is owed, and pods have it", Rules(slots=2), at(Step.ISSUING, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(BEFORE, keys=Keys(frozenset({"k0", "kd"})), users=Users(3, 1)), "RollingBack SlotsFull"),
    ("one of them is owed and in use", Rules(slots=2), at(Step.ISSUING, debts=(Debt(Owed.REVOKE, "k0", "old", 0.0),)), seen(BEFORE, keys=Keys(frozenset({"k0", "kx"}))), "RollingBack SlotsFull"),
    ("it is made here", LOCAL, at(Step.ISSUING), seen(BEFORE, keys=None), "issue"),
    ("a person has to make it", MANUAL, at(Step.ISSUING, since=LONG), BEFORE, "wait WaitsForNewKey!"),
    ("a person has made it", MANUAL, at(Step.ISSUING), seen(BEFORE, store=Holds.OTHER, held=NEW), "Held"),
    ("a first key", RULES, at(Step.ISSUING, old=None), Seen(Keys(frozenset()), Holds.NOTHING), "issue"),
    ("a first key where there is one", RULES, at(Step.ISSUING, old=None), BEFORE, "RollingBack StoreChanged"),
    # Held.
    ("the old key once more", RULES, at(Step.HELD, new=Half("old", "k1")), seen(), "RollingBack SameKey"),
    ("it passed", RULES, at(Step.HELD), seen(), "Tested"),
    ("it passed once", RULES, at(Step.HELD), seen(new=ONCE), "wait"),
    ("more was not asked for", RULES, at(Step.HELD, test_only=True), seen(), "RollingBack TestOnly"),
    ("it is refused at first", RULES, at(Step.HELD, since=800), seen(new=REFUSED), "wait"),
    ("it is refused for long", RULES, at(Step.HELD, since=901), seen(new=REFUSED), "RollingBack TestFailed"),
    ("nobody says for long", RULES, at(Step.HELD, since=901), seen(new=SILENT), "RollingBack TestUnclear"),
    ("nobody has tried yet", RULES, at(Step.HELD, since=LONG), seen(new=ONCE), "wait TestUnclear!"),
    ("nobody can be asked", LOCAL, at(Step.HELD), seen(new=None), "Tested"),
    ("nobody can be asked, and it is new", Rules(tests=False), at(Step.HELD, since=59), seen(new=None), "wait"),
    ("nobody can be asked, and it is known by now", Rules(tests=False), at(Step.HELD, since=60), seen(new=None), "Tested"),
    ("nobody can be asked, only a test was", LOCAL, at(Step.HELD, test_only=True), seen(new=None), "RollingBack TestOnly"),
    # Tested.
    ("the store gets it", RULES, at(Step.TESTED), seen(store=Holds.OLD), "storeNew"),
    ("the store did not take it yet", RULES, at(Step.TESTED, since=3599, tries=9), seen(store=Holds.OLD), "storeNew"),
    ("it does not take it in time", RULES, at(Step.TESTED, since=3601, tries=9), seen(store=Holds.OLD), "RollingBack StoreRefused"),
    ("nobody was there to write it", RULES, at(Step.TESTED, since=3601), seen(store=Holds.OLD), "storeNew"),
    ("a first key is not taken in time", RULES, at(Step.TESTED, since=3601, tries=9, old=None), seen(store=Holds.NOTHING), "RollingBack StoreRefused"),
    ("the store has it", RULES, at(Step.TESTED), seen(), "Stored"),
    ("the store has a third", RULES, at(Step.TESTED), seen(store=Holds.OTHER), "RollingBack StoreChanged"),
    ("the store is silent for a while", RULES, at(Step.TESTED), seen(store=None), "wait"),
    ("the store is silent for long", RULES, at(Step.TESTED, since=3601), seen(store=None), "RollingBack StoreSilent"),
    ("nobody says now that it works", RULES, at(Step.TESTED), seen(store=Holds.OLD, new=SILENT), "wait"),
    ("nobody does for long", RULES, at(Step.TESTED, since=901), seen(store=Holds.OLD, new=OLDER), "RollingBack TestUnclear"),
    ("it is condemned", RULES, at(Step.TESTED), seen(store=Holds.OLD, new=dataclasses.replace(BAD, last=Verdict.UNKNOWN)), "Held"),
    ("it is refused after all", RULES, at(Step.TESTED), seen(store=Holds.OLD, new=REFUSED), "Held"),
    # Stored.
    ("a Secret has the old one", RULES, at(Step.STORED), seen(targets=Targets(old=1, new=1)), "wait"),
    ("of a Secret it is not known", RULES, at(Step.STORED), seen(targets=Targets(new=1, unknown=1)), "wait"),
    ("all that are known have neither", RULES, at(Step.STORED), seen(targets=Targets()), "wait"),
    ("a Secret is not written for long", RULES, at(Step.STORED, since=3601), seen(targets=Targets(old=1, new=1)), "wait TargetNotWritten!"),
    ("no Secret is written for long", RULES, at(Step.STORED, since=3601), seen(targets=Targets(old=2)), "RollingBack TargetNotWritten"),
    ("all have it", RULES, at(Step.STORED), seen(), "Written"),
    ("nobody knows who reads it", RULES, at(Step.STORED), seen(targets=None), "wait ReadersUnknown"),
    ("nobody knows for long", RULES, at(Step.STORED, since=3601), seen(targets=None), "wait ReadersUnknown!"),
    ("another Secret is not waited for", RULES, at(Step.STORED, urgent=True), seen(targets=Targets(old=1, new=1)), "Written"),
    ("nor where somebody asks for that", RULES, at(Step.STORED), seen(targets=Targets(old=1, new=1), wish=Wish(now=True)), "Written"),
    ("nor one that nobody knows of", RULES, at(Step.STORED, urgent=True), seen(targets=None), "Written"),
    ("its own is waited for", RULES, at(Step.STORED, urgent=True), seen(targets=Targets(old=1, new=1), own=Has.OLD), "wait"),
    ("and no other", RULES, at(Step.STORED, urgent=True), seen(targets=Targets(old=1, new=1), own=Has.UNKNOWN), "wait"),
    ("a backup was restored", RULES, at(Step.STORED), seen(store=Holds.OLD), "Tested"),
    ("it died", RULES, at(Step.STORED), seen(new=BAD), "RollingBack NewKeyInvalid"),
    ("one refusal is none", RULES, at(Step.STORED), seen(new=REFUSED), "Written"),
    ("its object went", RULES, at(Step.STORED), seen(wish=Wish(gone=True)), "Idle"),
    # Written.
    ("everybody uses it", RULES, at(Step.WRITTEN), seen(), "Adopted"),
    ("somebody is late", RULES, at(Step.WRITTEN), seen(users=Users(3, 1)), "wait NotAdopted"),
    ("somebody is late for as long as is wanted by now", Rules(adopt_within=60.0), at(Step.WRITTEN, since=61), seen(users=Users(3, 1)), "wait NotAdopted!"),
    ("somebody is late for long", RULES, at(Step.WRITTEN, since=LONG), seen(users=Users(3, 1)), "wait NotAdopted!"),
    ("nobody is known for long", RULES, at(Step.WRITTEN, since=LONG), seen(users=Users(0, 0)), "wait NoConsumers!"),
    ("nobody need be known", Rules(needs_users=False), at(Step.WRITTEN), seen(users=Users(0, 0)), "Adopted"),
    ("who is late is not waited for", RULES, at(Step.WRITTEN, urgent=True), seen(users=Users(3, 1)), "Grace"),
    ("nor where somebody asks for that", RULES, at(Step.WRITTEN), seen(users=Users(3, 1), wish=Wish(now=True)), "Grace"),
    ("it is written over", RULES, at(Step.WRITTEN), seen(store=Holds.OTHER), "RollingBack StoreChanged"),
    # Grace.
    ("the old key is left", RULES, at(Step.ADOPTED), seen(), "Grace"),
    ("for a while", RULES, at(Step.GRACE, until=NOW + DAY), seen(), "wait"),
    ("for longer, as is wanted by now", Rules(overlap=9 * DAY), at(Step.GRACE, until=NOW + DAY), seen(), "Grace"),
    ("for less, as is wanted by now", Rules(overlap=9.0), at(Step.GRACE, since=10, until=NOW + DAY), seen(), "Grace"),
    ("as long as when it began", Rules(overlap=9.0, anew=False), at(Step.GRACE, since=10, until=NOW + DAY), seen(), "wait"),
    ("not where nobody is waited for", RULES, at(Step.GRACE, until=NOW - 1, urgent=True), seen(), "revoke k0"),
    ("not once it may be dead", RULES, at(Step.GRACE, until=NOW - 1, old=Half("old", "k0", ending=True)), seen(), "revoke k0"),
    ("off, and watched for longer", Rules(disables=True, observe=99.0), at(Step.GRACE, since=LONG, until=NOW + 9, old=WATCHED), seen(), "Grace"),
    ("off, and watched for less", Rules(disables=True, observe=1.0), at(Step.GRACE, since=LONG, until=NOW + 9, old=WATCHED), seen(), "Grace"),
    ("off, and watched", Rules(disables=True, observe=19.0), at(Step.GRACE, since=LONG, until=NOW + 9, old=WATCHED), seen(), "wait"),
    ("off, by an earlier version", Rules(disables=True), at(Step.GRACE, since=LONG, until=NOW + 9, old=OFF), seen(), "wait"),
    ("unless that is not wanted", RULES, at(Step.GRACE, until=NOW + 10), seen(wish=Wish(now=True)), "Grace"),
    ("then it ends", RULES, at(Step.GRACE), seen(), "revoke k0"),
    ("it is switched off first", Rules(disables=True), at(Step.GRACE), seen(), "disable k0"),
    ("unless that was refused", Rules(disables=True), at(Step.GRACE, straight=True), seen(), "revoke k0"),
    ("once more where the answer was lost", Rules(disables=True), at(Step.GRACE, tries=1, old=Half("old", "k0", disabled=True)), seen(), "disable k0"),
    ("a person does not wait for that", Rules(disables=True), at(Step.GRACE, tries=1, urgent=True, old=Half("old", "k0", disabled=True)), seen(wish=Wish(now=True)), "revoke k0"),
    ("nor is one that may be dead", Rules(disables=True), at(Step.GRACE, tries=1, old=Half("old", "k0", disabled=True, ending=True)), seen(), "revoke k0"),
    ("then it is revoked", Rules(disables=True), at(Step.GRACE, old=OFF), seen(), "revoke k0"),
    ("off, and its object is gone", RULES, at(Step.GRACE, old=OFF), seen(wish=Wish(gone=True)), "enable k0"),
    ("off, and a backup was restored", RULES, at(Step.GRACE, old=OFF), seen(store=Holds.OLD), "enable k0"),
    ("the same again and again", RULES, at(Step.GRACE, old=OFF, restored=2), seen(store=Holds.OLD), "enable k0"),
    ("off, and a person has put it back", MANUAL, at(Step.GRACE, old=OFF), seen(store=Holds.OLD), "enable k0"),
    ("not while the new one is not confirmed", RULES, at(Step.GRACE), seen(new=SILENT), "wait NewKeyUnconfirmed!"),
    ("not while a Secret may have it", RULES, at(Step.GRACE), seen(targets=Targets(new=1, unknown=1)), "wait TargetNotWritten!"),
    ("nor while its own may, if urgent", RULES, at(Step.GRACE, urgent=True), seen(own=Has.UNKNOWN), "wait TargetNotWritten!"),
    ("not while a Secret has it", RULES, at(Step.GRACE), seen(targets=Targets(old=1, new=1)), "wait TargetNotWritten!"),
    ("not while the Secrets are not seen", RULES, at(Step.GRACE), seen(targets=None), "wait ReadersUnknown"),
    ("nor for long", RULES, at(Step.GRACE, since=3601), seen(targets=None), "wait ReadersUnknown!"),
    ("not while nobody knows who uses them", RULES, at(Step.GRACE), seen(users=None), "wait ReadersUnknown"),
    ("nobody knows that for long", RULES, at(Step.GRACE, since=3601), seen(users=None), "wait ReadersUnknown!"),
    ("who is urgent waits for no other Secret", RULES, at(Step.GRACE, urgent=True), seen(targets=Targets(old=1, new=1), users=None), "revoke k0"),
    ("nor for one that nobody knows of", RULES, at(Step.GRACE, urgent=True), seen(targets=None), "revoke k0"),
    ("who is urgent waits for its own", RULES, at(Step.GRACE, urgent=True), seen(own=Has.OLD), "wait TargetNotWritten!"),
    ("and for the test of the new one", RULES, at(Step.GRACE, urgent=True), seen(new=SILENT), "wait NewKeyUnconfirmed!"),
    ("and for the store", RULES, at(Step.GRACE, urgent=True), seen(store=None), "wait StoreSilent"),
    ("not while the store is not seen", RULES, at(Step.GRACE), seen(store=None), "wait StoreSilent"),
    ("not while somebody is late", RULES, at(Step.GRACE), seen(users=Users(3, 1)), "wait NotAdopted!"),
    ("as we do, where a person ends it", Rules(revokes=False), at(Step.GRACE, since=100), seen(keys=Keys(frozenset({"k0"}), used_at=NOW - 1)), "wait WaitsForRevocation!"),
    ("what was tested by a clock that was ahead", RULES, at(Step.GRACE), seen(new=dataclasses.replace(GOOD, at=NOW + DAY)), "wait NewKeyUnconfirmed!"),
    ("not while the issuer sees it used", RULES, at(Step.GRACE, since=100), seen(keys=Keys(frozenset({"k0"}), used_at=NOW - 1)), "wait OldKeyStillUsed!"),
    ("used before that is nothing", RULES, at(Step.GRACE, since=100), seen(keys=Keys(frozenset({"k0"}), used_at=NOW - 200)), "revoke k0"),
    ("nobody waits for who is late", RULES, at(Step.GRACE, urgent=True), seen(users=Users(3, 1)), "revoke k0"),
    ("a person revokes", Rules(revokes=False), at(Step.GRACE), seen(), "wait WaitsForRevocation!"),
    ("a person has revoked", Rules(revokes=False), at(Step.GRACE), seen(old=BAD), "Revoked"),
    ("a person says so, and it is looked at sooner", Rules(revokes=False), at(Step.GRACE, urgent=True), seen(wish=Wish(now=True)), "wait WaitsForRevocation!"),
    ("a person says so, and nobody can see it", Rules(revokes=False, tests=False), at(Step.GRACE, urgent=True), seen(wish=Wish(now=True)), "Revoked"),
    ("what a person has made can be ended by us", MANUAL, at(Step.GRACE), seen(), "revoke k0"),
    ("one name for both: the new key is what is used", RULES, at(Step.GRACE, since=100, new=Half("new", "k0")), seen(keys=Keys(frozenset({"k0"}), used_at=NOW - 1)), "wait WaitsForRevocation!"),
    ("one name for both, and the old key is dead", RULES, at(Step.GRACE, new=Half("new", "k0")), seen(old=BAD), "Revoked"),
    ("one name for both, and a person says that it is", RULES, at(Step.GRACE, urgent=True, new=Half("new", "k0")), seen(wish=Wish(now=True)), "Revoked"),
    ("one name for both, and it is about to be seen", RULES, at(Step.GRACE, urgent=True, new=Half("new", "k0")), seen(old=REFUSED, wish=Wish(now=True)), "wait WaitsForRevocation!"),
    ("one name for both, of what ends by itself", LEASED, at(Step.GRACE, **FRESH | {"new": lives(Half("new", "k0"), 3000)}), seen(), "Revoked"),
    ("an orphan that turned up late", RULES, at(Step.GRACE), seen(keys=Keys(frozenset({"k0", "k1", "kx"}), frozenset({"k1", "kx"}))), "revoke kx"),
    ("the list is not seen", RULES, at(Step.GRACE), seen(keys=None), "wait IssueUnclear"),
    ("revoked, and a backup was restored", RULES, at(Step.GRACE, old=Half("old", "k0", revoked=True)), seen(store=Holds.OLD), "Tested"),
    ("a backup again and again", RULES, at(Step.GRACE, restored=2), seen(store=Holds.OLD), "wait StoreChanged!"),
    ("a backup where a person makes keys", MANUAL, at(Step.GRACE), seen(store=Holds.OLD), "RollingBack StoreChanged"),
    ("used a while ago", RULES, at(Step.GRACE, since=LONG), seen(keys=Keys(frozenset({"k0"}), used_at=NOW - 3601)), "revoke k0"),
    ("a test of long ago", RULES, at(Step.GRACE), seen(new=OLDER), "wait NewKeyUnconfirmed!"),
    ("no way back once it is asked for", RULES, at(Step.GRACE, old=Half("old", "k0", ending=True)), seen(wish=Wish(back=True)), "revoke k0"),
    ("a grace of a wrong clock", RULES, at(Step.GRACE, until=NOW + 99 * LONG), seen(), "Grace"),
    ("begun by a wrong clock", RULES, at(Step.GRACE, since=-LONG, until=NOW + LONG + DAY), seen(), "Grace"),
    ("begun by a clock of another machine", RULES, at(Step.GRACE, since=-60, until=NOW + DAY + 60), seen(), "wait"),
    ("nobody knows which it is", RULES, at(Step.GRACE, old=Half("old")), seen(), "wait WaitsForRevocation!"),
    ("there was none", RULES, at(Step.GRACE, old=None), seen(), "Revoked"),
    ("there is nobody to tell", LOCAL, at(Step.GRACE, old=Half("old")), seen(new=None), "Revoked"),
    ("the new key dies in grace", RULES, at(Step.GRACE), seen(new=BAD), "RollingBack NewKeyInvalid"),
    ("somebody turns it back in grace", RULES, at(Step.GRACE), seen(wish=Wish(back=True)), "RollingBack Asked"),
    ("revoked, and still accepted", RULES, at(Step.GRACE, old=Half("old", "k0", revoked=True)), seen(), "wait"),
    ("revoked, and dead", RULES, at(Step.GRACE, old=Half("old", "k0", revoked=True)), seen(old=REFUSED), "Revoked"),
    ("revoked, and accepted for long", RULES, at(Step.GRACE, since=3601, old=Half("old", "k0", revoked=True)), seen(), "Revoked"),
    ("revoked, and nobody can say for long if it is dead", RULES, at(Step.GRACE, since=3601, old=Half("old", "k0", revoked=True)), seen(old=None), "Revoked"),
    ("no way back from there", RULES, at(Step.GRACE, old=Half("old", "k0", revoked=True)), seen(old=BAD, wish=Wish(back=True)), "Revoked"),
    # Rolling back.
    ("the old key is put back", RULES, at(Step.ROLLING_BACK), seen(), "storeOld"),
    ("switched on before", RULES, at(Step.ROLLING_BACK, old=Half("old", "k0", disabled=True)), seen(), "enable k0"),
    ("switched on before people are left alone", MANUAL, at(Step.ROLLING_BACK, old=OFF, why=Why.STORE_CHANGED), seen(BACK), "enable k0"),
    ("a person has put back one that stays off", MANUAL, at(Step.ROLLING_BACK, old=dataclasses.replace(OFF, ending=True), why=Why.STORE_CHANGED), seen(BACK, old=BAD), "wait OldKeyUnconfirmed!"),
    ("a person's key died in use", MANUAL, at(Step.ROLLING_BACK, why=Why.NEW_INVALID), seen(new=BAD), "storeOld"),
    ("a test of what a person has written", MANUAL, at(Step.ROLLING_BACK, why=Why.TEST_ONLY, reached=Step.HELD), seen(), "RolledBack TestOnly"),
    ("not if nobody says it works", RULES, at(Step.ROLLING_BACK), seen(old=SILENT), "wait OldKeyUnconfirmed"),
    ("nobody says so for long", RULES, at(Step.ROLLING_BACK, since=901), seen(old=SILENT), "wait OldKeyUnconfirmed!"),
    ("not if it is dead: go on", RULES, at(Step.ROLLING_BACK), seen(old=BAD), "Stored"),
    ("not if both are dead", RULES, at(Step.ROLLING_BACK), seen(old=BAD, new=BAD), "wait OldKeyInvalid!"),
    ("the store is silent, back", RULES, at(Step.ROLLING_BACK), seen(store=None), "wait StoreSilent"),
    ("a Secret still has it", RULES, at(Step.ROLLING_BACK), seen(BACK, targets=Targets(old=1, new=1)), "wait TargetNotWritten"),
    ("a Secret may have it", RULES, at(Step.ROLLING_BACK), seen(BACK, targets=Targets(old=1, unknown=1)), "wait TargetNotWritten"),
    ("no Secret has either", RULES, at(Step.ROLLING_BACK), seen(BACK, targets=Targets()), "revoke k1"),
    ("a Secret has it for long", RULES, at(Step.ROLLING_BACK, since=3601), seen(BACK, targets=Targets(old=1, new=1)), "wait TargetNotWritten!"),
    ("nobody knows which Secrets do", RULES, at(Step.ROLLING_BACK), seen(BACK, targets=None), "wait ReadersUnknown"),
    ("nobody knows which do, for long", RULES, at(Step.ROLLING_BACK, since=3601), seen(BACK, targets=None), "wait ReadersUnknown!"),
    ("nobody knows who uses it", RULES, at(Step.ROLLING_BACK), seen(BACK, users=None), "wait ReadersUnknown"),
    ("nobody knows who does, for long", RULES, at(Step.ROLLING_BACK, since=3601), seen(BACK, users=None), "wait ReadersUnknown!"),
    ("somebody still uses it", RULES, at(Step.ROLLING_BACK), seen(BACK, users=Users(3, 1)), "wait NotAdopted"),
    ("nor a dead one: it may come to life", RULES, at(Step.ROLLING_BACK), seen(BACK, users=Users(3, 1), new=BAD), "wait NotAdopted"),
    ("nobody can look any more", RULES, at(Step.ROLLING_BACK), seen(BACK, targets=Targets(), users=Users(0, 0), wish=Wish(gone=True)), "RolledBack"),
    ("the old one may be dead", RULES, at(Step.ROLLING_BACK, old=Half("old", "k0", ending=True)), seen(), "Stored"),
    ("an orphan before the new one", RULES, at(Step.ROLLING_BACK), seen(BACK, keys=Keys(frozenset({"k0", "k1", "kx"}), frozenset({"k1", "kx"}))), "revoke kx"),
    ("nameless: what is not ours for sure stays", NAMELESS, at(Step.ROLLING_BACK), seen(BACK, keys=Keys(frozenset({"k0", "k1", "kx"}), frozenset({"k1", "kx"}))), "revoke k1"),
    ("nameless: also in grace", NAMELESS, at(Step.GRACE, until=NOW + DAY), seen(keys=Keys(frozenset({"k0", "k1", "kx"}), frozenset({"k1", "kx"}))), "wait"),
    ("nameless: a lost answer is found", NAMELESS, at(Step.ISSUING, asked_at=NOW), seen(BEFORE, keys=Keys(frozenset({"k0", "kx"}), frozenset({"kx"}))), "revoke kx"),
    ("not tried again at once", RULES, at(Step.ROLLING_BACK, tries=1, again=NOW + 9), seen(), "wait"),
    ("a person is asked after three times", RULES, at(Step.ROLLING_BACK, tries=3, again=NOW + 9), seen(), "wait !"),
    ("the clock of a try was wrong", RULES, at(Step.ROLLING_BACK, tries=1, again=NOW + LONG), seen(), "RollingBack"),
    ("the new one is revoked", RULES, at(Step.ROLLING_BACK), seen(BACK), "revoke k1"),
    ("it lives on for whoever has it elsewhere", RULES, at(Step.ROLLING_BACK, back_from=0.0), seen(BACK), "RollingBack"),
    ("for a while", RULES, at(Step.ROLLING_BACK, **ELSEWHERE), seen(BACK), "wait NewKeyInOverlap"),
    ("for longer, as is wanted by now, back", Rules(overlap=9 * DAY), at(Step.ROLLING_BACK, **ELSEWHERE), seen(BACK), "RollingBack"),
    ("for less, as is wanted by now, back", Rules(overlap=9.0), at(Step.ROLLING_BACK, **ELSEWHERE), seen(BACK), "revoke k1"),
    ("as long as when it began, back", Rules(overlap=0.0, anew=False), at(Step.ROLLING_BACK, **ELSEWHERE), seen(BACK), "wait NewKeyInOverlap"),
    ("not where that is not wanted", Rules(overlap=0.0), at(Step.ROLLING_BACK, back_from=0.0), seen(BACK), "revoke k1"),
    ("not once it is dead", RULES, at(Step.ROLLING_BACK, **ELSEWHERE), seen(BACK, new=BAD), "revoke k1"),
    ("nor if it was dead", RULES, at(Step.ROLLING_BACK, back_from=0.0, why=Why.NEW_INVALID), seen(BACK, new=SILENT), "revoke k1"),
    ("nor where nobody is waited for", RULES, at(Step.ROLLING_BACK, urgent=True, **ELSEWHERE), seen(BACK), "revoke k1"),
    ("nor where somebody asks for that, back", RULES, at(Step.ROLLING_BACK, **ELSEWHERE), seen(BACK, wish=Wish(now=True)), "revoke k1"),
    ("nor if the store never had it", RULES, at(Step.ROLLING_BACK, back_from=0.0, reached=Step.TESTED), seen(BACK), "revoke k1"),
    ("nor once it may be dead", RULES, at(Step.ROLLING_BACK, new=Half("new", "k1", ending=True), **ELSEWHERE), seen(BACK), "revoke k1"),
    ("whoever has to end it", Rules(revokes=False), at(Step.ROLLING_BACK, **ELSEWHERE), seen(BACK), "wait NewKeyInOverlap"),
    ("whatever the store has by now", RULES, at(Step.ROLLING_BACK, **ELSEWHERE), THEIRS, "wait NewKeyInOverlap"),
    ("the store has it again", RULES, at(Step.ROLLING_BACK, **ELSEWHERE), seen(), "storeOld"),
    ("a late write may arrive", RULES, at(Step.ROLLING_BACK, since=59), seen(BACK), "wait"),
    ("a store may take longer than its issuer", Rules(settle=0.0), at(Step.ROLLING_BACK, since=29, reached=Step.TESTED), seen(BACK), "wait"),
    ("but not for ever", Rules(settle=0.0), at(Step.ROLLING_BACK, since=30, reached=Step.TESTED), seen(BACK), "revoke k1"),
    ("it was written long before it turned back", Rules(settle=0.0), at(Step.ROLLING_BACK, since=1, stored=NOW - 30), seen(BACK), "revoke k1"),
    ("and once more after that", Rules(settle=0.0), at(Step.ROLLING_BACK, since=1, stored=NOW - 30, restored=1), seen(BACK), "wait"),
    ("it is revoked", RULES, at(Step.ROLLING_BACK, new=Half("new", "k1", revoked=True)), seen(BACK), "RolledBack"),
    ("the same key is in the store already", RULES, at(Step.ROLLING_BACK, reached=Step.HELD, new=Half("old", "k1")), seen(), "RolledBack"),
    ("the same key stays", RULES, at(Step.ROLLING_BACK, reached=Step.HELD, new=Half("old", "k1")), seen(BACK), "RolledBack"),
    ("a person's key stays", MANUAL, at(Step.ROLLING_BACK, why=Why.TEST_FAILED), seen(), "RolledBack TestFailed"),
    ("a first key stays", RULES, at(Step.ROLLING_BACK, old=None), seen(), "RolledBack"),
    ("what cannot be revoked is owed", Rules(revokes=False), at(Step.ROLLING_BACK), seen(BACK), "RolledBack"),
    ("an orphan is looked for", RULES, at(Step.ROLLING_BACK, reached=Step.ISSUING, new=None, asked_at=NOW - 30), seen(BACK), "wait"),
    ("an orphan is revoked", RULES, at(Step.ROLLING_BACK, reached=Step.ISSUING, new=None, asked_at=NOW), seen(BACK, keys=Keys(frozenset({"kx"}), frozenset({"kx"}))), "revoke kx"),
    ("there was no orphan", RULES, at(Step.ROLLING_BACK, reached=Step.ISSUING, new=None, asked_at=NOW - 61), seen(BACK), "RolledBack"),
    ("none was asked for", RULES, at(Step.ROLLING_BACK, reached=Step.ISSUING, new=None), seen(BACK), "RolledBack"),
    ("it cannot be looked for", Rules(lists=False), at(Step.ROLLING_BACK, reached=Step.ISSUING, new=None, asked_at=NOW), seen(BACK), "RolledBack"),
    ("what somebody has written works", RULES, at(Step.ROLLING_BACK, why=Why.STORE_CHANGED), THEIRS, "revoke k1"),
    ("nobody knows if it works", RULES, at(Step.ROLLING_BACK, why=Why.STORE_CHANGED), seen(THEIRS, theirs=None), "wait StoredKeyUnconfirmed!"),
    ("it is dead, as out of an old backup", RULES, at(Step.ROLLING_BACK, why=Why.STORE_CHANGED), seen(THEIRS, theirs=BAD), "wait StoredKeyUnconfirmed!"),
    ("the new key was nowhere yet", RULES, at(Step.ROLLING_BACK, why=Why.STORE_CHANGED, reached=Step.TESTED), seen(THEIRS, theirs=BAD), "revoke k1"),
    ("whyever it turns back", RULES, at(Step.ROLLING_BACK, why=Why.NOT_WRITTEN), seen(THEIRS, theirs=BAD), "wait StoredKeyUnconfirmed!"),
    ("nothing is there, and the old one works", RULES, at(Step.ROLLING_BACK, why=Why.STORE_CHANGED), seen(BACK, store=Holds.NOTHING), "revoke k1"),
    ("nothing is there, and the old one is dead", RULES, at(Step.ROLLING_BACK, why=Why.STORE_CHANGED), seen(BACK, store=Holds.NOTHING, old=BAD), "RolledBack StoreChanged"),
    ("the old one is back, and dead", RULES, at(Step.ROLLING_BACK, why=Why.ASKED), seen(BACK, old=BAD), "Stored"),
    ("the old one is back, and nobody knows if it works", RULES, at(Step.ROLLING_BACK, why=Why.ASKED, since=901), seen(BACK, old=SILENT), "wait OldKeyUnconfirmed!"),
    ("it cannot be tested", UNTESTED, at(Step.ROLLING_BACK, why=Why.STORE_CHANGED), seen(THEIRS, theirs=None), "RolledBack StoreChanged"),
    # Minted.
    ("minted: a lost answer is no matter", MINTED, at(Step.ISSUING, asked_at=NOW - 1), seen(BEFORE, keys=None), "issue"),
    ("minted: it was worn before it passed", MINTED, at(Step.HELD, **WORN), seen(new=ONCE), "RollingBack WornOut"),
    ("minted: it was worn before it was written", MINTED, at(Step.TESTED, **WORN), seen(store=Holds.OLD), "RollingBack WornOut"),
    ("minted: it goes as others do", MINTED, at(Step.TESTED, **FRESH), seen(store=Holds.OLD), "storeNew"),
    ("minted: no Secret has it, and it is worn", MINTED, at(Step.STORED, **WORN), seen(targets=Targets(old=2)), "Revoked"),
    ("minted: a first one is waited for by nobody", MINTED, at(Step.WRITTEN, new=lives(NEW, 3000), old=None), seen(users=Users(0, 0)), "Revoked"),
    ("minted: who is late is waited for", MINTED, at(Step.WRITTEN, **FRESH), seen(users=Users(3, 1)), "wait NotAdopted"),
    ("minted: a person is told long before the old one ends", MINTED, at(Step.WRITTEN, since=700, **FRESH), seen(users=Users(3, 1)), "wait OldKeyEnds!"),
    ("minted: also where nobody is known", MINTED, at(Step.WRITTEN, since=700, **FRESH), seen(users=Users(0, 0)), "wait OldKeyEnds!"),
    ("minted: but not longer than the old one lives", MINTED, at(Step.WRITTEN, **OVER), seen(users=Users(3, 1)), "Revoked"),
    ("minted: nor than the new one may wait", MINTED, at(Step.WRITTEN, **WORN), seen(users=Users(3, 1)), "Revoked"),
    ("minted: nobody turns back to what has ended", MINTED, at(Step.WRITTEN, **OVER), seen(wish=Wish(back=True)), "Revoked"),
    ("minted: the old one is left for a while", MINTED, at(Step.GRACE, until=NOW + 600, **FRESH), seen(keys=None), "wait"),
    ("minted: then to itself", MINTED, at(Step.GRACE, **FRESH), seen(keys=None, users=Users(3, 1)), "Revoked"),
    ("minted: or it is revoked", LEASED, at(Step.GRACE, **FRESH), seen(keys=None), "revoke k0"),
    ("minted: not while somebody is late", LEASED, at(Step.GRACE, **FRESH), seen(keys=None, users=Users(3, 1)), "wait NotAdopted!"),
    ("minted: it has ended", LEASED, at(Step.GRACE, **OVER), seen(keys=None, users=Users(3, 1)), "Revoked"),
    ("minted: most of the new one's life is over", LEASED, at(Step.GRACE, **WORN), seen(keys=None, users=Users(3, 1)), "Revoked"),
    ("minted: revoked, and accepted for long", LEASED, at(Step.GRACE, since=3601, new=lives(NEW, 3000), old=lives(Half("old", "k0", revoked=True), 9)), seen(keys=None), "Revoked"),
    ("minted: its object went", LEASED, at(Step.GRACE, **FRESH), seen(keys=None, wish=Wish(gone=True)), "Revoked"),
    ("minted: it turns back as others do", LEASED, at(Step.ROLLING_BACK, **FRESH), seen(keys=None), "storeOld"),
    ("minted: a candidate is revoked", LEASED, at(Step.ROLLING_BACK, reached=Step.HELD, **FRESH), seen(BACK, keys=None), "revoke k1"),
    ("minted: also if it was in use", LEASED, at(Step.ROLLING_BACK, back_from=0.0, **FRESH), seen(BACK, keys=None), "revoke k1"),
    ("minted: or left to itself", MINTED, at(Step.ROLLING_BACK, reached=Step.HELD, **FRESH), seen(BACK, keys=None), "RolledBack"),
    ("minted: so is an answer that was lost", LEASED, at(Step.ROLLING_BACK, reached=Step.ISSUING, new=None, asked_at=NOW), seen(BACK, keys=None), "RolledBack"),
    ("minted: the old one has ended, so the new one stays", MINTED, at(Step.ROLLING_BACK, **OVER), seen(), "Revoked"),
    ("minted: unless it is dead as well", MINTED, at(Step.ROLLING_BACK, **OVER), seen(new=BAD), "RolledBack"),
    ("minted: all is back, and has ended", MINTED, at(Step.ROLLING_BACK, **OVER), seen(BACK), "RolledBack"),
    ("minted: nobody can look any more", MINTED, at(Step.ROLLING_BACK, **FRESH), seen(BACK, wish=Wish(gone=True)), "RolledBack"),
    ("leased: it lives", LEASED, at(Step.IDLE, left=IN_USE), seen(BACK), "wait"),
    ("leased: two thirds are over", LEASED, at(Step.IDLE, left=lives(OLD, 1200)), seen(BACK), "renew k0"),
    ("leased: not yet where less was wanted", dataclasses.replace(LEASED, before_end=600), at(Step.IDLE, left=lives(OLD, 1200)), seen(BACK), "wait"),
    ("leased: not again at once", LEASED, at(Step.IDLE, left=lives(OLD, 1200), tries=1, again=NOW + 5), seen(BACK), "wait"),
    ("leased: the clock of a try was wrong", LEASED, at(Step.IDLE, left=lives(OLD, 1200), tries=1, again=NOW + LONG), seen(BACK), "Idle"),
    ("leased: it lives no longer", LEASED, at(Step.IDLE, left=dataclasses.replace(lives(OLD, 1200), spent=NOW)), seen(BACK), "wait"),
    ("leased: it has ended", LEASED, at(Step.IDLE, left=lives(OLD, 0)), seen(BACK), "wait"),
    ("leased: another one is in use", LEASED, at(Step.IDLE, left=lives(OLD, 1200)), seen(), "wait"),
    ("leased: by another issuer", LEASED, at(Step.IDLE, left=lives(OLD, 1200), issuer="a"), seen(BACK), "wait"),
    ("leased: nobody wants it any more", LEASED, at(Step.IDLE, left=lives(OLD, 1200)), seen(BACK, wish=Wish(gone=True)), "end"),
    # Between rotations.
    ("after success", RULES, at(Step.REVOKED), seen(), "Idle"),
    ("after failure", RULES, at(Step.ROLLED_BACK, why=Why.TEST_FAILED), seen(), "Idle TestFailed"),
    ("the next one goes on from it", RULES, at(Step.IDLE), seen(), "wait"),
    ("nothing to remember", RULES, at(Step.IDLE), seen(wish=Wish(gone=True)), "end"),
    ("a failure is remembered", RULES, at(Step.IDLE, failures=1, not_before=NOW + 10), seen(), "wait"),
    ("a pin is remembered", RULES, at(Step.IDLE, pinned=True), seen(), "wait"),
    ("what is owed is tried", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "", 0.0),)), seen(), "revoke kd"),
    ("not if the store has it again", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "k1", "new", 0.0),)), seen(), "wait !"),
    ("not if that is not seen", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "", 0.0),)), seen(store=None), "wait !"),
    ("not while somebody uses it", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(users=Users(3, 1)), "wait !"),
    ("not while a Secret may still have it", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(targets=Targets(new=1, unknown=1)), "wait !"),
    ("not while it is not known what Secrets have", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(targets=None), "wait !"),
    ("what nobody can have, whatever Secrets have", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "", 0.0),)), seen(targets=Targets(unknown=1)), "revoke kd"),
    ("one of them is owed, and a Secret may have it", Rules(slots=2), at(Step.ISSUING, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(BEFORE, keys=Keys(frozenset({"k0", "kd"})), users=Users(3, 0), targets=Targets(unknown=1)), "RollingBack SlotsFull"),
    ("not at another issuer", Rules(issuer="b"), at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "", 0.0, issuer="a"),)), seen(), "wait !"),
    ("not a place that was filled anew", SLOTS, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "k1", "older", 0.0),)), seen(), "wait !"),
    ("not by another key's fingerprint", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "id2:x", 0.0),)), seen(), "wait !"),
    ("what may live on is for a person", RULES, at(Step.IDLE, debts=(Debt(Owed.DIE, "kd", "", 0.0),)), seen(), "wait !"),
    ("not if it is not known what the store has", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(store=Holds.OTHER, held=None), "wait !"),
    ("nothing is in the store", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(store=Holds.NOTHING, held=None, targets=Targets()), "revoke kd"),
    ("nothing is in the store, and a Secret may have it", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(store=Holds.NOTHING, held=None, targets=Targets(unknown=1)), "wait !"),
    ("not of a gone object, whose users cannot be seen", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "dead", 0.0),)), seen(wish=Wish(gone=True)), "wait !"),
    ("of a gone object what nobody can use", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "", 0.0),)), seen(wish=Wish(gone=True)), "revoke kd"),
    ("who fails again and again", RULES, at(Step.IDLE, failures=3, not_before=NOW + 10), seen(), "wait !"),
    ("who was reissued a while ago", RULES, at(Step.IDLE, reissued=NOW - 3600), seen(), "wait"),
    ("not too soon", RULES, at(Step.IDLE, debts=(Debt(Owed.REVOKE, "kd", "", 0.0, due=NOW + 1),)), seen(), "wait !"),
    ("what a person has to find", RULES, at(Step.IDLE, debts=(Debt(Owed.FIND, "", "", 0.0),)), seen(), "wait !"),
]  # fmt: skip
