"""The templates of one object: which there are, inline and in ConfigMaps, and what they make of its entries.

Does not belong here: the language of templates (``decide/template.py``).
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import errors
from ..errors import Reason
from ..kinds.target import Template as TemplateSpec
from ..secret import SecretMap, SecretValue

if TYPE_CHECKING:
    from ..decide.template import Template

#: Templates of one object, and seconds that all of them together may take.
MOST, LONGEST = 64, 3.0

Read = Callable[[str], Awaitable[dict[str, Any] | None]]


class Templating:
    """Makes entries out of entries.

    Args:
        texts: templates that stand in ConfigMaps, by the entries that they make.
        about: what templates may know of the object: its name and namespace.
        salt: gives 16 bytes for a value, the same ones each time.
    """

    def __init__(
        self,
        spec: TemplateSpec,
        texts: Mapping[str, str],
        about: Mapping[str, str],
        salt: Callable[[bytes], bytes],
    ) -> None:
        self._spec, self._about, self._salt = spec, about, salt
        encoded = {name: text for name, text in spec.data.items() if name not in spec.string_data}
        self._encoded, self._texts = encoded.keys(), {**texts, **spec.string_data, **encoded}

    def run(self, inputs: SecretMap, entries: SecretMap, others: SecretMap) -> dict[str, SecretValue]:
        """Return the entries that the Secret has with the templates' own.

        Args:
            inputs: what templates may use.
            entries: what the Secret would hold without templates.
            others: what shapes make.

        Raises:
            errors.Stalled: ``TemplateInvalid``, ``TemplateFailed``, ``ValueTooLarge``, ``DecodeFailed``,
                ``ConflictingEntries``.
        """
        ends, made = time.monotonic() + LONGEST, dict[str, SecretValue]()
        for name, text in self._texts.items():
            rendered = self._rendered(name, text, inputs)
            made[name] = _decoded(name, rendered) if name in self._encoded else rendered
            if time.monotonic() > ends:
                said = f"its templates take longer than {LONGEST:g} s to fill in"
                raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Use fewer or simpler templates")
        if twice := sorted(made.keys() & others.keys()):
            said = f"a template and a shape both make entry {twice[0]}"
            raise errors.Stalled(Reason.CONFLICTING_ENTRIES, said, "Give one of them another name")
        return {**(entries if self._spec.merge_policy == "Merge" else {}), **made}

    def _rendered(self, name: str, text: str, inputs: SecretMap) -> SecretValue:
        return self._compiled(name, text).render(inputs, self._about, self._salt)

    def _compiled(self, name: str, text: str) -> Template:
        from ..decide.template import DELIMITERS, Template  # noqa: PLC0415 - some MiB that only templates need

        signs = self._spec.delimiters
        return Template(text, f"template of entry {name}", (signs.left, signs.right) if signs else DELIMITERS)


def _decoded(name: str, made: SecretValue) -> SecretValue:
    """Return what a template under `data` means: its text is Base64, as in a Secret."""
    wrong = errors.Stalled(
        Reason.DECODE_FAILED,
        f"template of entry {name} makes what is not Base64",
        "Put the template into stringData, or use b64encode in it",
    )
    try:
        return SecretValue(base64.b64decode(made.reveal(), validate=True))
    except (binascii.Error, ValueError):
        raise wrong from None


async def texts(spec: TemplateSpec, read: Read) -> dict[str, str]:
    """Return the templates that stand in ConfigMaps.

    Args:
        read: returns a ConfigMap of the object's namespace; None if there is none.

    Raises:
        errors.Stalled: ``TemplateNotFound``.
    """
    found: dict[str, str] = {}
    for each in spec.from_:
        name = each.config_map_ref.name
        config_map = await read(name)
        if config_map is None:
            raise _missing(f"templates are wanted of ConfigMap {name}, which does not exist", "Create it")
        held = config_map.get("data") or {}
        if not held:
            raise _missing(f"ConfigMap {name} holds no templates", "Add them")
        for key in each.keys or sorted(held):
            if key not in held:
                raise _missing(f"ConfigMap {name} has no entry {key} with a template", "Add it, or correct from.keys")
            found[key] = held[key]
    if len(found) > MOST:
        said = f"its ConfigMaps hold {len(found)} templates, and an object takes {MOST}"
        raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Name the wanted ones in from.keys")
    return found


def _missing(said: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.TEMPLATE_NOT_FOUND, said, hint)
