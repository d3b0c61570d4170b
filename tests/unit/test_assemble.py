"""Which objects are worked through beside the event loop: those that could hold up others. No server."""

from __future__ import annotations

from typing import Any

import pytest

from keywright.engine.assemble import Assembly, Before
from keywright.engine.wants import Answered
from keywright.kinds import ApiKeySecretSpec

EXTRACT = {"extract": {"path": "llm/shared"}}
REGEXP = {"regexp": {"source": "a", "target": "b"}}


@pytest.mark.parametrize(
    ("rules", "large"), [([], False), ([{"case": "UpperSnake"}, {"prefix": "APP_"}], False), ([REGEXP], True)]
)
def test_an_object_whose_rewrites_have_an_expression_is_worked_through_beside(
    rules: list[dict[str, Any]], large: bool
) -> None:
    spec = ApiKeySecretSpec.model_validate({"storeRef": {"name": "vault"}, "dataFrom": [EXTRACT | {"rewrite": rules}]})
    answers: list[Answered] = []

    assert Assembly(spec, answers, Before({}, {}, may_go=True)).large is large
