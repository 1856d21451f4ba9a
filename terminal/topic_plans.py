"""``jointbuy topics plan`` and ``apply``: topics, and what each process may do with them."""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any

import typer
from aiokafka.admin import AIOKafkaAdminClient

from runtime.admin import create_topics
from runtime.clients import admin
from runtime.on_cluster import NoAuthorizerError, found_acls, found_topics, make_acls
from runtime.processor import Processor
from runtime.running_stack import settings_here
from runtime.settings import Settings
from runtime.topic_plan import (
    Acl,
    FoundTopic,
    PlannedTopic,
    Rights,
    acls_of,
    differences,
    is_covered,
    rights_of,
    topics_of,
)
from schemas.ops import WITH_PROCESSORS
from terminal import topic_formats
from terminal.console import Mistake, mistakes, print_json, say, write
from terminal.topics import connected

commands = typer.Typer(
    help="Topics and ACLs that jointbuy needs on its cluster.", no_args_is_help=True
)
PATTERN = "User:jointbuy-{service}"
#: How long made topics and ACLs are looked for.
SEEN_SECONDS = 60.0
LOOK_SECONDS = 0.2


class Format(StrEnum):
    """How a plan is printed."""

    text = "text"
    json = "json"
    strimzi = "strimzi"
    sh = "sh"


Principal = Annotated[
    str,
    typer.Option(
        "--principal",
        help="The user of each process; {service} is its name, such as order_service or"
        " shop_bridge.webhooks. Without {service}, one user has all rights.",
    ),
]
NoAcls = Annotated[
    bool, typer.Option("--no-acls", help="Topics alone, for a cluster without an authorizer.")
]
Outboxes = Annotated[
    list[str] | None,
    typer.Option(
        "--outbox",
        help="A topic of a shop's outbox that SHOPS names; repeatable.",
    ),
]


@dataclass(frozen=True)
class Plan:
    """What is to be there."""

    settings: Settings
    processors: tuple[Processor, ...]
    topics: list[PlannedTopic]
    acls: list[Acl]


@dataclass
class Compared:
    """How the cluster differs from a plan; ``has_acls`` if it keeps any."""

    missing: list[PlannedTopic] = field(default_factory=list)
    differing: dict[str, dict[str, str]] = field(default_factory=dict)
    acls: list[Acl] = field(default_factory=list)
    has_acls: bool = True

    @property
    def fits(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.missing or self.differing or self.acls) and self.has_acls


def planned_here(principal: str, outboxes: Sequence[str] = (), *, no_acls: bool = False) -> Plan:
    """The plan of the settings here. Raises ``SettingsError``."""
    settings, processors = settings_here(), known_processors()
    acls = [] if no_acls else acls_of(rights_of_all(settings, processors, outboxes), principal)
    return Plan(settings, processors, topics_of(settings, processors), acls)


def rights_of_all(
    settings: Settings, processors: Sequence[Processor], outboxes: Sequence[str] = ()
) -> list[Rights]:
    """The rights of every process. The pages are imported only here, as that takes a moment."""
    followed = import_module("services.storefront.live.hub").FOLLOWED
    return rights_of(settings, processors, followed, outboxes)


def known_processors() -> tuple[Processor, ...]:
    """Those of all services. Only these commands need them, and importing takes a moment."""
    modules = (import_module(f"services.{name}.processor") for name in WITH_PROCESSORS)
    return tuple(each for module in modules for each in module.PROCESSORS)


# --- plan ----------------------------------------------------------------------------------------


@commands.command()
@mistakes()
def plan(
    form: Annotated[
        Format,
        typer.Option("--format", help="strimzi: Kubernetes resources; sh: Kafka's own commands."),
    ] = Format.text,
    principal: Principal = PATTERN,
    no_acls: NoAcls = False,
    outbox: Outboxes = None,
    cluster: Annotated[
        str, typer.Option("--cluster", help="For strimzi: the name of its Kafka resource.")
    ] = "kafka",
) -> None:
    """Print all topics and ACLs, and how the cluster differs from them where it answers."""
    planned = planned_here(principal, outbox or (), no_acls=no_acls)
    if form is Format.strimzi:
        write(topic_formats.strimzi(cluster, planned.topics, planned.acls).encode())
        return
    if form is Format.sh:
        servers = planned.settings.kafka_bootstrap_servers
        write(topic_formats.script(servers, planned.topics, planned.acls).encode())
        return
    try:
        compared, why_not = asyncio.run(_compare(planned)), ""
    except Mistake as mistake:
        compared, why_not = None, str(mistake)
    if form is Format.json:
        print_json(_as_json(planned, compared, why_not))
        return
    _print(planned, compared, why_not)


def _print(planned: Plan, compared: Compared | None, why_not: str) -> None:
    for topic in planned.topics:
        say(_with_state(topic_line(topic), _topic_state(topic.name, compared)))
    for acl in planned.acls:
        say(_with_state(acl_line(acl), _acl_state(acl, compared)))
    if compared is None:
        say(f"not compared: {why_not}", err=True)
        return
    for line in _differing(planned.settings, compared):
        say(line)
    if not compared.has_acls:
        say("the cluster has no authorizer: use --no-acls")
    if compared.fits:
        say("nothing to do")
    elif compared.missing or compared.acls:
        said = f"{len(compared.missing)} topics and {len(compared.acls)} ACLs are missing"
        say(f"{said}: `jointbuy topics apply` makes them")


def _with_state(line: str, state: str) -> str:
    return f"{state:<9}{line}" if state else line


