"""The Secret that an ApiKeySecret writes, as a part of its spec: whose it is, what it holds, what becomes of it.

Does not belong here: where values come from (``entries.py``), typed shapes (``shapes.py``).
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from ..schema import Annotations, Cel, DataKey, Labels, ObjectName, Printable, Renamed, Spec
from .shapes import Shapes

_NOT_OURS = Cel(
    "!self.exists(name, name.startsWith('keywright.dev/') || name.startsWith('merged.keywright.dev/'))",
    "names below keywright.dev/ and merged.keywright.dev/ are Keywright's own",
)
_NAMES = Cel(
    "self.all(name, name.size() <= 253 && name.matches(r'^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$'))",
    "the name of an entry is made of letters, digits, -, _ and .",
)
_Text = Annotated[str, pydantic.StringConstraints(max_length=16384)]
_Texts = Annotated[dict[str, _Text], pydantic.Field(max_length=64), _NAMES]
#: Signs that delimiters of templates are made of: not ``-`` and ``+``, by which Jinja trims white space.
DELIMITER = r"^[!#$%&*/:;<=>?@^|~(){}\[\]]+$"
_Sign = Annotated[Printable, pydantic.StringConstraints(min_length=2, max_length=4, pattern=DELIMITER)]


class Delimiters(Spec):
    """Signs around what is filled in."""

    left: _Sign
    """Sign in front, for example `[[`."""
    right: _Sign
    """Sign behind, for example `]]`."""


class ConfigMapRef(Spec):
    """A ConfigMap of the object's namespace."""

    name: ObjectName
    """Name of the ConfigMap."""


class TemplateFrom(Spec):
    """Templates that stand in a ConfigMap."""

    config_map_ref: ConfigMapRef
    """The ConfigMap; each of its entries is the template of an entry of that name."""
    keys: Annotated[list[DataKey], pydantic.Field(max_length=64)] = pydantic.Field(default_factory=list)
    """Which of its entries. Omitted, all."""


class Template(Spec):
    """Entries made out of other entries (Jinja2)."""

    cel = (
        Cel(
            "(has(self.stringData) && self.stringData.size() > 0) || (has(self.data) && self.data.size() > 0)"
            " || (has(self.from) && self.from.size() > 0)",
            "a template needs stringData, data or from",
        ),
    )
    renamed = (
        Renamed("templateFrom", "from"),
        Renamed("metadata", "labels and annotations directly in target"),
        Renamed("type", "type directly in target"),
        Renamed("engineVersion", "the templates in Jinja2"),
    )

    merge_policy: Literal["Replace", "Merge"] = "Replace"
    """`Replace`: the Secret holds what the template makes, and nothing else. `Merge`: the entries too."""
    delimiters: Delimiters | None = None
    """Signs around what is filled in, where something else, as Helm, takes `{{ }}` for itself."""
    string_data: _Texts = pydantic.Field(default_factory=dict)
    """Templates by the entries that they make: the text is the value."""
    data: _Texts = pydantic.Field(default_factory=dict)
    """Templates by the entries that they make: the text is Base64 of the value, as in a Secret."""
    from_: Annotated[list[TemplateFrom], pydantic.Field(max_length=8)] = pydantic.Field(
        default_factory=list, alias="from"
    )
    """Templates that stand in ConfigMaps; what is named here wins over them."""


class TargetSpec(Shapes):
    """The Secret that is written."""

    cel = (
        *Shapes.cel,
        Cel(
            "!has(self.type) || !(has(self.dockerConfig) || has(self.basicAuth) || has(self.sshAuth) || has(self.tls))",
            "the type follows from dockerConfig, basicAuth, sshAuth or tls",
        ),
        Cel(
            "!has(self.creationPolicy) || self.creationPolicy != 'Merge' || !has(self.immutable) || !self.immutable",
            "a Secret that entries are merged into is not this object's to make immutable",
        ),
    )

    name: ObjectName | None = None
    """Name of the Secret. Omitted, the object's own name."""
    type: Annotated[Printable, pydantic.StringConstraints(max_length=253)] = "Opaque"
    """Type of the Secret."""
    labels: Annotated[Labels, _NOT_OURS] = pydantic.Field(default_factory=dict)
    """Labels that the Secret gets."""
    annotations: Annotated[Annotations, _NOT_OURS] = pydantic.Field(default_factory=dict)
    """Annotations that the Secret gets."""
    creation_policy: Literal["Owner", "Merge"] = "Owner"
    """`Owner`: the Secret is created and kept by this object. `Merge`: the entries are added to a Secret that somebody
    else makes; nothing of his is touched."""
    adopt: Literal["Never", "IfEqual", "Always"] = "Never"
    """Whether a Secret of that name that is there already is taken over: never, if it holds the same, or always."""
    on_delete: Literal["Delete", "Retain"] = "Delete"
    """What happens to the Secret, or to the entries merged into one, when this object is deleted."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What happens to the Secret when the stores say that all of its keys are gone; a refusal, an outage or silence
    never counts as gone."""
    allow_shrink: bool = False
    """Whether the Secret may lose entries because a store no longer has them."""
    template: Template | None = None
    """Entries made out of the entries."""
    immutable: bool = False
    """Whether the Secret is made immutable; only with `refreshInterval: "0"`."""

    @property
    def merges(self) -> bool:
        """Whether the entries go into a Secret that somebody else makes."""
        return self.creation_policy == "Merge"
