"""The compose file: every container is confined, and is told no secret that it does not need."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.supervisor import SECRETS

COMPOSE: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = Path("deploy/Dockerfile").read_text(encoding="utf-8")
BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
#: Reached by people, shops or banks, or reaching mail servers, shops or Stripe.
FACING_OUTSIDE = {
    "payment_service",
    "payment_webhooks",
    "notifier",
    "shop_bridge",
    "shop_bridge_webhooks",
    "storefront",
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service.get("read_only") is (None if name == "kafka" else True)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_of_others_is_named_by_its_digest(name: str) -> None:
    service = SERVICES[name]
    assert (
        service["image"] == "jointbuy" if "build" in service else BY_DIGEST.search(service["image"])
    )


def test_the_image_is_built_on_one_named_by_its_digest() -> None:
    bases = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("FROM ")]
    assert bases
    assert all(BY_DIGEST.search(base) for base in bases)


def test_the_image_gets_every_package_that_is_installed() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    found = project["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {pattern.removesuffix("*") for pattern in found}
    copied = set(re.findall(r"^COPY (\w+) \w+$", DOCKERFILE, re.MULTILINE))
    kept = set(Path(".dockerignore").read_text(encoding="utf-8").splitlines())
    assert copied == packages
    assert {f"!{each}" for each in packages} <= kept


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_told_only_the_secrets_it_needs(name: str) -> None:
    command = SERVICES[name].get("command", "").removeprefix("python -m services.")
    told = {secret for secret in SECRETS if secret in SERVICES[name]["environment"]}
    assert told <= {secret for secret, services in SECRETS.items() if command in services}


def test_networks_are_apart() -> None:
    of_database = {name for name in SERVICES if "database" in SERVICES[name]["networks"]}
    assert of_database == {"postgres", "storefront", "storefront_projector"}
    assert {name for name in SERVICES if "outside" in SERVICES[name]["networks"]} == FACING_OUTSIDE
    assert COMPOSE["networks"]["topics"] == COMPOSE["networks"]["database"] == {"internal": True}
    published = [name for name in SERVICES if "ports" in SERVICES[name]]
    assert all({"outside", "this_machine"} & set(SERVICES[name]["networks"]) for name in published)


def test_ports_are_published_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_topics_and_rows_are_kept_when_containers_go() -> None:
    """The broker writes where its volume is."""
    kafka = SERVICES["kafka"]
    assert f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}" in kafka["volumes"]
    assert "postgres:/var/lib/postgresql/data" in SERVICES["postgres"]["volumes"]


def test_the_database_asks_for_a_password() -> None:
    environment = SERVICES["postgres"]["environment"]
    assert environment["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert "POSTGRES_HOST_AUTH_METHOD" not in environment


def test_the_proxies_in_front_can_be_said() -> None:
    assert SERVICES["storefront"]["environment"]["PROXIES"] == "${PROXIES:-0}"
