"""What the API server itself sees to, by ValidatingAdmissionPolicies and their bindings. Pure.

One says who may make a KeyAction: the operator believes ``requestedBy`` where the cluster has just this, and had it
before the KeyAction was made. The other holds the operator's own ServiceAccount to its one annotation in workloads.
The chart ships what stands here (``make generate`` writes its copies).

Does not belong here: reading what the cluster has (``engine/requesters.py``), rights (the chart's roles).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import pacing
from .kinds import GROUP, VERSION, KeyAction
from .kinds.rollout import RESTARTED

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

#: Name of the policy for rollouts, and of its binding; and whom it holds. The chart puts its own in their places.
ROLLOUTS: Final = f"rollouts.{GROUP}"
ACCOUNT: Final = "system:serviceaccount:NAMESPACE:NAME"

#: A keyed fingerprint with the id of its key, as ``FingerprintKey`` makes them.
FINGERPRINT: Final = "^[0-9a-zA-Z]{1,32}:[0-9a-f]{16,64}$"
_OURS = f"k.startsWith('{RESTARTED}')"


def _same(part: str, *but: str) -> str:
    """Return the expression for a part of an object that is as it was, some of its fields apart."""
    return _equal(f"variables.was.{part}", f"variables.now.{part}", *but)


def _equal(was: str, now: str, *but: str) -> str:
    apart = "".join(f"k == '{each}' || " for each in but)
    return f"{was}.all(k, {apart}(k in {now} && {now}[k] == {was}[k])) && {now}.all(k, {apart}k in {was})"


def _annotations(part: str) -> str:
    return f"variables.{part}.?annotations.orValue({{}})"


def _validation(expression: str, what: str) -> Json:
    return {"expression": expression, "message": f"Keywright may not change {what}", "reason": "Forbidden"}


#: What the API server itself changes with the template.
_SERVERS_OWN = ("generation", "managedFields", "resourceVersion")
_OF_DAEMONS = "deprecated.daemonset.template.generation"

#: A restart is a fingerprint in an annotation of the pod template; everything else of a workload is not Keywright's.
ROLLOUT_POLICY: Final[Json] = {
    "failurePolicy": "Fail",
    "matchConditions": [{"name": "operator", "expression": f"request.userInfo.username == '{ACCOUNT}'"}],
    "matchConstraints": {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [
            {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["deployments", "statefulsets", "daemonsets"],
                "scope": "*",
            }
        ],
    },
    "variables": [
        # Fields that a later Kubernetes adds are compared as well: so they are looked at without their types.
        {"name": "was", "expression": "dyn(oldObject)"},
        {"name": "now", "expression": "dyn(object)"},
        {"name": "titled", "expression": _annotations("was.metadata")},
        {"name": "titles", "expression": _annotations("now.metadata")},
        {"name": "noted", "expression": _annotations("was.spec.template.metadata")},
        {"name": "notes", "expression": _annotations("now.spec.template.metadata")},
    ],
    "validations": [
        _validation("request.operation == 'UPDATE'", "what workloads there are"),
        _validation(_same("metadata", *_SERVERS_OWN, "annotations"), "a workload's metadata"),
        _validation(_equal("variables.titled", "variables.titles", _OF_DAEMONS), "a workload's annotations"),
        _validation(_same("spec", "template"), "a workload's spec outside of its pod template"),
        _validation(_same("spec.template", "metadata"), "the spec of a workload's pods"),
        _validation(_same("spec.template.metadata", "annotations"), "labels of a workload's pods"),
        _validation(
            f"variables.noted.all(k, k in variables.notes && ({_OURS} || variables.notes[k] == variables.noted[k]))"
            f" && variables.notes.all(k, k in variables.noted || {_OURS})",
            f"annotations of a workload's pods, but those below {RESTARTED}",
        ),
        _validation(
            f"variables.notes.all(k, !{_OURS} || (k in variables.noted && variables.notes[k] == variables.noted[k])"
            f" || variables.notes[k].matches('{FINGERPRINT}'))",
            "its annotation to anything but a fingerprint",
        ),
    ],
}
ROLLOUT_BINDING: Final[Json] = {"policyName": ROLLOUTS, "validationActions": ["Deny"]}

_API_VERSION = "admissionregistration.k8s.io/v1"


def manifests() -> dict[str, Json]:
    """Return what the chart ships: the policy and its binding, by what they are called in file names."""
    return {
        "policy": _manifest("ValidatingAdmissionPolicy", NAME, POLICY),
        "binding": _manifest("ValidatingAdmissionPolicyBinding", NAME, BINDING),
    }


def rollout_manifests() -> dict[str, Json]:
    """Return the same for the operator's own ServiceAccount, where it may restart workloads."""
    return {
        "policy": _manifest("ValidatingAdmissionPolicy", ROLLOUTS, ROLLOUT_POLICY),
        "binding": _manifest("ValidatingAdmissionPolicyBinding", ROLLOUTS, ROLLOUT_BINDING),
    }


def _manifest(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


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
