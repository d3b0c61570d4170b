"""What a store is: the contract that every file beside this one fulfils and ``tests/stores/contract.py`` checks.

Does not belong here: anything about one vendor, retries, caching, threads (``engine/``), choosing a property out of
what was read (``decide/render.py``).
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol

from .. import errors
from ..schema import CaProvider, SecretKeyRef, ServiceAccountRef, Spec
from ..secret import SecretMap, SecretValue

#: No store answers more than this; a larger answer is cut off and refused (bytes).
MAX_ANSWER = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Ref:
    """One key in a store: canonical path, and a version where one is pinned."""

    path: str
    version: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    """What a store answered for one ``Ref``.

    Attributes:
        value: the whole: text or bytes as they are, or the JSON text of a map.
        is_map: whether ``value`` is the JSON text of a map, so that a property can be chosen.
        version: the store's name for this version, where it has versions.
        created_at: when this version was made (RFC 3339), where the store tells.
        expires_at: when it ends (RFC 3339), where the store tells.
    """

    value: SecretValue
    is_map: bool
    version: str | None = None
    created_at: str | None = None
    expires_at: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """Where one key lies.

    Attributes:
        where: the store's place, a space, and the path.
        account: whose it is there, if names mean something within accounts only; empty where that is not known.
        other: where it lies by another reading of its name, where there are two; else empty.
    """

    where: str
    account: str = ""
    other: str = ""

    @property
    def key(self) -> str:
        """Names it, as far as it is known."""
        return f"{self.where} {self.account}".rstrip()

    @property
    def name(self) -> str:
        """The end of its path: whoever reads it says that, whatever prefix a store puts in front."""
        return self.where.rpartition("/")[2].rpartition(" ")[2]

    @property
    def _readings(self) -> set[str]:
        return {self.where, self.other} - {""}

    def may_be(self, other: Location) -> bool:
        """Whether two may be one: of an account that is not known, it may be any."""
        if self.where != other.where and not self._readings & other._readings:
            return False
        return self.account == other.account or not (self.account and other.account)

    def is_like(self, other: Location) -> bool:
        """Whether two have the same path in stores of one kind: a server may have two names."""
        return _apart(self.where) == _apart(other.where)


def _apart(where: str) -> tuple[str, str]:
    """Return the kind of a store, and the path in it."""
    return where.partition(" ")[0], where.rpartition("} ")[2]


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Who rotates a key, as the metadata of its store say it.

    Attributes:
        owner: the install; empty: nobody.
        journal: name of the journal of its rotations; empty where an earlier version has put the mark.
        since: when it was put there (RFC 3339); empty likewise.
    """

    owner: str = ""
    journal: str = ""
    since: str = ""

    def __bool__(self) -> bool:
        return bool(self.owner)

    def is_of(self, other: Mark) -> bool:
        """Whether it is of the same owner, and the same journal as far as it says one."""
        return self.owner == other.owner and self.journal in ("", other.journal)

    @classmethod
    def read(cls, entries: Mapping[str, Any]) -> Mark:
        """Read it out of all metadata; what is beside it without an owner was left there by an earlier version."""
        found = [str(entries.get(name) or "") for name in MARKS]
        return cls(*found) if found[0] else cls()

    def entries(self) -> dict[str, str]:
        """Return it as metadata."""
        return dict(zip(MARKS, (self.owner, self.journal, self.since), strict=True))


#: Names of a mark's metadata. The first one is all that earlier versions know, which leave the others alone.
MARKS = ("keywright.dev/rotated-by", "keywright.dev/rotation-journal", "keywright.dev/rotated-since")


#: Fields of stores that say how they are reached, and not where.
_NO_PLACE = {
    *("auth", "ca_provider", "client_certificate", "passphrase_ref", "key_ref"),
    *("version", "external_id", "sts_endpoint"),
}

#: What a store held at one moment: the answer for a key, or why there is none.
Snapshot = Callable[[Ref], Fetched | errors.Error]


#: All that is at a path: properties by name, or one text; where that is the JSON text of a map, as ``Fetched.value``
#: may be, the map with all its types.
Content = SecretMap | SecretValue


class Write(Protocol):
    """How a store is written, see ``Store.write``."""

    def __call__(self, ref: Ref, content: Content, *, expected: str | None, token: str) -> str:
        """Replace what is at a path, and return the new version."""


class Credentials(Protocol):
    """What a store may ask of the cluster to log in. References resolve where the API says, not where a store likes.

    Every method raises ``errors.Stalled`` (``CredentialMissing``) or ``errors.Retry`` (``KubernetesUnavailable``).
    """

    @property
    def namespace(self) -> str:
        """Namespace of the object that is read for; fills ``{namespace}``."""

    def secret(self, ref: SecretKeyRef) -> SecretValue:
        """Return one entry of a Secret."""

    def entry(self, kind: Literal["ConfigMap", "Secret"], name: str, key: str) -> SecretValue:
        """Return one entry of a ConfigMap or Secret: bytes as they are, text as UTF-8."""

    def file(self, path: str, limit: int) -> SecretValue:
        """Return a file below the folder that the operator was given for that; at most ``limit`` bytes and one more.

        Raises:
            errors.Stalled: ``FileRefused``: there is no such folder, not for this object, or not this file.
        """

    def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
        """Replace a file below that folder, durably and in one step; False if it no longer is what it was.

        Raises:
            errors.Stalled: as ``file``, and ``StoreReadOnly``.
        """

    def ca(self, provider: CaProvider) -> str:
        """Return CA certificates as PEM."""

    def service_account_token(self, ref: ServiceAccountRef, audience: str, seconds: int) -> SecretValue:
        """Return a token of that ServiceAccount, bound to the audience and the time."""


