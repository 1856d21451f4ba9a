"""The compose file: every container is confined, and is told no secret that it does not need."""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.make_secrets import NAMES, add_to
from runtime.private_files import weakness_of
from stack.supervisor import SECRETS
from tests.system.composed import SOME_SECRETS, ComposeError, composed
from tests.system.go_tools import GoToolError

FILE = Path("docker-compose.yml")
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = Path("deploy/Dockerfile").read_text(encoding="utf-8")
BY_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
#: Its digest could not be looked up.
BY_VERSION_ONLY = {"danielqsj/kafka-exporter:v1.10.0"}
OURS = {name for name, service in SERVICES.items() if "build" in service}
BROKERS = {"kafka", "kafka-2", "kafka-3"}
PROFILES = {"kafka-2": "three-brokers", "kafka-3": "three-brokers", "payment_webhooks": "cards"}
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
    assert service["cpus"]
    assert service["pids_limit"]
    assert service["read_only"] is True
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert not str(service.get("user", "1")).startswith(("0", "root"))


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_of_ours_is_healthy_when_it_is_ready(name: str) -> None:
    assert "http://127.0.0.1:8090/readyz" in SERVICES[name]["healthcheck"]["test"][-1]
    assert SERVICES[name]["user"] == "10001:10001"
    assert re.search(r"useradd .*--uid 10001", DOCKERFILE)


def test_what_needs_a_choice_is_in_a_profile() -> None:
    assert {name: each["profiles"][0] for name, each in SERVICES.items() if "profiles" in each} == (
        PROFILES
    )


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_of_others_is_named_by_its_digest(name: str) -> None:
    service = SERVICES[name]
    if name in OURS:
        version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert service["image"] == f"jointbuy:${{JOINTBUY_VERSION:-{version['version']}}}"
    elif service["image"] not in BY_VERSION_ONLY:
        assert BY_DIGEST.search(service["image"])


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
    given = SERVICES[name].get("command", "")
    command = given.removeprefix("python -m services.") if name in OURS else ""
    told = {secret for secret in SECRETS if secret in SERVICES[name].get("environment", {})}
    assert told <= {secret for secret, services in SECRETS.items() if command in services}


def on(network: str) -> set[str]:
    """The containers on a network."""
    return {name for name in SERVICES if network in SERVICES[name]["networks"]}


def test_networks_are_apart() -> None:
    """Who shows pages to people of this machine only is not on the brokers' network, but Kafbat."""
    assert on("database") == {"postgres", "storefront", "storefront_projector"}
    assert on("outside") == FACING_OUTSIDE
    assert on("topics") == OURS | BROKERS | {"kafka_exporter", "kafbat"}
    assert on("ops") == OURS | {"kafka_exporter", "prometheus", "grafana"}
    assert on("mail") == {"notifier", "mailpit"}
    assert on("this_machine") == BROKERS | {"kafbat"}
    assert on("pages") == {"mailpit", "prometheus", "grafana"}
    internal = {name for name, network in COMPOSE["networks"].items() if network}
    assert internal == {"topics", "database", "mail", "ops"}
    published = {name for name in SERVICES if "ports" in SERVICES[name]}
    assert published <= on("outside") | on("this_machine") | on("pages")


def test_prometheus_reads_the_pages_of_every_service_and_nobody_outside_does() -> None:
    """Each target is known by the name that the service's module has."""
    read = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in read["scrape_configs"]}
    scraped = {
        each["targets"][0]: each["labels"]["service"] for each in jobs["jointbuy"]["static_configs"]
    }
    ours = jobs["jointbuy"]
    (webhooks,) = ours["dns_sd_configs"]
    (renamed,) = ours["relabel_configs"]
    scraped[f"{webhooks['names'][0]}:{webhooks['port']}"] = renamed["replacement"]
    assert scraped == {
        f"{name}:8090": SERVICES[name]["command"].removeprefix("python -m services.")
        for name in OURS
    }
    assert jobs["kafka"]["static_configs"][0]["targets"] == ["kafka_exporter:9308"]
    assert all(SERVICES[name]["environment"]["OPS_HOST"] == "0.0.0.0" for name in OURS)
    published = [port for name in OURS for port in SERVICES[name].get("ports", [])]
    assert not [port for port in published if port.endswith(":8090")]


