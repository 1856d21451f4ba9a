"""Alerts and dashboards name metrics that are there; each alert has a runbook, and each fires."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from terminal.__main__ import app
from tests import debian
from tests.contracts.folders import ROOT
from tests.contracts.metrics_reference import metrics

RULES = ROOT / "deploy" / "prometheus" / "rules" / "jointbuy.yml"
GRAFANA = ROOT / "deploy" / "grafana"
UNIT_TESTS = ROOT / "tests" / "prometheus" / "alerts.yml"
RUNBOOKS = ROOT / "docs" / "runbooks"
#: Those of Prometheus, kafka_exporter and prometheus_client.
OF_OTHERS = {
    *("up", "ALERTS", "kafka_consumergroup_lag", "process_start_time_seconds"),
    *("process_cpu_seconds_total", "process_resident_memory_bytes"),
}
METRIC = re.compile(r"\b(?:up|ALERTS|[a-z]+(?:_[a-z]+)+)(?=[\[{( ]|\)|$)")
#: Functions of the language.
NOT_METRICS = {"max_over_time", "histogram_quantile"}


def alerts() -> dict[str, dict[str, Any]]:
    """Each alert by its name."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def pages() -> list[Path]:
    """Each runbook."""
    return sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")


def expressions() -> dict[str, str]:
    """Each query of an alert or of a dashboard's panel, by its title."""
    found = {name: rule["expr"] for name, rule in alerts().items()}
    for path in (GRAFANA / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


EXPRESSIONS = expressions()


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_queries_name_metrics_that_are_there(title: str) -> None:
    suffixes = ("", "_bucket", "_count", "_sum")
    known = OF_OTHERS | {each.name + suffix for each in metrics() for suffix in suffixes}
    named = set(METRIC.findall(re.sub(r'"[^"]*"|\([a-z, ]+\)', " ", EXPRESSIONS[title])))
    assert named, "it asks for nothing"
    assert named <= known | NOT_METRICS


def test_panels_of_a_dashboard_have_places_and_the_data_source() -> None:
    """Each panel has a number and a place of its own."""
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )["datasources"]
    for path in (GRAFANA / "dashboards").glob("*.json"):
        panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
        assert len({each["id"] for each in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
            assert not cells & taken, panel["title"]
            taken |= cells
            assert at["x"] + at["w"] <= 24, panel["title"]
            assert panel["type"] == "row" or panel["datasource"]["uid"] == source["uid"]


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    named = {name: rule["annotations"]["runbook"] for name, rule in alerts().items()}
    assert sorted(named.values()) == [f"docs/runbooks/{page.name}" for page in pages()]
    list_of_all = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    for name, path in named.items():
        page = ROOT / path
        assert page.read_text(encoding="utf-8").startswith(f"# {name}\n")
        severity = alerts()[name]["labels"]["severity"]
        assert f"| [{name}]({page.name}) | {severity} |" in list_of_all


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_runbook_names_commands_and_metrics_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    command: Any = get_command(app)
    for words in (each.split() for each in re.findall(r"`jointbuy ([a-z][^`]*)`", text)):
        known = command.commands[words[0]]
        rest = words[1:]
        if hasattr(known, "commands") and rest and not rest[0].startswith("-"):
            known, rest = known.commands[rest[0]], rest[1:]
        options = {name for param in known.params for name in param.opts}
        assert {word for word in rest if word.startswith("--")} <= options, words
    named = set(re.findall(r"`(jointbuy_[a-z_]+)`", text))
    assert named <= {each.name for each in metrics()}


def test_each_alert_is_made_to_fire_and_to_resolve() -> None:
    seen: dict[str, set[bool]] = {}
    for test in yaml.safe_load(UNIT_TESTS.read_text(encoding="utf-8"))["tests"]:
        for each in test["alert_rule_test"]:
            seen.setdefault(each["alertname"], set()).add(bool(each["exp_alerts"]))
    assert seen == {name: {True, False} for name in alerts()}


@pytest.mark.slow
def test_promtool_sees_them_fire_and_resolve() -> None:
    if shutil.which("promtool") is None:
        debian.install("prometheus")
    if (promtool := shutil.which("promtool")) is None:
        reason = "no promtool: install Debian's package prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    for command in (["check", "rules", RULES], ["test", "rules", UNIT_TESTS]):
        run = subprocess.run(
            [promtool, *command], capture_output=True, text=True, check=False, timeout=120
        )
        assert run.returncode == 0, run.stdout + run.stderr
