"""What can go wrong, as types; the class says what happens next, the reason says why.

    Error                      reason (closed list) and a message for a person
    ├── Stalled                a person must change something; tried again slowly
    │   └── StoreStalled       … at the store: every object that reads it is in the same trouble
    └── Retry                  time will fix it; tried again by backoff, or ``after`` seconds
        └── Outage             … of the store as a whole

Messages say what, where and what to do, and carry no text from outside: no vendor's answer, no exception text, no
value. The boundary that turns a foreign exception into one of these raises ``from None``.

Does not belong here: conditions and requeueing (``decide/report.py``), tables of a store's own errors (its file).
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator
from typing import Self


class Reason(enum.StrEnum):
    """Why an object is as it is: the reasons that conditions and Events may carry. The list is closed."""

    SYNCED = "Synced"
    """The target holds what the stores say."""
    VALID = "Valid"
    """The store answers and accepts the login; the issuer can be asked as it is configured."""
    SUSPENDED = "Suspended"
    """`spec.suspend` is true: nothing is read or written."""

    PARTIAL = "Partial"
    """The target holds what the stores have; optional entries that they do not have are missing."""
    SOURCE_UNUSABLE = "SourceUnusable"
    """The target holds what the stores say, but one of `sources` cannot be asked: no such store, not for this namespace
    or this path. The message names it."""
    KEY_WARNING = "KeyWarning"
    """The target holds what the stores say, but a check of a key found something: it is malformed, of an unknown form,
    or its issuer does not accept it. The message says what."""
    PREVIOUS_VERSION = "PreviousVersion"
    """The target holds an earlier version of a key than the store, because the newest is malformed or not accepted and
    the credential says `fallbackToPrevious: true`."""
    FALLBACK = "Fallback"
    """The target holds values of a fallback store, because the entry's own store does not answer."""

    EXPIRING_SOON = "ExpiringSoon"
    """A key in the Secret ends within the time that `warnBeforeExpiry` says."""
    EXPIRED = "Expired"
    """A key in the Secret has ended."""

    ROLLED_OUT = "RolledOut"
    """Each pod that is known to use the Secret has its present values."""
    ROLLING_OUT = "RollingOut"
    """The Secret has changed; those who use it are being restarted, or another tool is waited for to do it."""
    WAITS_FOR_WINDOW = "WaitsForWindow"
    """The Secret has changed; those who use it are restarted when `rollout.window` opens, and keep what they have until
    then."""
    OLD_VALUE_IN_USE = "OldValueInUse"
    """Pods may have older values of the Secret, and none of Keywright's restarts reaches them: bare pods, Jobs, what is
    not listed."""
    ROLLOUT_FAILED = "RolloutFailed"
    """A workload could not be restarted, or reports that it does not get ready; no other is restarted."""
    ROLLOUT_TIMED_OUT = "RolloutTimedOut"
    """A workload was not ready in time, or nobody has restarted it in time; no other is restarted."""
    RESTARTS_DISABLED = "RestartsDisabled"
    """The object asks for restarts, and this install may not restart workloads: the chart's `rollout.enabled`."""
    RESTART_DENIED = "RestartDenied"
    """The API server denies Keywright to look at workloads or pods, or to restart one."""

    ROTATING = "Rotating"
    """A credential gets a new key; the message tells how far that is."""
    ROTATIONS_DISABLED = "RotationsDisabled"
    """The object asks for a rotation, and this install rotates nothing: the chart's `rotation.enabled`."""
    ROTATION_WAITS = "RotationWaits"
    """A rotation, or what one owes, waits for a person; the message says for what."""
    ROLLED_BACK = "RolledBack"
    """A rotation turned back: the old key is in place."""
    NO_ROTATION = "NoRotation"
    """There is no rotation that a KeyAction could be about: none is declared, or none is under way."""

    RUNNING = "Running"
    """The KeyAction has begun."""
    DONE = "Done"
    """What the KeyAction asks for is done."""
    OBJECT_NOT_FOUND = "ObjectNotFound"
    """The ApiKeySecret that the KeyAction names is not there, is being deleted, or was deleted meanwhile."""
    EXPIRED_BEFORE_START = "ExpiredBeforeStart"
    """The KeyAction did not begin within its `expiresAfter`, and never will."""
    NOT_ROTATED = "NotRotated"
    """The KeyAction asks for an act on a rotation, and the object declares none."""

    INVALID_SPEC = "InvalidSpec"
    """The object holds what its CRD cannot check: an expression that cannot be parsed, an address that is none."""
    STORE_NOT_FOUND = "StoreNotFound"
    """The store that is named does not exist, or ClusterKeyStores are switched off."""
    NO_DEFAULT_STORE = "NoDefaultStore"
    """No `storeRef`, and no ClusterKeyStore, or more than one, has `default: true`; or they are switched off."""
    NAMESPACE_NOT_SELECTED = "NamespaceNotSelected"
    """The ClusterKeyStore or ClusterKeyIssuer does not serve this namespace."""
    PATH_OUTSIDE_PREFIX = "PathOutsidePrefix"
    """The path is not below the ClusterKeyStore's `pathPrefix`, or is not in canonical form."""
    ISSUER_NOT_FOUND = "IssuerNotFound"
    """The KeyIssuer or ClusterKeyIssuer that is named does not exist, or the cluster kinds are switched off."""
    FORBIDDEN_NAMESPACE = "ForbiddenNamespace"
    """Keywright writes no Secrets into this namespace."""
    FORBIDDEN_TYPE = "ForbiddenType"
    """Keywright writes no Secrets of this type."""

    MOUNT_NOT_FOUND = "MountNotFound"
    """The store shows nothing where its keys should be: the engine is not mounted, or the login may not see it."""
    NOT_FOUND = "NotFound"
    """The store says that nothing is at this path."""
    VERSION_DELETED = "VersionDeleted"
    """The store says that this version was deleted or destroyed."""
    PROPERTY_NOT_FOUND = "PropertyNotFound"
    """The key was read, but has no such property."""
    FEWER_ENTRIES = "FewerEntries"
    """A store has fewer entries than the target holds, and the object does not say `allowShrink: true`."""
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    """A ConfigMap that holds templates, or one of its entries, is not there."""
    VALUE_EMPTY = "ValueEmpty"
    """The value is empty and the entry does not say `allowEmpty: true`."""
    VALUE_TOO_LARGE = "ValueTooLarge"
    """The values together are larger than a Secret may be (1 MiB), or one is too large to be searched or templated."""
    DECODE_FAILED = "DecodeFailed"
    """The value is not what the entry's `decode` says."""
    CONFLICTING_ENTRIES = "ConflictingEntries"
    """Two names become one entry of the Secret."""
    SHAPE_FAILED = "ShapeFailed"
    """An entry is not what the target's shape needs: it is missing, no text, no certificate, another's key."""
    TEMPLATE_INVALID = "TemplateInvalid"
    """The template cannot be read, or asks for what templates cannot do."""
    TEMPLATE_FAILED = "TemplateFailed"
    """The template names what is not there, or does with a value what cannot be done."""
    KEY_MALFORMED = "KeyMalformed"
    """A value cannot be the credential that the object says it is: white space, a placeholder, another issuer's key."""
    KEY_INVALID = "KeyInvalid"
    """The issuer does not accept the credential. It is refused for good once it was refused three times over ten
    minutes; until then it is only held back, as a new key may take a moment to be known."""
    PART_NOT_FOUND = "PartNotFound"
    """A credential names an entry that the object does not have, or lacks a part that its issuer needs."""
    ACCESS_DENIED = "AccessDenied"
    """The store refuses this path to the identity that was used."""
    AUTH_FAILED = "AuthFailed"
    """The store refuses the login."""
    JOURNAL_UNREADABLE = "JournalUnreadable"
    """The journal of a rotation was changed by hand, or needs a later version: nothing is rotated there."""
    CREDENTIAL_MISSING = "CredentialMissing"
    """A Secret, ConfigMap or ServiceAccount that the login to the store or the issuer needs is not there."""
    UNSUPPORTED = "Unsupported"
    """The store or the issuer cannot do what was asked."""
    ENDPOINT_FORBIDDEN = "EndpointForbidden"
    """The address of the store or the issuer is one that Keywright does not connect to."""
    FILE_CORRUPT = "FileCorrupt"
    """The encrypted file is not as it was saved: damaged, cut off, or changed by somebody without its key."""
    FILE_ROLLED_BACK = "FileRolledBack"
    """The encrypted file is an older one than was read before."""
    FILE_REFUSED = "FileRefused"
    """The file is none that Keywright opens: too large, open to others, outside the root, or with wild parameters."""
    STORE_READ_ONLY = "StoreReadOnly"
    """The store takes no writes: its place is read-only or full, or the login may only read."""
    PENDING_HELD_ELSEWHERE = "PendingHeldElsewhere"
    """The store holds a new version of the key that somebody else has put there and that is not current yet."""
    ROTATION_UNSUPPORTED = "RotationUnsupported"
    """A credential cannot be rotated as the object says: where its parts lie, what its issuer makes, what its store can
    do. The message says which."""
    ROTATION_OWNED_ELSEWHERE = "RotationOwnedElsewhere"
    """Somebody else rotates the key: the store itself, another object, another cluster."""

    TARGET_EXISTS = "TargetExists"
    """A Secret of that name is there, is not ours, and `adopt` does not allow taking it."""
    TARGET_OWNED_ELSEWHERE = "TargetOwnedElsewhere"
    """Another ApiKeySecret writes this Secret, or another controller owns it."""
    TARGET_MISSING = "TargetMissing"
    """The Secret that the entries are to be merged into is not there."""
    KEY_OWNED_ELSEWHERE = "KeyOwnedElsewhere"
    """Somebody else writes an entry, a label or an annotation that is to be merged into the Secret."""
    TARGET_IMMUTABLE = "TargetImmutable"
    """The Secret is immutable, so it cannot be updated."""
    TARGET_TYPE_DIFFERS = "TargetTypeDiffers"
    """The Secret has another type, and a Secret's type cannot change."""
    TARGET_REFUSED = "TargetRefused"
    """The API server refuses the Secret: quota, admission or validation."""
    TARGET_DENIED = "TargetDenied"
    """Keywright has no right to write Secrets in this namespace."""
    DRIFT_CONTESTED = "DriftContested"
    """Somebody keeps changing the Secret back; repairs are slowed down."""

    STORE_UNREACHABLE = "StoreUnreachable"
    """The store's address does not answer."""
    STORE_TIMEOUT = "StoreTimeout"
    """The store did not answer in time."""
    STORE_TLS_FAILED = "StoreTLSFailed"
    """The store's certificate is not trusted, or the handshake failed."""
    STORE_SEALED = "StoreSealed"
    """The store is sealed or not initialised."""
    STORE_STANDBY = "StoreStandby"
    """The node is a standby that has not caught up."""
    STORE_ERROR = "StoreError"
    """The store answered with an error of its own (5xx)."""
    STORE_ANSWER_INVALID = "StoreAnswerInvalid"
    """The store's answer is not what its protocol says: empty, not JSON, too large, redirected."""
    STORE_RATE_LIMITED = "StoreRateLimited"
    """The store asks to slow down (429)."""
    STORE_BUSY = "StoreBusy"
    """Too many reads of this store are waiting already, or other stores derive their keys; this one queues."""

    ISSUER_DENIED = "IssuerDenied"
    """The issuer does not accept the right that it is shown to make and revoke keys, or that does not reach so far."""
    ISSUER_REFUSED = "IssuerRefused"
    """The issuer does not do with a key what was asked: it knows no such account, or that has as many keys as it may
    have. Nothing was done."""
    ISSUER_UNAVAILABLE = "IssuerUnavailable"
    """The issuer does not answer, asks to slow down, or answers with an error of its own (5xx)."""
    ISSUER_ANSWER_INVALID = "IssuerAnswerInvalid"
    """What was answered is not in the issuer's own form, so that it tells nothing: it is a proxy's, or too large."""

    KEY_NOT_MINTED = "KeyNotMinted"
    """An entry without `remoteRef` has no key yet: its issuer has not made one; or that one is being tested."""
    KEY_UNVERIFIED = "KeyUnverified"
    """A new value is not written yet: its issuer has not said whether it accepts it, and the credential says
    `liveness: Enforce`."""
    SECRET_MISSING = "SecretMissing"
    """The Secret was deleted while its store is down; it comes back with the store."""
    STALE = "Stale"
    """The store has not been read successfully for more than twice the refresh interval."""
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    """The namespace is being deleted."""
    KUBERNETES_UNAVAILABLE = "KubernetesUnavailable"
    """The API server does not answer, or answers with an error of its own."""
    STORE_CHANGED = "StoreChanged"
    """The store holds another version of the key than the one that was to be replaced; nothing is written."""
    CONFLICT = "Conflict"
    """Somebody else changed the object at the same moment."""
    AUDIT_UNAVAILABLE = "AuditUnavailable"
    """Nothing can be recorded, so nothing is done that must not be done unrecorded."""
    AUDIT_NEARLY_FULL = "AuditNearlyFull"
    """The audit trail has little room left."""
    AUDIT_TAMPERED = "AuditTampered"
    """The audit trail is not as it was written."""
    NOT_LEADER = "NotLeader"
    """This replica does not hold the Lease, so it writes nothing."""
    INTERNAL_ERROR = "InternalError"
    """A bug in Keywright; the log has its place, without values."""