def test_ports_are_published_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_topics_and_rows_are_kept_when_containers_go() -> None:
    """The broker writes where its volume is."""
    for name in BROKERS:
        broker = SERVICES[name]
        folder = COMPOSE["x-of-every-broker"]["KAFKA_LOG_DIRS"]
        assert broker["volumes"] == [f"{name.replace('-', '_')}:{folder}"]
    assert "postgres:/var/lib/postgresql/data" in SERVICES["postgres"]["volumes"]


def test_the_database_asks_for_a_password() -> None:
    environment = SERVICES["postgres"]["environment"]
    assert environment["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert "POSTGRES_HOST_AUTH_METHOD" not in environment


def test_the_proxies_in_front_can_be_said() -> None:
    assert SERVICES["storefront"]["environment"]["PROXIES"] == "${PROXIES:-0}"


def variables(file: Path) -> dict[str, str]:
    """What a file of variables sets."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_secrets_without_a_default_are_made_once(tmp_path: Path) -> None:
    """Made again, those there stay, and what is new is added."""
    required = set(re.findall(r"\$\{(\w+):\?run", FILE.read_text(encoding="utf-8")))
    assert required | {"ADMIN_KEY"} == set(NAMES)
    file = tmp_path / ".env"
    file.write_text("GRAFANA_PASSWORD=mine")
    made = add_to(file)
    assert set(made) == set(NAMES) - {"GRAFANA_PASSWORD"}
    first = variables(file)
    assert first["GRAFANA_PASSWORD"] == "mine"
    assert not weakness_of(first["LINK_SECRET"])
    assert len(set(first.values())) == len(NAMES)
    assert add_to(file) == []
    assert variables(file) == first
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert ".env" in Path(".gitignore").read_text(encoding="utf-8").splitlines()


# --- as Docker Compose reads it ------------------------------------------------------------------


def parsed(**given: str) -> dict[str, Any]:
    """The containers that start with these variables and some secrets."""
    try:
        services: dict[str, dict[str, Any]] = composed(FILE, {**SOME_SECRETS, **given})["services"]
    except GoToolError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return services


@pytest.mark.slow
@pytest.mark.timeout(1100)
@pytest.mark.parametrize(
    ("profiles", "left_out"),
    [
        ("", set(PROFILES)),
        ("cards", {"kafka-2", "kafka-3"}),
        ("three-brokers", {"payment_webhooks"}),
        ("cards,three-brokers", set()),
    ],
)
def test_the_file_keeps_to_the_specification(profiles: str, left_out: set[str]) -> None:
    """Docker Compose's own parser reads it."""
    assert set(parsed(COMPOSE_PROFILES=profiles)) == set(SERVICES) - left_out


@pytest.mark.slow
def test_the_parser_refuses_what_the_specification_does_not_have(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yml"
    wrong.write_text("services: {one: {image: a, memory_limit: 1g}}")
    parsed()
    with pytest.raises(ComposeError, match="memory_limit"):
        composed(wrong, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"ADMIN_KEY"}))
def test_a_secret_that_is_not_set_is_asked_for(name: str) -> None:
    parsed()
    with pytest.raises(ComposeError, match=f"{name} is missing a value.*make_secrets"):
        composed(FILE, {**SOME_SECRETS, name: ""})


@pytest.mark.slow
def test_three_brokers_vote_and_copy() -> None:
    services = parsed(**variables(Path("deploy/three-brokers.env")))
    told = {name: services[name]["environment"] for name in BROKERS}
    assert {int(each["KAFKA_NODE_ID"]) for each in told.values()} == {1, 2, 3}
    voters = ",".join(f"{told[name]['KAFKA_NODE_ID']}@{name}:9093" for name in sorted(BROKERS))
    for name, each in told.items():
        assert each["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters
        assert each["KAFKA_ADVERTISED_LISTENERS"].startswith(f"INSIDE://{name}:19092,")
        assert each["KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR"] == "3"
        assert each["KAFKA_MIN_INSYNC_REPLICAS"] == "2"
    ours = [services[name]["environment"] for name in OURS & set(services)]
    servers = ",".join(f"{name}:19092" for name in sorted(BROKERS))
    assert {each["KAFKA_BOOTSTRAP_SERVERS"] for each in ours} == {servers}
    assert {each["REPLICATION_FACTOR"] for each in ours} == {"3"}
