"""What makes keys: the contract that every file beside this one fulfils and ``tests/issuing`` checks.

What the machine of ``decide/rotate`` decides is called here, one call at a time, each after it was journaled. So each
may come twice: a key that is revoked already is revoked, and one whose answer was lost is found in the list.

Does not belong here: any one issuer, whether a key is accepted (``issuers``), what is done when (``decide/rotate``).
"""

from __future__ import annotations

import abc
import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from .. import errors
from ..errors import Reason
from ..schema import Spec
from ..secret import SecretMap
from ..stores.base import Credentials

#: Seconds by which an issuer's clock and ours may differ.
SKEW = 300.0


class Way(enum.StrEnum):
    """How an issuer makes a new key, and what that does to the old one. The list is closed."""

    ISSUE = "Issue"
    """One more key; the others stay. As many as one likes, or a few."""
    SLOTS = "DualSlot"
    """Two places; a new key takes the place of the one that is not in use, at once. A place is revoked by filling it
    anew: what comes of that goes nowhere."""
    MANUAL = "Manual"
    """A person makes it and writes it to the store."""
    LOCAL = "Local"
    """Nobody accepts it but who reads it: it is made here, and there is nothing to revoke."""
    MINTED = "Minted"
    """It lives for a short while and is kept in no store: before it ends it is made to live longer, or another one is
    made. What is lost of it ends by itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """A key that was asked for, and of which no answer says what came of it.

    Attributes:
        at: Unix time at which it was asked for.
        before: handles of the keys that it is not: those that there were before.
        name: of the key, where keys have names.
    """

    at: float
    before: frozenset[str] = frozenset()
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    Attributes:
        name: of the new key where keys have names: unique to the rotation, of lower-case letters, digits and ``-``, at
            most 63 characters, and beginning with a letter.
        old: the parts of the key that is to be replaced, or that is to be found; empty where there is none.
        handle: the issuer's name of that key; None where it is not known: then ``is_old`` may find it.
        before: handles of the keys that there were before a new one was asked for.
        asked_at: Unix time at which a key was last asked for; None if none was, or if that was answered.
        asks: what was asked for earlier, and was not answered.
    """

    name: str
    old: SecretMap = dataclasses.field(default_factory=dict)
    handle: str | None = None
    before: frozenset[str] = frozenset()
    asked_at: float | None = None
    asks: tuple[Ask, ...] = ()

    @property
    def unanswered(self) -> tuple[Ask, ...]:
        """All that was asked for and not answered, the last included."""
        last = () if self.asked_at is None else (Ask(self.asked_at, self.before, self.name),)
        return (*self.asks, *last)

    def named(self, name: object) -> bool:
        """Whether a key that bears a name is this order's."""
        return name == self.name or any(name == each.name for each in self.asks)

    def made(self, handle: str, at: float | None, within: float) -> bool:
        """Whether a key that bears no name is this order's: it was not there before, and was made while that asked.

        Args:
            at: Unix time at which it was made; None where the issuer does not tell.
            within: seconds that a call takes at most.
        """
        if at is None or handle == self.handle:
            return False
        return any(
            handle not in each.before and each.at - SKEW <= at <= each.at + within + SKEW for each in self.unanswered
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Issued:
    """A new key.

    Attributes:
        parts: its values by part, as ``issuers`` names them.
        handle: the issuer's name of it; None where keys have none.
        expires_at: when it ends (RFC 3339), where the issuer tells; of a minted one always.
    """

    parts: SecretMap
    handle: str | None = None
    expires_at: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """One key that the issuer lists; never its value.

    Attributes:
        handle: the issuer's name of it.
        ours: whether it was made by this order: it bears its name; or, where keys have no names, it was made while the
            order asked, neither sooner nor later than clocks may differ, and was not there before. Never where nothing
            was asked for, a person makes keys, or a new one takes a place.
        is_old: whether it is the key that is to be replaced: it has the order's handle; or, where that has none, the
            issuer shows enough of it to tell it from all others, or says which one it is when it is asked with its
            values: at its own address alone, and with no other right than these.
        disabled: whether it is switched off.
        created_at: when it was made (RFC 3339), where the issuer tells.
        used_at: Unix time at which it was last used, where the issuer tells.
    """

    handle: str
    ours: bool = False
    is_old: bool = False
    disabled: bool = False
    created_at: str | None = None
    used_at: float | None = None


class Issuing(abc.ABC):
    """One issuer's way to make keys, opened with the right to.

    Every method raises only ``errors.Error``. ``errors.Stalled`` says that the issuer refused for good and nothing was
    done; anything else (``errors.Retry``, ``errors.Outage``) leaves open whether it was. An answer counts only in the
    issuer's own form: what a proxy refuses leaves it open too. Nothing is tried twice in here: a key that is asked for
    twice may be made twice. Messages begin with the verb, as those of stores do; nothing that the issuer said stands in
    one but numbers, request ids, and words of closed lists.

    What it can do is looked at on an instance: it may depend on what is configured.

    Class keywords, in the subclass statement:
        name: its field in the CRDs, in camelCase; the file's stem and the page in the docs are the same in snake_case.
        title: how people know it.
        way: how it makes keys.
        issuer: whose credentials they are, of ``issuers``; empty where the object says that.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    way: ClassVar[Way]
    issuer: ClassVar[str] = ""
    #: How many keys there may be; None: any number.
    slots: int | None = None
    #: Whether a key can be given the name of its order.
    names: bool = True
    #: The parts that it makes, where its configuration says so; None: those of its issuer.
    parts: frozenset[str] | None = None
    #: The parts that name a key, as its id does, so that they are no secrets: its handle may be one of them.
    ids: frozenset[str] = frozenset()
    #: Address at which keys are made, in the one form in which addresses are compared; empty where the account tells.
    address: str = ""
    #: Whether a part of the old key is enough to say which one it is, as its id is, or how it begins and ends: whoever
    #: writes it to the store can write anything there, so it counts once the issuer has accepted that very key.
    reads_handle: bool = False
    #: Whether that part is no more than how a key begins and ends: a server that has keys of its own, or makes up
    #: which it accepts, may accept one that only looks so.
    reads_hint: bool = False
    #: The issuer's fields in KeyIssuer and ClusterKeyIssuer; their docstrings are the docs.
    Config: ClassVar[type[Spec]]

    #: Lists the keys that count against its limit; None where it has no way to. ``errors.Error`` as all.
    keys: Callable[[Order], Sequence[Listed]] | None = None
    #: Revokes a key, by its handle, with the parts of the key that stays, for issuers that ask who is left. None where
    #: a person has to. What is gone already is revoked, and what never was; an account that is not there, or not seen,
    #: is no key that is gone.
    revoke: Callable[[str, SecretMap], None] | None = None
    #: Makes a minted key live longer, by its handle; returns when it ends by then (RFC 3339). ``errors.Stalled`` where
    #: there is no such key any more, or it lives as long as it may. None where it cannot.
    renew: Callable[[str], str] | None = None
    #: Switches a key off, and on again; None where it cannot. ``errors.Stalled`` where there is no such key.
    disable: Callable[[str], None] | None = None
    enable: Callable[[str], None] | None = None

    def __init_subclass__(cls, *, name: str, title: str, way: Way, issuer: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name, cls.title, cls.way, cls.issuer = name, title, way, issuer

    @abc.abstractmethod
    def __init__(self, config: Any, credentials: Credentials, timeout: float) -> None:
        """Prepare without I/O.

        Args:
            config: an instance of ``Config``.
            credentials: how to get the right to make keys; asked anew at each call, as that may change.
            timeout: seconds that any one call may take in all.

        Raises:
            errors.Stalled: ``InvalidSpec``: what is configured cannot be done.
        """

    @property
    @abc.abstractmethod
    def account(self) -> str:
        """Where at the issuer keys are made: the same text for all that are configured to have them made there.

        Out of the configuration alone: nothing is asked, and no secret stands in it. Empty where nobody is asked.
        """

    def issue(self, order: Order) -> Issued:
        """Have a key made. Not called where a person makes them."""
        raise NotImplementedError(order.name)

    def close(self) -> None:  # noqa: B027 - nothing to do is a fine answer
        """Give connections back. The instance is not used again."""


def by_value(what: str) -> errors.Stalled:
    """Return why an issuer's names of keys are of no use, as they hold their values.

    Args:
        what: what it does, as a clause behind its name.
    """
    hint = "Take another field for handle, or leave it out; of an id that is a part, take the field of that part"
    return errors.Stalled(Reason.ROTATION_UNSUPPORTED, f"{what}, which must not be shown", hint)