#: Words by which the API server says why it refuses. What an admission webhook writes in their place is not told.
API_REASONS = frozenset(
    (
        *("AlreadyExists", "BadRequest", "Conflict", "Expired", "FieldManagerConflict", "FieldValueDuplicate"),
        *("FieldValueForbidden", "FieldValueInvalid", "FieldValueNotFound", "FieldValueNotSupported"),
        *("FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid", "Forbidden"),
        *("Gone", "InternalError", "Invalid", "MethodNotAllowed", "NamespaceTerminating", "NotAcceptable"),
        *("NotFound", "QuotaExceeded", "RequestEntityTooLarge", "ServerTimeout", "ServiceUnavailable", "Timeout"),
        *("TooManyRequests", "Unauthorized", "UnexpectedServerResponse", "UnsupportedMediaType"),
    )
)

#: Trouble of a store as a whole, not of one key in it.
STORE_TROUBLE = (
    Reason.STORE_UNREACHABLE,
    Reason.STORE_TIMEOUT,
    Reason.STORE_TLS_FAILED,
    Reason.STORE_SEALED,
    Reason.STORE_STANDBY,
    Reason.STORE_ERROR,
    Reason.STORE_ANSWER_INVALID,
    Reason.STORE_RATE_LIMITED,
    Reason.STORE_BUSY,
)

