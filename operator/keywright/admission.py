"""Who may make a KeyAction, as the API server itself sees to it: a ValidatingAdmissionPolicy and its binding. Pure.

The chart ships what stands here (``make generate`` writes its copies). The operator believes ``requestedBy`` where the
cluster has just this, and had it before the KeyAction was made.

Does not belong here: reading what the cluster has (``engine/requesters.py``), rights (the chart's roles).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import pacing
from .kinds import GROUP, VERSION, KeyAction

Json = dict[str, Any]

#: Name of the policy, and of its binding.
NAME: Final = f"{KeyAction.plural}.{GROUP}"
#: Seconds after which every API server has surely heard of a policy that was changed.
HEARD = 5.0

_VERB = "object.spec.action.lowerAscii()"

#: The specs as the API server gives them back: its defaults are written out, so that they can be compared.
POLICY: Final[Json] = {
    "failurePolicy": "Fail",
    "matchConstraints": {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [
            {
                "apiGroups": [GROUP],
                "apiVersions": [VERSION],
                "operations": ["CREATE"],
                "resources": [KeyAction.plural],
                "scope": "*",
            }
        ],
    },
    "validations": [
        {
            "expression": "has(object.spec.requestedBy) && object.spec.requestedBy == request.userInfo.username",
            "message": "spec.requestedBy must be who makes the KeyAction, as kubectl auth whoami tells it",
            "messageExpression": "'spec.requestedBy must be who makes the KeyAction: ' + request.userInfo.username",
            "reason": "Forbidden",
        },
        {
            "expression": f"authorizer.group('{GROUP}').resource('apikeysecrets').namespace(request.namespace)"
            f".name(object.spec.apiKeySecret).check({_VERB}).allowed()",
            "message": "who makes a KeyAction needs the right to its verb on the ApiKeySecret",
            "messageExpression": f"request.userInfo.username + ' has no right to ' + {_VERB}"
            " + ' apikeysecrets/' + object.spec.apiKeySecret + ' in namespace ' + request.namespace",
            "reason": "Forbidden",
        },
    ],
}
BINDING: Final[Json] = {"policyName": NAME, "validationActions": ["Deny"]}

_API_VERSION = "admissionregistration.k8s.io/v1"


def manifests() -> dict[str, Json]:
    """Return what the chart ships: the policy and its binding, by what they are called in file names."""
    return {
        "policy": _manifest("ValidatingAdmissionPolicy", POLICY),
        "binding": _manifest("ValidatingAdmissionPolicyBinding", BINDING),
    }


def _manifest(kind: str, spec: Json) -> Json:
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def doubt(policy: Json | None, binding: Json | None, created: str) -> str:
    """Return why it is not proven who made a KeyAction, as a clause; empty if it is.

    Args:
        policy: as the cluster has it; None if it has none.
        created: when the KeyAction was made, RFC 3339, as the API server says.
    """
    for found, title, shipped in (
        (policy, f"ValidatingAdmissionPolicy {NAME}", POLICY),
        (binding, f"ValidatingAdmissionPolicyBinding {NAME}", BINDING),
    ):
        if found is None:
            return f"the cluster has no {title}"
        if found.get("spec") != shipped or "deletionTimestamp" in found["metadata"]:
            return f"{title} is not as this version ships it"
        if not _was_in_force(found["metadata"], created):
            return f"{title} is newer than the KeyAction, or was changed since"
    return ""


def _was_in_force(metadata: Mapping[str, Any], created: str) -> bool:
    """Whether an object had been as it is for a while when another one was made.

    The API server notes of everybody who ever changed it when that was. Where that is missing nothing is known.
    """
    entries = metadata.get("managedFields") or []
    changes = [each.get("time") for each in entries if each.get("subresource") != "status"]
    times = [pacing.unix(each) for each in (metadata.get("creationTimestamp"), *changes)]
    made = pacing.unix(created)
    known = [each for each in times if each is not None]
    return bool(changes) and made is not None and len(known) == len(times) and max(known) + HEARD < made
