"""What AWS says, and what it means: about keys, about secrets, about itself. Its own words are told, its texts never.

Does not belong here: asking (``aws``, ``_aws_login``, ``_aws_write``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import errors
from ..errors import Reason

if TYPE_CHECKING:
    from ..botocore_adapter import Reply

#: What AWS says of keys that it does not take: unknown, switched off, wrong, ended.
BAD_KEYS = frozenset(
    (
        *("ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "IncompleteSignatureException"),
        *("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken"),
        *("MissingAuthenticationTokenException", "NotAuthorized", "OptInRequired", "RequestExpired"),
        *("SignatureDoesNotMatch", "UnrecognizedClientException"),
    )
)
#: A signature is good for some minutes.
_CLOCKS = re.compile("signature (expired|not yet current)", re.IGNORECASE)
#: In the text of an InvalidRequestException.
_DELETED = re.compile("marked (for deletion|deleted)|scheduled for deletion", re.IGNORECASE)


def bad_keys(reply: Reply, who: str) -> tuple[str, str]:
    """Return message and hint for keys that are not taken."""
    if _CLOCKS.search(reply.text) or reply.code == "RequestExpired":
        return f"{reply.said} ({reply.code}): its clock and ours differ", "Check the clock of the operator's node"
    return f"{reply.said} ({reply.code})", f"Check {who}: that it is right, active, and has not ended"


def trouble(reply: Reply) -> errors.Error:
    """Return what an answer means that is about neither keys nor a secret."""
    if reply.status == 429 or reply.code in _THROTTLED:
        hint = "Lower limits.requestsPerSecond, or raise the account's quota"
        said = f"{reply.said}: asked to slow down"
        return errors.Outage(Reason.STORE_RATE_LIMITED, said, hint, after=reply.retry_after)
    reason = Reason.STORE_ERROR if reply.status >= 500 else Reason.STORE_ANSWER_INVALID
    hint = "Check aws.region and the endpoints, and AWS Health" if reply.status >= 500 else "Check aws.endpoint"
    return errors.Outage(reason, reply.said, hint, after=reply.retry_after)


_THROTTLED = frozenset(
    ("Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException")
)


#: What Secrets Manager says of a secret: why, in words, and what to do.
_REFUSALS: Mapping[str, tuple[Reason, str, str]] = {
    "ResourceNotFoundException": (Reason.NOT_FOUND, "", "Check path, version and aws.region"),
    "AccessDeniedException": (Reason.ACCESS_DENIED, "", "Allow {who} secretsmanager:GetSecretValue on it"),
    "DecryptionFailure": (Reason.ACCESS_DENIED, ": its KMS key cannot be used", "Check that the key is enabled"),
    "EncryptionFailure": (Reason.ACCESS_DENIED, ": its KMS key cannot be used", "Check that the key is enabled"),
    "InvalidRequestException": (Reason.UNSUPPORTED, "", "Look at the secret in AWS"),
    "InvalidParameterException": (Reason.UNSUPPORTED, "", "Check path and version"),
    "ValidationException": (Reason.UNSUPPORTED, "", "Check path and version"),
}


def refused(reply: Reply, who: str) -> errors.Error:
    """Return what an answer means that gives no secret."""
    if reply.code in BAD_KEYS:
        return errors.LoginExpired(Reason.AUTH_FAILED, *bad_keys(reply, who))
    if reply.code not in _REFUSALS or reply.status >= 500:
        return trouble(reply)
    reason, meaning, hint = _REFUSALS[reply.code]
    if reply.code == "InvalidRequestException" and _DELETED.search(reply.text):
        reason, meaning, hint = Reason.VERSION_DELETED, ": scheduled for deletion", "Restore it in AWS"
    if reply.code == "AccessDeniedException" and "KMS" in reply.text:
        meaning, hint = ": its KMS key is denied", "Allow {who} kms:Decrypt on the secret's key"
    return errors.Stalled(reason, f"{reply.said} ({reply.code}){meaning}", hint.format(who=who))