#: Trouble of a login, or of what it sees at all: the store's as a whole where everybody shares it.
LOGIN_TROUBLE = frozenset(
    {
        Reason.AUTH_FAILED,
        Reason.CREDENTIAL_MISSING,
        Reason.ENDPOINT_FORBIDDEN,
        Reason.FILE_CORRUPT,
        Reason.FILE_REFUSED,
        Reason.FILE_ROLLED_BACK,
        Reason.MOUNT_NOT_FOUND,
    }
)


class Error(Exception):
    """Base of all errors of Keywright.

    Args:
        reason: appears verbatim in conditions, Events and metrics.
        message: who answered what for which path, as a clause without a full stop and without any text or value from
            outside. A store's own errors begin with the verb (``answered 403 for team-a/llm``): the engine puts the
            store's name in front, see ``about``.
        hint: what to check, as an imperative without a full stop; may be empty.
    """

    #: Nobody was asked: this is what came of an attempt a moment ago.
    remembered = False

    def __init__(self, reason: Reason, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint

    def about(self, subject: str) -> Self:
        """Return the same error with the subject of its message put in front: ``KeyStore/vault answered 403 …``."""
        return self._but(message=f"{subject} {self.message}")

    def also(self, clause: str) -> Self:
        """Return the same error with a clause added to its message."""
        return self._but(message=f"{self.message}; {clause}")

    def again(self) -> Self:
        """Return the same error as what is remembered of an attempt."""
        return self._but(remembered=True)

    def _but(self, **changed: object) -> Self:
        other = type(self).__new__(type(self))
        vars(other).update(vars(self), **changed)
        other.args = (other.message,)
        return other


class Stalled(Error):
    """A person must change something: the spec, a right, a path."""


class StoreStalled(Stalled):
    """A person must change something at the store as a whole: told once, by the store, not by each of its objects."""


class Retry(Error):
    """Time will fix it.

    Args:
        after: seconds that the other side asked us to wait, if it did.
    """

    def __init__(self, reason: Reason, message: str, hint: str = "", *, after: float | None = None) -> None:
        super().__init__(reason, message, hint)
        self.after = after


class NotBegun(Retry):
    """Nobody was asked: what was to be done was given up before."""


class Outage(Retry):
    """The store as a whole is in trouble, not one key; counts for its breaker and its `Ready` condition."""


class LoginExpired(Retry):
    """The store no longer accepts the login; a new login may help. Never leaves ``engine/opened.py``."""


def place_of(foreign: Exception) -> str:
    """Return where an exception was raised, as ``file:line``, without its text."""
    frame = foreign.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else "?"


@contextlib.contextmanager
def boundary(translate: Callable[[Exception], Error]) -> Iterator[None]:
    """Let only our own errors out: every foreign exception becomes what ``translate`` makes of it.

    What comes out has no ``__context__`` and no ``__cause__`` through which a traceback, a debugger or an error
    reporter could reach a foreign exception and the values in it.
    """
    try:
        yield
        return
    except Error as own:
        ours = own
    except Exception as foreign:  # noqa: BLE001 - that is the point
        ours = translate(foreign)
    try:
        raise ours
    finally:
        # To Python the foreign exception is still being handled, by the with statement: it has just become the context.
        ours.__context__ = ours.__cause__ = None
