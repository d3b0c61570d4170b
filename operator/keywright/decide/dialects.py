"""What other template languages call it: Go templates, sprig and Jinja first of all, and what to write here.

Does not belong here: what there is (``filters.py``), what may be (``sandbox.py``).
"""

from __future__ import annotations

import re
from typing import Final

from .filters import FILTERS

_JSON_IS_YAML = "Write value | tojson: JSON is YAML"
_QUOTES = "Write value | tojson for double quotes, value | shquote for a shell"
_WRITE_OUT = "Write a condition or a loop, or choose with property or jmesPath"
_WORDS_OF_GO: Final = frozenset(
    {"range", "if", "with", "define", "template", "include", "else", "end", "block", "eq", "ne"}
)
GO: Final = "Write value | filter, names without a dot in front, if and for in {% %}: this reads like a Go template"

#: What others call it, Go templates, sprig and Jinja first of all, and what to write here.
ELSEWHERE: Final[dict[str, str]] = {
    **dict.fromkeys(("toJson", "toPrettyJson", "toRawJson", "mustToJson", "to_json"), "Write value | tojson"),
    **dict.fromkeys(("fromJson", "mustFromJson", "from_json", "parseJSON"), "Write value | fromjson"),
    **dict.fromkeys(("toYaml", "to_yaml", "yaml"), _JSON_IS_YAML),
    **dict.fromkeys(("b64enc", "base64", "base64encode"), "Write value | b64encode"),
    **dict.fromkeys(("b64dec", "base64decode"), "Write value | b64decode"),
    **dict.fromkeys(("urlquery", "urlescape", "url_encode", "quote_plus"), "Write value | urlencode"),
    **dict.fromkeys(("sha256sum", "hash"), "Write value | sha256"),
    **dict.fromkeys(("htpasswd", "password_hash"), 'Write user ~ ":" ~ password | bcrypt'),
    **dict.fromkeys(("quote", "squote"), _QUOTES),
    **dict.fromkeys(("nindent",), "Write a line break and value | indent(4, true)"),
    **dict.fromkeys(("trimAll", "trimSpace", "strip"), "Write value | trim"),
    **dict.fromkeys(("splitList", "splitn"), 'Write value | split(",")'),
    **dict.fromkeys(("toUpper", "upcase"), "Write value | upper"),
    **dict.fromkeys(("toLower", "downcase"), "Write value | lower"),
    **dict.fromkeys(("count", "len"), "Write value | length"),
    **dict.fromkeys(("d", "coalesce"), 'Write value | default("text")'),
    **dict.fromkeys(("format", "printf", "print", "string", "cat"), "Write texts and names one after the other"),
    **dict.fromkeys(("safe", "e", "escape", "forceescape"), "Leave it out: nothing is escaped by itself"),
    **dict.fromkeys(("dictsort", "dict"), "Write for name, value in map | items"),
    **dict.fromkeys(("map", "select", "selectattr", "reject", "rejectattr", "index", "get"), _WRITE_OUT),
}

#: `.name`, `$name`, `(.name`, `function argument`.
_LIKE_GO = re.compile(rf"(?:^|[\s(|])[.$]\w|^\s*(?:{'|'.join((*_WORDS_OF_GO, *ELSEWHERE, *FILTERS))})\b")


def instead(name: str, otherwise: str) -> str:
    """Return the hint for a name that there is not: the filter that it stands for as others write it, or otherwise."""
    if name in FILTERS:
        return f"Write value | {name}"
    return ELSEWHERE.get(name, GO if name in _WORDS_OF_GO else otherwise)


def like_go(text: str, left: str, right: str) -> bool:
    """Whether an expression of a text that cannot be parsed reads like a Go template's."""
    inside = re.findall(rf"{re.escape(left)}-?(.*?)(?:{re.escape(right)}|$)", text, re.MULTILINE)
    return any(map(_LIKE_GO.search, inside))
