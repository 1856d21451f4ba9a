"""What the doctor asks the cluster: broker, security, topics, copies, ACLs, clock; and the disk."""

import asyncio
import os
import shutil
import ssl
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from domain import findings
from domain.findings import Finding
from runtime import clients
from runtime.broker_clock import off_seconds
from runtime.checkup import Check, Here, certificate_of, ends_at, look, told
from runtime.lasting_errors import LastingError, lasting
from runtime.metadata import asked, counts_of, partitions_of
from runtime.on_cluster import NoAuthorizerError, found_topics
from runtime.private_files import is_this_machine
from runtime.running_stack import home_folder
from runtime.security import access_of
from runtime.security_rules import certificate_in, uses_tls
from runtime.settings import Settings
from runtime.topic_plan import CLOCK, FoundTopic
from terminal import cluster_findings
from terminal.cluster_findings import Copies
from terminal.console import Mistake
from terminal.topic_plans import Plan, compare_topics, missing_acls
from terminal.topics import connected

#: The areas that need a broker.
OF_BROKER: Final = ("topics", "partitions", "replication", "ACLs", "clock")
_AS_ADMIN: Final = "Run the doctor as the user who runs `jointbuy topics apply`."
_MIN_IN_SYNC: Final = "min.insync.replicas"


async def cluster(planned: Plan, here: Here) -> list[Finding]:
    """All findings about the cluster; without a broker, those that need one are skipped."""
    settings = planned.settings
    found = await look([Check("security", "TLS", partial(_tls, settings))], here)
    try:
        async with asyncio.timeout(here.seconds):
            client = await _connected(settings)
    except (Mistake, KafkaError, TimeoutError):
        refused = access_of(settings).refusal
        said = str(refused) if refused else f"no answer at {settings.kafka_bootstrap_servers}"
        found.append(_unreached(said, is_refused=refused is not None))
    except LastingError as error:
        found.append(_unreached(str(error), is_refused=True))
    except Exception as error:
        # What a stranger's server answers may make the client fail in any way.
        found.append(_unreached(told(error), is_refused=False))
    else:
        try:
            return found + await look(_checks(planned, client), here)
        finally:
            await client.close()
    said = "the broker does not answer"
    return found + [Finding(area, "all", "skipped", said) for area in OF_BROKER]


async def _connected(settings: Settings) -> AIOKafkaAdminClient:
    client = clients.admin(settings)
    try:
        await client.start()
    except BaseException:
        await client.close()
        raise
    return client


def _unreached(said: str, *, is_refused: bool) -> Finding:
    if is_refused:
        remedy = "Correct that setting: docs/security.md explains all of them."
        return Finding("security", "sign-in", "fail", said, remedy)
    remedy = "Start it (`jointbuy up` on one machine), or correct KAFKA_BOOTSTRAP_SERVERS."
    return Finding("broker", "reachable", "fail", said, remedy)


def _checks(planned: Plan, client: AIOKafkaAdminClient) -> list[Check]:
    settings = planned.settings
    return [
        Check("broker", "reachable", partial(_broker, settings, client)),
        Check("security", "sign-in", partial(_sign_in, settings)),
        Check("topics", "all", partial(_topics, planned, client)),
        Check("ACLs", "as planned", partial(_acls, planned, client)),
        Check("clock", "the broker", partial(_clock, settings, client)),
    ]


# --- broker and security -------------------------------------------------------------------------


async def _broker(settings: Settings, client: AIOKafkaAdminClient, here: Here) -> list[Finding]:
    told_of = (await asked(client._client)).to_object()
    addresses = [f"{each['host']}:{each['port']}" for each in told_of["brokers"]]
    servers = settings.kafka_bootstrap_servers
    name = told_of.get("cluster_id") or "without a name"
    connection = await client._client._get_conn(client._client.get_random_node())
    away = await asyncio.gather(*(_away(address, here.seconds / 2) for address in addresses))
    return [
        Finding("broker", "reachable", "ok", f"cluster {name} at {servers}"),
        cluster_findings.api(
            connection._versions.keys() if connection else (),
            transactions=settings.kafka_transactions,
        ),
        cluster_findings.reached(dict(zip(addresses, away, strict=True))),
        *(await _certificates(settings, addresses)),
    ]  # fmt: skip


async def _away(address: str, seconds: float) -> str:
    """Why nothing answers at an address; empty if something does."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, int(port))
    except TimeoutError:
        return f"no answer in {seconds:g} s"
    except OSError as error:
        return error.strerror or told(error)
    writer.transport.abort()
    return ""


async def _certificates(settings: Settings, addresses: Sequence[str]) -> list[Finding]:
    """How long the brokers' certificates last, those that can be seen."""
    tls = access_of(settings).tls()
    if tls is None:
        return []
    found = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        subject = f"certificate of the broker {address}"
        try:
            ends = await certificate_of(host, int(port), tls)
        except ssl.SSLError as error:
            remedy = "Give this broker a certificate of the CA, for the name that it advertises."
            found.append(Finding("security", subject, "fail", told(error), remedy))
            continue
        except OSError:  # told as an address that does not answer
            continue
        if ends is not None:
            found.append(findings.certificate("security", subject, ends, datetime.now(UTC)))
    return found


