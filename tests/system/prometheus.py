"""A real Prometheus, with the deployment's rules and targets in a hurry: minutes become seconds."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from runtime.ports import free_port
from stack.brokers import ends_with_this_process
from tests import debian
from tests.contracts.folders import ROOT
from tests.system import plain_http
from tests.system.stack import Worker, until

DEPLOYED = ROOT / "deploy" / "prometheus"
#: A minute takes two seconds: enough for a few scrapes within the shortest time of a rule.
QUICKER = 30
SECONDS = {"m": 60, "h": 3_600}
#: The shortest time in a rule that is one of people, not of a clock that is off.
PATIENCE_SECONDS = 60


class PrometheusError(RuntimeError):
    """It can't be had; the message is one line that says what to do."""


def in_a_hurry(rules: str) -> str:
    """The rules with every time divided, so with the same relations between them."""

    def duration(found: re.Match[str]) -> str:
        return f"{int(found[1]) * SECONDS[found[2]] // QUICKER}s"

    def threshold(found: re.Match[str]) -> str:
        seconds = int(found[2])
        return f"{found[1]}{seconds // QUICKER if seconds >= PATIENCE_SECONDS else seconds}"

    told = re.sub(r"\b(\d+)([mh])\b", duration, rules)
    return re.sub(r"(_seconds(?:\{[^}]*\})?[\s)]* > )(\d+)", threshold, told)


def configuration(workers: Mapping[str, Worker], port: int, rules: Path) -> dict[str, Any]:
    """That of the deployment, with these workers in place of its targets, by their names there."""
    told: dict[str, Any] = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text(encoding="utf-8"))
    told["global"] = dict.fromkeys(told["global"], "1s")
    told["rule_files"] = [str(rules)]
    jobs = {job["job_name"]: job for job in told["scrape_configs"]}
    named = {target["labels"]["service"] for target in jobs["jointbuy"]["static_configs"]}
    named.add(jobs["jointbuy"].pop("relabel_configs")[0]["replacement"])
    del jobs["jointbuy"]["dns_sd_configs"]
    assert named == set(workers), "the deployment's services"
    jobs["jointbuy"]["static_configs"] = [
        {"targets": [f"127.0.0.1:{worker.ops_port}"], "labels": {"service": name}}
        for name, worker in workers.items()
    ]
    jobs["prometheus"]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    # There is no kafka_exporter here.
    told["scrape_configs"] = [jobs["jointbuy"], jobs["prometheus"]]
    return told


@dataclass(frozen=True)
class Prometheus:
    """One that is running."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now, each with its ``metric`` and ``value``."""
        answer = self._get("query", query=expression)
        found: list[dict[str, Any]] = answer["result"]
        return found

    def firing(self) -> list[dict[str, str]]:
        """The labels of every alert that fires; ``alertname`` is its name."""
        alerts = self._get("alerts")["alerts"]
        return [each["labels"] for each in alerts if each["state"] == "firing"]

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            return plain_http.get(f"{self.url}/-/ready", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _get(self, what: str, **query: str) -> dict[str, Any]:
        answer = plain_http.get(f"{self.url}/api/v1/{what}", params=query, timeout=30)
        assert answer.is_success, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data


@contextmanager
def prometheus_of(workers: Mapping[str, Worker], folder: Path) -> Iterator[Prometheus]:
    """One that scrapes these workers every second. Raises PrometheusError."""
    if shutil.which("prometheus") is None:
        debian.install("prometheus")
    if (binary := shutil.which("prometheus")) is None:
        raise PrometheusError("no prometheus: install Debian's package prometheus")
    port = free_port()
    rules, config = folder / "rules.yml", folder / "prometheus.yml"
    told = (DEPLOYED / "rules" / "jointbuy.yml").read_text(encoding="utf-8")
    rules.write_text(in_a_hurry(told), encoding="utf-8")
    config.write_text(yaml.safe_dump(configuration(workers, port, rules)), encoding="utf-8")
    options = {
        "config.file": config,
        "storage.tsdb.path": folder / "tsdb",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "warn",
    }
    with (folder / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(
            [binary, *(f"--{name}={value}" for name, value in options.items())],
            stdout=output,
            stderr=output,
            preexec_fn=ends_with_this_process(),  # noqa: PLW1509 - no threads yet
        )
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(f"Prometheus, see {folder / 'prometheus.log'}", running.answers)
        yield running
    finally:
        process.terminate()
        process.wait(30)
