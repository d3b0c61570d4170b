"""Where keys are made, as each way to have them made tells it: for all that have them made there in the same words."""

from __future__ import annotations

from typing import Any

import pytest

from issuing.cases import CASES, webhook
from keywright.issuing import ISSUING
from stores.contract import HeldCredentials

#: Fields by which keys are made elsewhere, where that is not what the case calls another account.
ELSEWHERE: dict[str, Any] = {"anthropic": {"workspace": "wrkspc_2"}}
#: The same place in other words.
SPELLED: dict[str, list[tuple[Any, Any]]] = {
    "awsIam": [({"user": "ci"}, {"user": "CI", "endpoint": "https://vpce.example"})],
    "azureOpenai": [({"account": "acme", "resourceGroup": "llm"}, {"account": "Acme", "resourceGroup": "LLM"})],
    "githubApp": [
        ({"endpoint": None}, {"endpoint": "https://API.github.com:443/", "permissions": {"contents": "read"}}),
    ],
    "gitlab": [
        ({"endpoint": None}, {"endpoint": "https://GitLab.com:443/"}),
        (
            {"endpoint": "https://[fd00::1]:8443/git"},
            {"endpoint": "https://[FD00::1]:8443/git/", "project": "Team/App"},
        ),
    ],
    "openai": [({"scopes": ["a"], "lifetime": "1d"}, {"endpoint": "https://gateway.example"})],
    "vaultDynamic": [
        ({"server": "https://vault.example"}, {"server": "https://VAULT.example:443/", "increment": "1h"}),
        ({"namespace": "teams/a"}, {"namespace": "teams/a/", "parts": {"login": "username"}}),
    ],
    "webhook": [
        (
            {"server": "https://keys.example"},
            {"server": "https://KEYS.example.:443", "issue": webhook("")["issue"] | {"path": "/v1/keys?pass=x"}},
        )
    ],
}


def account(name: str, *changes: Any, right: str = "right") -> str:
    """Return what it tells, when it is shown nothing."""
    config = CASES[name].config("http://127.0.0.1:1") | ({"user": "ci"} if name == "awsIam" else {})
    for each in changes:
        config |= each
    kind = ISSUING[name]
    return kind(kind.Config.model_validate(_by_another_right(config, right)), HeldCredentials(), 5.0).account


def _by_another_right(config: Any, name: str) -> Any:
    if isinstance(config, dict):
        return {
            key: name if (key, each) == ("name", "right") else _by_another_right(each, name)
            for key, each in config.items()
        }
    return [_by_another_right(each, name) for each in config] if isinstance(config, list) else config


@pytest.mark.parametrize("name", sorted(CASES))
def test_by_whose_right_does_not_change_where_keys_are_made(name: str) -> None:
    assert account(name) == account(name, right="another") != ""


@pytest.mark.parametrize("name", sorted(CASES))
def test_another_place_is_told_otherwise(name: str) -> None:
    assert account(name, ELSEWHERE.get(name, CASES[name].gone)) != account(name)


@pytest.mark.parametrize(("name", "one", "other"), [(name, *each) for name, every in SPELLED.items() for each in every])
def test_one_place_in_other_words_is_the_same(name: str, one: Any, other: Any) -> None:
    assert account(name, one) == account(name, one | other)


@pytest.mark.parametrize(("name", "said"), [("generated", {"uuid": {}}), ("manual", {})])
def test_what_asks_nobody_tells_no_place(name: str, said: Any) -> None:
    kind = ISSUING[name]

    assert kind(kind.Config.model_validate(said), HeldCredentials(), 5.0).account == ""


def test_a_query_is_not_told() -> None:
    said = account("webhook", {"issue": webhook("")["issue"] | {"path": "/v1/keys?token=hunter2"}})

    assert said == "http://127.0.0.1:1/v1/keys"
