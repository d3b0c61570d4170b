"""Ways in which an object with a value fails for what the value is, or for what is wanted of it; one name each.

Does not belong here: servers that misbehave (``operator/test_canary.py``), how values are found (``sweep``).
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from build import api_key_secret, entry
from keywright.issuers import ISSUERS

Json = dict[str, Any]

#: Stands for the branch's own path in the store, whose property ``v`` is the canary.
HERE = "@"
USUAL = '{}"+/&ü'
PEM = "-----BEGIN {0}-----\n{{}}\n{{}}\n-----END {0}-----\n"
EXTRACT: Json = {"extract": {"path": HERE}}


@dataclasses.dataclass(frozen=True)
class Branch:
    """One way to fail.

    Attributes:
        reason: of the object's condition.
        spec: of the object, where ``HERE`` is the path of its key.
        form: of the canary; its place is ``{}``.
        fields: of the key, beside the canary.
    """

    reason: str
    spec: Json
    form: str = USUAL
    fields: Json = dataclasses.field(default_factory=dict)

    def manifest(self, name: str) -> Json:
        """Return the object."""
        found: Json = json.loads(json.dumps(self.spec).replace(json.dumps(HERE), json.dumps(name)))
        return api_key_secret(name, **found)


def _entry(reason: str, form: str = USUAL, property: str = "v", **more: Any) -> Branch:  # noqa: A002 - the field's name
    """Return a branch of one entry."""
    return Branch(reason, {"data": [entry("KEY", HERE, property, **more)]}, form)


def _query(reason: str, expression: str) -> Branch:
    return Branch(reason, {"data": [entry("KEY", HERE, remote={"jmesPath": expression})]})


def _target(reason: str, form: str = USUAL, **target: Any) -> Branch:
    return Branch(reason, {"data": [entry("KEY", HERE, "v")], "target": target}, form, {"other": "x"})


def _template(reason: str, text: str, form: str = USUAL, field: str = "stringData") -> Branch:
    return _target(reason, form, template={field: {"OUT": text}})


def _extracts(reason: str, *extracts: Json, **fields: Any) -> Branch:
    return Branch(reason, {"data": None, "dataFrom": list(extracts)}, fields=fields)


def _rewritten(*steps: Json) -> Json:
    return {**EXTRACT, "rewrite": list(steps)}


def malformed(issuer: str, form: str) -> Branch:
    """Return a branch of a credential whose first part holds a canary, and cannot be such a part."""
    parts = [each.name for each in ISSUERS[issuer].parts if each.required] or ["token"]
    names = {part: part.upper() for part in parts}
    data = [entry(names[part], HERE, "v" if part == parts[0] else "other") for part in parts]
    check = {"format": "Enforce", "liveness": "Off"}
    credential: Json = {"name": "it", "issuer": issuer, "parts": names, "check": check}
    if issuer == "custom":
        credential["custom"] = {"parts": [{"name": "token", "pattern": "^mine-[0-9]+$"}]}
    return Branch("KeyMalformed", {"data": data, "credentials": [credential]}, form, {"other": "x" * 40})


TLS = {"certificateFrom": "KEY", "privateKeyFrom": "KEY"}

BRANCHES: dict[str, Branch] = {
    # Values that are not as the entry says.
    "decode-base64": _entry("DecodeFailed", decode="Base64"),
    "decode-base64url": _entry("DecodeFailed", decode="Base64URL"),
    "decode-with-a-break": _entry("DecodeFailed", "{}\n", decode="Base64"),
    "decode-pem": _entry("DecodeFailed", PEM.format("PRIVATE KEY"), decode="Base64"),
    "value-too-large": _entry("ValueTooLarge", USUAL * 24_000),
    "value-empty": Branch("ValueEmpty", {"data": [entry("K", HERE, "e"), entry("KEY", HERE, "v")]}, fields={"e": ""}),
    "property-below-text": _entry("PropertyNotFound", property="v.deeper"),
    "property-missing": _entry("PropertyNotFound", property="w"),
    "query-of-another-type": _query("PropertyNotFound", "sort_by(v, &number)"),
    "query-without-result": _query("PropertyNotFound", "v.x"),
    "query-that-is-none": _query("InvalidSpec", "v[["),
    "query-that-makes-lists": _query("InvalidSpec", "[v, v]"),
    "path-missing": Branch("NotFound", {"data": [entry("K", "nowhere", "v"), entry("KEY", HERE, "v")]}),
    "version-missing": _entry("NotFound", remote={"version": "7"}),
    "version-that-is-none": _entry("Unsupported", remote={"version": "latest"}),
    "store-missing": Branch("StoreNotFound", {"data": [entry("KEY", HERE, "v")], "storeRef": {"name": "nowhere"}}),
    # Names.
    "extract-twice": _extracts("ConflictingEntries", EXTRACT, EXTRACT),
    "extract-of-text": _extracts("PropertyNotFound", {"extract": {"path": HERE, "property": "v"}}),
    "extract-of-a-list": _extracts("PropertyNotFound", {"extract": {"path": HERE, "property": "l"}}, l=[1]),
    "extract-with-names-that-are-none": _extracts("InvalidSpec", EXTRACT, **{"no name!": "x"}),
    "rewrite-into-one": _extracts(
        "ConflictingEntries", _rewritten({"regexp": {"source": "^.*$", "target": "X"}}), w="x"
    ),
    "rewrite-into-nothing": _extracts("InvalidSpec", _rewritten({"regexp": {"source": "^v$", "target": ""}})),
    "rewrite-that-is-none": _extracts("InvalidSpec", _rewritten({"regexp": {"source": "((", "target": "X"}})),
    # Templates.
    "template-undefined": _template("TemplateFailed", "{{ KEY }}{{ NOTHING }}"),
    "template-value-as-a-name": _template("TemplateFailed", "{{ ({'a': 'b'})[KEY] }}"),
    "template-value-as-an-index": _template("TemplateFailed", "{{ KEY[KEY] }}"),
    "template-syntax": _template("TemplateInvalid", "{{ KEY"),
    "template-loop": _template("TemplateFailed", "{% for x in KEY %}{{ x }}{% endfor %}"),
    "template-call": _template("TemplateInvalid", "{{ KEY.format() }}"),
    "template-filter-that-is-none": _template("TemplateInvalid", "{{ KEY | nothing }}"),
    "template-fromjson": _template("TemplateFailed", "{{ KEY | fromjson }}"),
    "template-fromjson-cut-off": _template("TemplateFailed", "{{ KEY | fromjson }}", '[["{}"'),
    "template-b64decode": _template("TemplateFailed", "{{ KEY | b64decode }}"),
    "template-list-as-text": _template("TemplateFailed", "{{ KEY | split('-') }}"),
    "template-text-as-a-list": _template("TemplateFailed", "{{ KEY | join(',') }}"),
    "template-text-as-a-number": _template("TemplateFailed", "{{ 'x' | indent(KEY) }}"),
    "template-not-in-base64": _template("DecodeFailed", "{{ KEY }}", field="data"),
    "template-missing": _target("TemplateNotFound", template={"from": [{"configMapRef": {"name": "nowhere"}}]}),
    # Shapes, and types of Secrets.
    "shape-tls": _target("ShapeFailed", tls=TLS),
    "shape-tls-certificate": _target("ShapeFailed", PEM.format("CERTIFICATE"), tls=TLS),
    "shape-tls-key": _target("ShapeFailed", PEM.format("PRIVATE KEY"), tls=TLS),
    "shape-ssh": _target("ShapeFailed", sshAuth={"privateKeyFrom": "KEY"}),
    "shape-registry-without-user": _target(
        "ShapeFailed", dockerConfig={"registries": [{"server": "ghcr.io", "usernameFrom": "NO", "passwordFrom": "KEY"}]}
    ),
    "shape-user-with-a-colon": _target(
        "ShapeFailed",
        "{}:{}",
        dockerConfig={"registries": [{"server": "ghcr.io", "usernameFrom": "KEY", "passwordFrom": "KEY"}]},
    ),
    "shape-dotenv": _target("ShapeFailed", "{}\0{}", dotenv={}),
    "type-docker": _target("TargetRefused", type="kubernetes.io/dockerconfigjson"),
    "type-docker-with-text": Branch(
        "TargetRefused",
        {
            "data": [entry(".dockerconfigjson", HERE, "v")],
            "target": {"type": "kubernetes.io/dockerconfigjson"},
        },
    ),
    "type-tls": _target("TargetRefused", type="kubernetes.io/tls"),
    "type-ssh": _target("TargetRefused", type="kubernetes.io/ssh-auth"),
    "type-token": _target("ForbiddenType", type="kubernetes.io/service-account-token"),
    # Secrets that are in the way.
    "target-foreign": _target("TargetExists"),
    "target-unequal": _target("TargetExists", adopt="IfEqual"),
    "target-missing": _target("TargetMissing", name="nowhere", creationPolicy="Merge"),
    "target-contested": _target("KeyOwnedElsewhere", creationPolicy="Merge"),
    "target-of-another-type": _target("TargetTypeDiffers", adopt="Always"),
    "target-immutable": _target("TargetImmutable", adopt="Always"),
    "target-refused-by-a-policy": _target("TargetRefused", labels={"refuse": "me"}),
    # Credentials.
    "part-missing": Branch(
        "PartNotFound",
        {
            "data": [entry("KEY", HERE, "v")],
            "credentials": [{"name": "it", "issuer": "openai", "parts": {"apiKey": "OTHER"}}],
        },
    ),
    **{f"malformed-{name.lower()}": malformed(name, "{}\n") for name in ISSUERS},
    "malformed-white-space": malformed("openai", "sk-proj-{} {}"),
    "malformed-of-another": malformed("openai", "ghp_{}"),
    "malformed-json": malformed("gcpServiceAccount", '{"type": "service_account", "private_key": "{}"'),
    "unrecognised": dataclasses.replace(malformed("github", "ghp_{}"), reason="KeyWarning"),
    "unrecognised-quoted": dataclasses.replace(malformed("anthropic", '"{}"'), reason="KeyWarning"),
}

#: Secrets that are there before the objects that are in their way; where a value is held, it is the canary's.
IN_THE_WAY: dict[str, Json] = {
    "target-foreign": {},
    "target-unequal": {},
    "target-contested": {},
    "target-of-another-type": {"type": "example.com/another"},
    "target-immutable": {"immutable": True},
}
