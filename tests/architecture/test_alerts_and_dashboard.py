"""Alerts and dashboard use existing metrics, and docs/operations.md describes the response to every alert."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import shared.web.http.server  # noqa: F401 - brings in those of connections
import simpul.app  # noqa: F401 - brings in every metric
from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yml"
FIRED = Path(__file__).with_name("alerts_fire.yml")
BLIND = FIRED.with_name("alerts_blind.yml")
NAN = {"record": "simpul_consumer_lag_records", "expr": "nothing / nothing", "labels": {"service": "assignment"}}
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "simpul.json").read_text())
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]

METRIC = re.compile(r"\b((?:simpul|process)_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
BY = re.compile(r"by \(([^)]*)\)")
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that Prometheus adds."""


def expressions() -> Iterator[tuple[str, str]]:
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def known() -> dict[str, Any]:
    """Return the metric of every sample that the code can produce; the application has imported all metrics."""
    return dict(REGISTRY._names_to_collectors)


def used(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Return each metric of the expression with the labels it selects."""
    grouped = {label.strip() for labels in BY.findall(expression) for label in labels.split(",")}
    for name, matchers in METRIC.findall(expression):
        yield name, grouped | set(MATCHER.findall(matchers))


def faults(where: str, expression: str) -> list[str]:
    there = known()
    told = []
    for name, labels in used(expression):
        if name not in there:
            told.append(f"{where}: there is no {name}")
        elif unknown := labels - OF_PROMETHEUS - set(getattr(there[name], "_labelnames", ())):
            told.append(f"{where}: {name} has no label {', '.join(sorted(unknown))}")
    return told


def test_every_metric_that_is_looked_at_is_there():
    assert [fault for where, expression in expressions() for fault in faults(where, expression)] == []


def test_every_metric_of_ours_is_looked_at():
    looked = {name for _, expression in expressions() for name, _ in used(expression)}
    measured = {
        next(iter(collector.describe())).name for name, collector in known().items() if name.startswith("simpul_")
    }
    assert [name for name in sorted(measured) if not any(one.startswith(name) for one in looked)] == []


@pytest.mark.parametrize(
    "expression", ["simpul_nothing_total > 0", "sum by (part) (simpul_ready)", 'simpul_ready{x="1"}']
)
def test_what_is_not_there_is_found(expression: str):
    assert faults("here", expression) != []


def test_every_alert_is_explained_and_nothing_else_is():
    explained = re.findall(r"^\| `(Simpul\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert explained == [rule["alert"] for rule in RULES]


def test_every_alert_says_how_grave_it_is_and_every_one_is_tried():
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning"}
    assert all(rule["annotations"]["summary"] for rule in RULES)
    silent, raised = yaml.safe_load(FIRED.read_text())["tests"]
    names = [rule["alert"] for rule in RULES]
    assert [one["alertname"] for one in silent["alert_rule_test"]] == names
    [blind] = yaml.safe_load(BLIND.read_text())["tests"]
    fired = [*raised["alert_rule_test"], blind["alert_rule_test"][-1]]
    assert [one["alertname"] for one in fired] == names
    assert all(one["exp_alerts"] for one in fired)


def promtool(*words: str, at: Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not there: the alert rules are not checked (Debian's package prometheus has it)")
    done = subprocess.run([tool, *words], cwd=at, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules_and_the_configuration():
    promtool("check", "rules", ALERTS.name, at=ALERTS.parent)
    promtool("check", "config", "--syntax-only", CONFIG.name, at=CONFIG.parent)


def test_each_alert_is_raised_by_its_trouble_and_none_while_all_is_well(tmp_path: Path):
    for file in (ALERTS, FIRED):
        shutil.copy(file, tmp_path)
    promtool("test", "rules", FIRED.name, at=tmp_path)


def test_an_alert_is_raised_for_what_cannot_be_measured(tmp_path: Path):
    for file in (ALERTS, BLIND):
        shutil.copy(file, tmp_path)
    (tmp_path / "blind.yml").write_text(yaml.safe_dump({"groups": [{"name": "blind", "rules": [NAN]}]}))
    promtool("test", "rules", BLIND.name, at=tmp_path)
