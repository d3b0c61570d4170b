"""The policy that the chart installs with the right to restart workloads: the operator's own, for its own account."""

from __future__ import annotations

import json

import helm
from keywright import admission


def test_the_policy_is_that_of_the_operator_and_holds_the_account_of_the_release() -> None:
    values = {"rollout": {"enabled": True}, "fullnameOverride": "keys", "serviceAccount": {"name": "mine"}}
    name, user = "rollouts.keys.team", "system:serviceaccount:team:mine"
    expected = json.dumps(admission.rollout_manifests()).replace(admission.ROLLOUTS, name)

    parts = [each for each in helm.template("one", "team", values) if each["metadata"]["name"] == name]

    for each in parts:
        assert each["metadata"].pop("labels")["app.kubernetes.io/instance"] == "one"
    wanted = json.loads(expected.replace(admission.ACCOUNT, user))
    assert {each["kind"]: each for each in parts} == {each["kind"]: each for each in wanted.values()}


def test_rights_and_policy_come_and_go_together() -> None:
    def rights(*, enabled: bool) -> set[str]:
        parts = helm.template("one", "team", {"rollout": {"enabled": enabled}})
        rules = [rule for each in parts if "rules" in each and each["kind"].endswith("Role") for rule in each["rules"]]
        return {name for rule in rules for name in rule["resources"]}

    assert rights(enabled=True) - rights(enabled=False) == {
        *("pods", "jobs", "cronjobs", "deployments", "statefulsets", "daemonsets"),
    }
    assert not {"pods", "deployments"} & rights(enabled=False)
