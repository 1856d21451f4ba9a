"""What docs/deploy.md and docs/release.md tell people to type names what is there."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.make_secrets import add_to
from stack.supervisor import SERVICES, WITH_SHOPS
from tests.contracts.folders import ROOT
from tests.contracts.test_kubernetes import WORKLOADS, of_kinds

DEPLOY, RELEASE = ROOT / "docs/deploy.md", ROOT / "docs/release.md"
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in a language."""
    return [
        text for kind, text in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language
    ]


@cache
def commands(page: Path) -> list[list[str]]:
    """What is typed in a page's blocks, in words."""
    lines = chain.from_iterable(
        block.replace("\\\n", " ").splitlines() for block in blocks(page, "sh")
    )
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def of(page: Path, *begin: str) -> list[list[str]]:
    """What follows these words, in each command that begins so."""
    return [words[len(begin) :] for words in commands(page) if tuple(words[: len(begin)]) == begin]


@pytest.mark.parametrize("page", [DEPLOY, RELEASE], ids=lambda page: page.stem)
def test_files_and_folders_of_commands_are_there(page: Path) -> None:
    named = {
        word.partition("=")[2] or word
        for words in commands(page)
        for word in words
        if "deploy/" in word or word.startswith("requirements")
    }
    assert named
    assert not {name for name in named if not (ROOT / name).exists()}


def test_make_has_the_targets_that_are_named() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", RELEASE.read_text(encoding="utf-8")))
    assert named | {words[0] for words in of(RELEASE, "make")} <= targets


def test_kubernetes_has_what_commands_name() -> None:
    there = {
        f"{kind.lower()}/{name}"
        for kind in (*WORKLOADS, "Service")
        for name in of_kinds("small", kind)
    }
    named = {
        word
        for words in of(DEPLOY, "kubectl")
        for word in words
        if re.fullmatch(r"(statefulset|deployment|service)/\S+", word)
    }
    assert named
    assert named <= there


def test_the_secret_has_what_pods_need(tmp_path: Path) -> None:
    """The file of secrets, and the literals beside it."""
    (words,) = of(DEPLOY, "kubectl", "create", "secret", "generic", "jointbuy")
    literals = {word.partition("=")[0] for word in words if "=" in word}
    add_to(tmp_path / "env")
    made = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    needed = {
        ref["key"]
        for workload in of_kinds("small", *WORKLOADS).values()
        for container in workload["spec"]["template"]["spec"]["containers"]
        for each in container["env"]
        if (ref := each.get("valueFrom", {}).get("secretKeyRef")) and not ref.get("optional")
    }
    assert needed <= made | literals


def test_the_overlay_of_the_page_is_made(tmp_path: Path) -> None:
    """In a folder of its own, with the image and settings that it names."""
    of_kinds("production", "ConfigMap")  # skips where there is no kubectl
    (overlay,) = [each for each in blocks(DEPLOY, "yaml") if "deploy/kubernetes" in each]
    shutil.copytree(ROOT / "deploy/kubernetes", tmp_path / "jointbuy/deploy/kubernetes")
    own = tmp_path / "own"
    own.mkdir()
    (own / "kustomization.yaml").write_text(overlay)
    found = kustomized(own)
    images = {
        each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in found
        if each["kind"] in WORKLOADS
    }
    assert len(images) == 1
    assert images.pop().startswith("registry.example/jointbuy:")
    (settings,) = [each["data"] for each in found if each["kind"] == "ConfigMap"]
    assert settings["PAGE_URL"] == "https://buy.example"
    assert settings["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"


def kustomized(folder: Path) -> list[Any]:
    """The resources that a folder makes."""
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def test_users_of_a_plan_sign_in_by_password(tmp_path: Path) -> None:
    of_kinds("production", "ConfigMap")  # skips where there is no kubectl
    (added,) = [each for each in blocks(DEPLOY, "yaml") if "plan.yaml" in each]
    about = {"apiVersion": "kafka.strimzi.io/v1beta2", "metadata": {"name": "one"}}
    plan = [
        {"kind": "KafkaUser", "spec": {"authorization": {}}},
        {"kind": "KafkaTopic", "spec": {}},
    ]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump_all([{**about, **each} for each in plan]))
    (tmp_path / "kustomization.yaml").write_text(added)
    specs = {each["kind"]: each["spec"] for each in kustomized(tmp_path)}
    assert specs["KafkaUser"]["authentication"] == {"type": "scram-sha-512"}
    assert specs["KafkaTopic"] == {}


def test_a_unit_is_enabled_for_every_service() -> None:
    """Stripe's webhooks are left out, as they need its secrets."""
    (units,) = of(DEPLOY, "systemctl", "enable", "--now")
    assert {unit.removeprefix("jointbuy@") for unit in units} == {*SERVICES, *WITH_SHOPS}
    (text,) = blocks(DEPLOY, "ini")
    unit = configparser.RawConfigParser(strict=False)
    unit.read_string(text)
    assert unit["Service"]["ExecStart"].endswith("python -m services.%i")
    assert unit["Service"]["RestartPreventExitStatus"] == "78"


def test_the_command_for_secrets_needs_nothing_but_python(tmp_path: Path) -> None:
    """It is the README's line, too."""
    (_, told) = of(DEPLOY, "python3", "deploy/make_secrets.py")
    assert told == ["/tmp/jointbuy.env"]
    assert "`python3 deploy/make_secrets.py`" in (ROOT / "README.md").read_text(encoding="utf-8")
    command = [sys.executable, "-I", str(ROOT / "deploy/make_secrets.py"), str(tmp_path / "env")]
    for said in ("made: LINK_SECRET", "all are there"):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.startswith(said)
