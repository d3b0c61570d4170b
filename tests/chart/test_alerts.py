"""The alerts: in one file, which the chart installs, a page shows, and a runbook explains one by one."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

import helm
from keywright import metrics
from keywright.cli import _structural
from keywright.issuers.base import Verdict

Json = dict[str, Any]
RUNBOOK = "https://wiki.example.com/alerts"
ALERTS: Json = yaml.safe_load((helm.CHART / "files" / "alerts.yaml").read_text())
RULES: list[Json] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
#: Labels of each metric, by the name that a scrape gives it.
LABELS = {
    told.name + ("_total" if told.type == "counter" else ""): set(each._labelnames)
    for each in vars(metrics).values()
    if isinstance(each, MetricWrapperBase)
    for told in each.describe()
}
NAMES = [rule["alert"] for rule in RULES]

#: What the CRD of a PrometheusRule (monitoring.coreos.com/v1, operator 0.80) takes of an alert; any field else is lost.
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_RULE = {
    "type": "object",
    "required": ["alert", "expr", "annotations", "labels"],
    "properties": {
        "alert": {"type": "string", "pattern": "^Keywright[A-Za-z]+$"},
        "expr": {"type": "string", "minLength": 1},
        "for": {"type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2},
        "labels": _TEXTS,
        "annotations": _TEXTS,
    },
}
_GROUP = {
    "type": "object",
    "required": ["name", "rules"],
    "properties": {"name": {"type": "string", "minLength": 1}, "rules": {"type": "array", "items": _RULE}},
}
SPEC = {
    "type": "object",
    "required": ["groups"],
    "properties": {"groups": {"type": "array", "items": _GROUP}},
}


def page(name: str) -> str:
    return (helm.ROOT / "docs" / "howto" / name).read_text()


def rendered(**values: Any) -> Json:
    """Return the PrometheusRule that the chart makes."""
    given = {"metrics": {"prometheusRule": {"enabled": True, **values}}}
    (found,) = (
        each for each in helm.template("keywright", "keywright-system", given) if each["kind"] == "PrometheusRule"
    )
    return found


def test_the_chart_installs_the_alerts_that_the_page_shows() -> None:
    shown = re.findall(r"^```yaml\n(groups:.*?)^```$", page("watch-with-prometheus.md"), re.MULTILINE | re.DOTALL)

    assert [yaml.safe_load(each) for each in shown] == [ALERTS]
    assert rendered()["spec"] == ALERTS


def test_the_rule_is_found_by_the_labels_that_are_wanted() -> None:
    assert rendered(labels={"release": "prometheus"})["metadata"]["labels"]["release"] == "prometheus"


def test_the_rule_has_the_shape_that_the_prometheus_operator_takes() -> None:
    assert _structural.faults(SPEC, rendered(runbookUrl=RUNBOOK)["spec"], "spec") == []
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_says_how_bad_it_is_and_speaks_of_labels_that_it_has(rule: Json) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    spoken = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    matched = set(re.findall(r"[{,] *(\w+)=", rule["expr"]))
    grouped = re.findall(r"\bby \((\w+)\)", rule["expr"])
    named = re.findall(r"\bkeywright_\w+", rule["expr"])

    assert named
    for name in named:
        assert spoken | matched <= LABELS[name]
    assert not grouped or spoken <= set(grouped)
    assert "sum(" not in rule["expr"] or not spoken


def test_the_verdict_that_an_alert_is_about_is_one() -> None:
    verdicts = {each for rule in RULES for each in re.findall(r'verdict="(\w+)"', rule["expr"])}

    assert verdicts == {str(Verdict.INVALID)}


def test_each_alert_leads_to_its_section_of_the_runbook_and_each_section_is_of_an_alert() -> None:
    sections = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page("alerts.md"), re.MULTILINE | re.DOTALL)
    linked = [
        rule["annotations"]["runbook_url"]
        for group in rendered(runbookUrl=RUNBOOK)["spec"]["groups"]
        for rule in group["rules"]
    ]

    assert [title for title, _ in sections] == NAMES
    assert linked == [f"{RUNBOOK}#{title.lower()}" for title, _ in sections]
    assert [title for title, text in sections if re.findall(r"\*\*(\w+)\.\*\*", text) != ["Means", "Look", "Do"]] == []


def test_metrics_keep_the_namespace_that_they_name_when_they_are_scraped() -> None:
    parts = helm.template("keywright", "keywright-system", {"metrics": {"serviceMonitor": {"enabled": True}}})
    (monitor,) = (each for each in parts if each["kind"] == "ServiceMonitor")

    assert [each.get("honorLabels") for each in monitor["spec"]["endpoints"]] == [True]
