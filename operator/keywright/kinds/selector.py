"""Selectors of labels, as everywhere in Kubernetes.

Does not belong here: what is selected (the kinds).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import pydantic

from ..schema import Cel, Closed, LabelKey, Labels, LabelValue, Renamed, Spec


class LabelRequirement(Spec):
    """One requirement on labels."""

    cel = (
        Cel(
            "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0"
            " : !has(self.values) || self.values.size() == 0",
            "In and NotIn need values, Exists and DoesNotExist have none",
        ),
    )

    key: LabelKey
    """Label that it is about."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared with the values."""
    values: Annotated[list[LabelValue], pydantic.Field(max_length=64)] = pydantic.Field(default_factory=list)
    """Values, for `In` and `NotIn`."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the requirement."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class LabelSelector(Spec):
    """Selects by labels, as everywhere in Kubernetes; `{}` selects everything.

    What is not understood selects too much. So any other field is refused, by the API server and on reading.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    cel = (Closed(),)
    renamed = (
        Renamed("matchlabels", "matchLabels"),
        Renamed("matchLabel", "matchLabels"),
        Renamed("labels", "matchLabels"),
        Renamed("matchExpression", "matchExpressions"),
        Renamed("matchexpressions", "matchExpressions"),
    )

    match_labels: Labels = pydantic.Field(default_factory=dict)
    """Labels that must have these values."""
    match_expressions: Annotated[list[LabelRequirement], pydantic.Field(max_length=64)] = pydantic.Field(
        default_factory=list
    )
    """Requirements that must all be met."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are selected."""
        plain = all(labels.get(key) == value for key, value in self.match_labels.items())
        return plain and all(each.matches(labels) for each in self.match_expressions)