async def _tls(settings: Settings, here: Here) -> list[Finding]:
    servers = settings.kafka_bootstrap_servers.split(",")
    found = [
        cluster_findings.protocol(
            settings.kafka_security_protocol,
            is_here=all(is_this_machine(each.strip().rpartition(":")[0]) for each in servers),
            checks_names=settings.kafka_ssl_endpoint_identification_algorithm == "https",
        )
    ]
    if uses_tls(settings) and settings.kafka_ssl_ca_location is not None:
        known = ssl.create_default_context(cafile=settings.kafka_ssl_ca_location).get_ca_certs()
        # One CA of several may have ended: the latest is the one in use.
        ends = max(filter(None, map(ends_at, known)), default=None)
        if ends is not None:
            subject = f"CA in {settings.kafka_ssl_ca_location}"
            found.append(findings.certificate("security", subject, ends, datetime.now(UTC)))
    if uses_tls(settings) and settings.kafka_ssl_certificate_location is not None:
        path = settings.kafka_ssl_certificate_location
        if (ends := ends_at(certificate_in(path))) is not None:
            subject = f"client certificate {path}"
            found.append(findings.certificate("security", subject, ends, datetime.now(UTC)))
    return found


async def _sign_in(settings: Settings, here: Here) -> list[Finding]:
    mechanism = settings.kafka_sasl_mechanism
    how = (
        f"by {mechanism}" if mechanism else "by certificate" if _has_own(settings) else "as anybody"
    )
    return [Finding("security", "sign-in", "ok", f"let in {how}")]


def _has_own(settings: Settings) -> bool:
    return settings.kafka_ssl_certificate_location is not None


# --- topics --------------------------------------------------------------------------------------


async def _topics(planned: Plan, client: AIOKafkaAdminClient, here: Here) -> list[Finding]:
    names = [each.name for each in planned.topics]
    refused = ""
    try:
        there = await found_topics(client, names)
    except LastingError as error:
        refused = str(error)
        there = await found_topics(client, names, configured=False)
    missing, differing = compare_topics(planned, there)
    if refused:
        is_set = Finding("topics", "settings", "skipped", refused, _AS_ADMIN)
    else:
        is_set = cluster_findings.topic_settings(differing)
    not_started = _not_started(planned, there) if there else {}
    missing = [each for each in missing if each.name not in not_started]
    found = [
        cluster_findings.topics(len(names) - len(not_started), missing, {*not_started.values()}),
        is_set,
    ]
    if not there:
        return [found[0]]
    found.append(cluster_findings.partitions(planned.settings.partitions, differing))
    brokers = len((await asked(client._client)).brokers)
    copies = _copies(await partitions_of(client._client, there), there)
    return found + cluster_findings.replication(copies, brokers)


def _not_started(planned: Plan, there: Collection[str]) -> dict[str, str]:
    """The changelogs of services that have none, with the service: its workers make them."""
    of_service = {
        planned.settings.topic(each.changelog): each.service for each in planned.processors
    }
    started = {service for name, service in of_service.items() if name in there}
    return {name: service for name, service in of_service.items() if service not in started}


def _copies(partitions: Mapping[str, Sequence[Any]], there: dict[str, FoundTopic]) -> list[Copies]:
    found = []
    for name, topic in there.items():
        least = topic.settings.get(_MIN_IN_SYNC, "")
        for each in partitions.get(name, ()):
            found.append(
                Copies(
                    f"{name}/{each['partition']}",
                    len(each["replicas"]),
                    len(each["isr"]),
                    has_leader=each["leader"] >= 0,
                    in_sync_min=int(least) if least.isdigit() else None,
                )
            )
    return found


async def _acls(planned: Plan, client: AIOKafkaAdminClient, here: Here) -> list[Finding]:
    try:
        missing = await missing_acls(client, planned)
    except NoAuthorizerError:
        said = "the cluster has no authorizer: everybody may do everything"
        return [Finding("ACLs", "as planned", "skipped", said)]
    except LastingError as error:
        return [Finding("ACLs", "as planned", "skipped", str(error), _AS_ADMIN)]
    return [cluster_findings.acls(len(planned.acls), missing)]


# --- clock and disk ------------------------------------------------------------------------------


async def _clock(settings: Settings, client: AIOKafkaAdminClient, here: Here) -> list[Finding]:
    about = ("clock", "the broker")
    topic = settings.topic(CLOCK)
    if settings.clock == "log":
        return [Finding(*about, "skipped", "CLOCK is log: time comes from the records")]
    if not await counts_of(client._client, [topic]):
        return [Finding(*about, "skipped", f"there is no topic {topic} to ask by")]
    try:
        async with connected(clients.producer(settings), settings) as sender:
            off = await off_seconds(sender, topic)
    except KafkaError as error:
        if (refused := lasting(error)) is None:
            raise
        return [Finding(*about, "skipped", str(refused), _AS_ADMIN)]
    if off is None:
        return [Finding(*about, "skipped", "it stamps no records, so it can't be asked")]
    return [findings.clock("the broker", off, settings.clock_grace_seconds)]


async def disk(settings: Settings, here: Here) -> list[Finding]:
    """The room of the folders in which this machine keeps things, one for each disk."""
    found: dict[int, Finding] = {}
    for folder in (settings.state_dir.absolute(), home_folder()):
        if folder.exists():
            usage = shutil.disk_usage(folder)
            judged = cluster_findings.disk(
                str(folder), usage.free, usage.total, is_writable=os.access(folder, os.W_OK)
            )
            found.setdefault(folder.stat().st_dev, judged)
    if not found:
        said = "STATE_DIR is not on this machine, so no worker keeps rows here"
        return [Finding("disk", str(settings.state_dir), "skipped", said)]
    return list(found.values())