class Store(abc.ABC):
    """One store, opened for one login identity.

    The engine opens one instance per (store object, generation, ``identity``), calls ``login`` before anything else and
    again when it is due, and calls ``fetch`` from several threads at once: after ``login`` an instance changes nothing
    but what ``login`` and ``renew`` replace in one assignment.

    Every method raises only ``errors.Error``: ``Outage`` when the store as a whole is in trouble, ``LoginExpired`` when
    a new login may help, ``Stalled`` when a person must act. Nothing that the vendor said stands in an error
    but numbers and request ids.
    """

    #: Field of the CRDs; set by the subclass statement: ``class Vault(Store, name="vault")``.
    name: ClassVar[str]
    #: Reads everything at once, or None where the store has no way to. Called as ``fetch`` is; what it raises is about
    #: the store as a whole. What it returns answers for any key as it was at that moment, without I/O.
    snapshot: Callable[[], Snapshot] | None = None
    #: Replaces all that is at a path, or None where the store only is read. ``ref`` names no version; ``expected`` is
    #: the version that must be current, None: nothing must be there, or what was deleted and may be written over;
    #: ``token``, a UUID, names this write. One whose answer was lost is done again with the same arguments: it makes no
    #: second version. Raises, beside what ``fetch`` raises, ``Retry`` ``StoreChanged``: another version is current, and
    #: nothing was written; ``Stalled`` ``StoreReadOnly``: the login may not, or there is no room; ``ValueTooLarge``;
    #: ``DecodeFailed``: the store cannot hold such content; ``Unsupported``: not this store, though others of its kind;
    #: ``VersionDeleted``: what was deleted cannot be written over; ``PendingHeldElsewhere`` and
    #: ``RotationOwnedElsewhere``: somebody else is about to write.
    write: Write | None = None
    #: Puts a mark on a path that is there, in place of the one that is known to be there; returns which is there now.
    #: None where the store has no room for marks. Stores have no compare-and-swap for marks: of two at the same moment
    #: the later may win, so what keeps values right is ``expected``, not the mark. Raises what ``write`` raises.
    claim: Callable[[Ref, Mark, Mark], Mark] | None = None
    #: Returns the mark that a path has; one of nobody where it has none. There where ``claim`` is, and raises the same.
    mark: Callable[[Ref], Mark] | None = None
    #: Takes a mark away; one of another owner or journal stays. There where ``claim`` is.
    release: Callable[[Ref, Mark], None] | None = None
    #: Generation of the newest file that was read, by the file's id; an older one is refused. Given before the first
    #: login as it is remembered, and replaced as a whole by a store that reads files.
    files: Mapping[str, int] = MappingProxyType({})

    #: The store's fields in KeyStore and ClusterKeyStore; their docstrings are the docs.
    Config: ClassVar[type[Spec]]

    def __init_subclass__(cls, *, name: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name

    @classmethod
    @abc.abstractmethod
    def identity(cls, config: Any, namespace: str) -> str:
        """Name the login that objects of this namespace use. Equal names share one login and its answers."""

    @classmethod
    def locate(cls, config: Any, path: str, namespace: str, home: str) -> Location:
        """Say where a key lies: the same for all store objects that lead there, whatever their login and spelling.

        Args:
            path: canonical, below the store's prefix.
            namespace: of the object that reads; fills ``{namespace}``.
            home: the namespace of a namespaced store object, in which it names others.
        """
        return Location(f"{cls.location(cls.plain(config), namespace)} {path}")

    @classmethod
    def unwritten(cls, config: Any) -> errors.Stalled | None:
        """Return why such a store is only read, where its configuration tells; None: it does not."""
        return None

    @classmethod
    def plain(cls, config: Any) -> Any:
        """Return a configuration in which a place has one spelling. By default there is but one."""
        return config

    @classmethod
    def spellings(cls, config: Any) -> tuple[Any, ...]:
        """Return the configurations by which earlier versions named the place. By default they named it as it is."""
        return (config,)

    @classmethod
    def location(cls, config: Any, namespace: str) -> str:
        """Name where the keys lie, as it is spelled.

        Args:
            namespace: of the object that reads; fills ``{namespace}``.
        """
        told = config.model_dump_json(exclude=_NO_PLACE, exclude_defaults=True)
        return f"{cls.name} {told}".replace("{namespace}", namespace)

    @abc.abstractmethod
    def __init__(self, config: Any, credentials: Credentials, timeout: float) -> None:
        """Prepare without I/O.

        Args:
            config: an instance of ``Config``.
            credentials: how to get what the login needs.
            timeout: seconds that any one call may take in all.
        """

    @abc.abstractmethod
    def login(self) -> float | None:
        """Log in, reading the credentials anew. Return how many seconds that holds; None: as long as it is accepted."""

    def renew(self) -> float | None:
        """Prolong the login; called at two thirds of its time. By default a new login."""
        return self.login()

    def accepted(self) -> bool:
        """Whether the login that is held still is accepted, asked when a new one was refused. By default it is not."""
        return False

    @abc.abstractmethod
    def fetch(self, ref: Ref) -> Fetched:
        """Read one key."""

    @classmethod
    def previous(cls, version: str) -> str | None:
        """Return the version before one, whether it is still there or not; None if there is none, or it is not known.

        By default versions are counted from 1.
        """
        return str(int(version) - 1) if version.isascii() and version.isdigit() and int(version) > 1 else None

    def close(self) -> None:  # noqa: B027 - nothing to do is a fine answer
        """Give connections back, and a login that was made for this instance. The instance is not used again."""