def _topic_state(name: str, compared: Compared | None) -> str:
    if compared is None:
        return ""
    if name in compared.differing:
        return "differs"
    return "missing" if any(each.name == name for each in compared.missing) else "fits"


def _acl_state(acl: Acl, compared: Compared | None) -> str:
    if compared is None:
        return ""
    return "missing" if acl in compared.acls else "fits"


def topic_line(topic: PlannedTopic) -> str:
    """A topic in a line."""
    copies = "" if topic.replicas < 0 else f", {topic.replicas} replicas"
    configs = " ".join(f"{name}={value}" for name, value in topic.settings.items())
    return f"topic {topic.name}, partitions {topic.partitions}{copies}: {configs}"


def acl_line(acl: Acl) -> str:
    """An ACL in a line."""
    star = "*" if acl.right.is_prefix else ""
    return f"{acl.principal} may {acl.right.operation} {acl.right.kind} {acl.right.name}{star}"


def _differing(settings: Settings, compared: Compared) -> list[str]:
    lines = []
    for name, told in compared.differing.items():
        said = "; ".join(f"{what} {of}" for what, of in told.items())
        lines.append(f"topic {name} differs and is left as it is: {said}: {_remedy(name, told)}")
    return lines


def _remedy(name: str, told: dict[str, str]) -> str:
    if "partitions" in told:
        return "set PARTITIONS to what the deployment has; `jointbuy repartition` can change that"
    if "replicas" in told:
        return "kafka-reassign-partitions.sh changes it, or correct REPLICATION_FACTOR"
    wanted = ",".join(f"{what}={of.rpartition('planned ')[2]}" for what, of in told.items())
    words = ["kafka-configs.sh", "--alter", "--topic", name, "--add-config", wanted]
    return f"`{shlex.join(words)}` changes it"


def _as_json(planned: Plan, compared: Compared | None, why_not: str) -> dict[str, Any]:
    topics = [
        {**asdict(each), "settings": dict(each.settings), **_told(each.name, compared)}
        for each in planned.topics
    ]
    acls = [
        {
            "principal": each.principal,
            **asdict(each.right),
            **({} if compared is None else {"state": _acl_state(each, compared)}),
        }
        for each in planned.acls
    ]
    return {
        "topics": topics,
        "acls": acls,
        "fits": compared.fits if compared is not None else None,
        "not_compared": why_not or None,
        "has_authorizer": compared.has_acls if compared is not None and planned.acls else None,
    }


def _told(name: str, compared: Compared | None) -> dict[str, Any]:
    if compared is None:
        return {}
    return {
        "state": _topic_state(name, compared),
        "differences": compared.differing.get(name, {}),
    }


async def _compare(planned: Plan) -> Compared:
    compared = Compared()
    async with connected(admin(planned.settings), planned.settings) as client:
        there = await found_topics(client, [each.name for each in planned.topics])
        compared.missing, compared.differing = compare_topics(planned, there)
        if planned.acls:
            try:
                compared.acls = await missing_acls(client, planned)
            except NoAuthorizerError:
                compared.has_acls = False
    return compared


def compare_topics(
    planned: Plan, there: Mapping[str, FoundTopic]
) -> tuple[list[PlannedTopic], dict[str, dict[str, str]]]:
    """The topics that are missing, and what is not as planned by the names of the others."""
    missing = [each for each in planned.topics if each.name not in there]
    told = {
        each.name: differences(planned.settings, each, there[each.name])
        for each in planned.topics
        if each.name in there
    }
    return missing, {name: differing for name, differing in told.items() if differing}


async def missing_acls(client: AIOKafkaAdminClient, planned: Plan) -> list[Acl]:
    """Those that the cluster lacks. Raises ``NoAuthorizerError``."""
    known = await found_acls(client)
    return [each for each in planned.acls if not is_covered(each, known)]


# --- apply ---------------------------------------------------------------------------------------


@commands.command()
@mistakes()
def apply(
    principal: Principal = PATTERN,
    no_acls: NoAcls = False,
    outbox: Outboxes = None,
) -> None:
    """Make what the plan has and the cluster lacks. Nothing is deleted, and no topic is changed.

    Only dead letters get the expiry of DEAD_LETTER_DAYS. Run it as a user who may create topics and
    ACLs.
    """
    planned = planned_here(principal, outbox or (), no_acls=no_acls)
    compared = asyncio.run(_compare(planned))
    if not compared.has_acls:
        raise Mistake("the cluster has no authorizer: use --no-acls")
    made = asyncio.run(_make(planned, compared))
    for name in made:
        say(f"made topic {name}")
    for acl in compared.acls:
        say(f"added: {acl_line(acl)}")
    for line in _differing(planned.settings, compared):
        say(line)
    if not made and not compared.acls:
        say("nothing to do")


async def _make(planned: Plan, compared: Compared) -> list[str]:
    made = await create_topics(planned.settings, planned.processors)
    if compared.acls:
        async with connected(admin(planned.settings), planned.settings) as client:
            await make_acls(client, compared.acls)
    await _until_seen(planned)
    return made


async def _until_seen(planned: Plan) -> None:
    """A broker learns of topics and ACLs a moment after the controller has them."""
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            while True:
                compared = await _compare(planned)
                if not compared.missing and not compared.acls:
                    return
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise Mistake(
            f"all is made, but a broker does not see it after {SEEN_SECONDS:.0f} s:"
            " check with `jointbuy topics plan`"
        ) from None
