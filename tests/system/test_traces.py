"""One trace from a request to the letter that it leads to, through real services and Kafka."""

import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.ports import free_port
from stack.brokers import RunningBroker
from tests.system.api_stack import ADMIN_KEY, SETTINGS, Client
from tests.system.collector import Collector, collector
from tests.system.letters import MAIL
from tests.system.mail import Mailpit
from tests.system.marks import Mark, found, in_files
from tests.system.stack import Stack, stack_on, until

pytestmark = pytest.mark.system

#: As the program of a shop may send it: its own trace, and that it is to be kept.
CALLERS_TRACE, CALLERS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVICES = ("request_service", "order_service", "notifier", "services.storefront.projector")
#: Without traces a stack ends in some seconds. OpenTelemetry alone would wait for 30 s.
END_SECONDS_MAX = 25.0
#: The service that makes each span of the story, and the service that made its parent.
STORY = {
    ("storefront", "POST /api/v1/group-purchases"): "",
    ("request_service", "process group-purchase-requests"): "storefront",
    ("order_service", "process group-purchases"): "request_service",
    ("notifier", "process people"): "request_service",
    ("notifier", "process notices"): "request_service",
    ("notifier", "call letter"): "notifier",
}


@pytest.fixture
def running() -> Iterator[Collector]:
    with collector() as each:
        yield each


def test_one_trace_leads_from_a_request_to_its_letter_and_names_nobody(
    kafka: RunningBroker, mailpit: Mailpit, running: Collector, tmp_path: Path
) -> None:
    key_of_collector = secrets.token_hex(12)
    address, person = f"ada-{secrets.token_hex(4)}@trace.example", f"Ada{secrets.token_hex(4)}"
    env = {
        **SETTINGS,
        **MAIL,
        "SMTP_PORT": str(mailpit.port),
        "OTEL_EXPORTER_OTLP_ENDPOINT": running.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={key_of_collector}",
        # Spans are sent when a process ends, at the latest.
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
    with stack_on(kafka, tmp_path, clock="wall", **env) as stack:
        nobody = _started(stack)
        key, definition_id = _definition(nobody)
        answer = nobody.send(
            "POST",
            "/group-purchases",
            {
                "definition_id": definition_id,
                "number_of_products": 3,
                "organizer": {"name": person, "email": address},
            },
            params={"token": key},
            headers={
                "traceparent": f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01",
                "tracestate": "shop=1",
            },
        )
        assert answer.status_code == 201, answer.text
        asked = answer.json()
        until("the letter", lambda: mailpit.messages(address))
        stack.wait_idle()
        headers = {each.value["type"]: each.headers for each in stack.read("group-purchases")}
        assert running.bodies == []
        _end(stack)

    spans = [each for each in running.spans() if each.trace_id == CALLERS_TRACE]
    assert set(STORY) <= {(each.service, each.name) for each in spans}
    assert {each.parent_id for each in spans} <= {CALLERS_SPAN, *(each.span_id for each in spans)}
    by_id = {each.span_id: each for each in spans}
    for each in spans:
        parent = by_id.get(each.parent_id)
        wanted = STORY.get((each.service, each.name))
        assert wanted is None or (parent.service if parent else "") == wanted, each
        assert each.span.trace_state == "shop=1"
    (letter,) = [each for each in spans if each.name == "call letter"]
    assert letter.attributes["jointbuy.outcome"] == "sent"
    assert letter.attributes["jointbuy.letter"] == "id-issued"
    assert letter.attributes["jointbuy.group_purchase_id"] == asked["group_id"]
    (request,) = [each for each in spans if each.service == "storefront"]
    assert request.attributes["http.response.status_code"] == 201
    (taken,) = [each for each in spans if each.name == "process group-purchase-requests"]
    assert taken.attributes["messaging.kafka.offset"] == 0
    assert taken.attributes["messaging.system"] == "kafka"
    assert headers["GroupPurchase"]["traceparent"].split("-")[1] == CALLERS_TRACE

    # Who is in the story is in no span, and neither is any credential.
    marks = [
        Mark("address", address),
        *(Mark("secret", each) for each in (person, key, ADMIN_KEY, asked["organizer_token"])),
    ]
    sent = [(f"message {number} to the collector", body) for number, body in
            enumerate(running.bodies)]  # fmt: skip
    assert len(sent) >= len({each.service for each in spans})
    assert found(sent, marks) == []
    assert found([("the marks", address.encode())], marks), "what is there is found"
    assert running.paths == {"/v1/traces"}
    assert {each["x-key"] for each in running.headers} == {key_of_collector}
    logs = in_files(*(each.log for each in stack.workers))
    assert found(logs, [Mark("secret", key_of_collector)]) == []


@pytest.mark.long
def test_a_collector_that_is_away_stops_nothing_and_is_told_once(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path
) -> None:
    env = {
        **SETTINGS,
        **MAIL,
        "SMTP_PORT": str(mailpit.port),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    with stack_on(kafka, tmp_path, clock="wall", **env) as stack:
        nobody = _started(stack)
        _, definition_id = _definition(nobody)
        for number in range(3):
            address = f"away-{number}-{secrets.token_hex(4)}@trace.example"
            body = {"definition_id": definition_id, "number_of_products": 2,
                    "organizer": {"name": "Ada", "email": address}}  # fmt: skip
            nobody.post("/group-purchases", body)
            until("the letter", lambda to=address: mailpit.messages(to))
        until("the line", lambda: all(_lines(stack, each) for each in ("request", "storefront/")))
        assert _end(stack) < END_SECONDS_MAX
    for worker in stack.workers:
        said = [each for each in worker.log.read_text().splitlines() if "collector" in each]
        assert len(said) <= 1, said
        assert "Traceback" not in worker.log.read_text()


def _started(stack: Stack) -> Client:
    """Start all workers; who has no key, on their pages."""
    pages = stack.worker("storefront")
    stack.until_ready(*(stack.worker(each) for each in SERVICES), pages)
    return Client(f"http://127.0.0.1:{pages.port}")


def _end(stack: Stack) -> float:
    """End all workers, in how many seconds."""
    began = time.monotonic()
    for worker in stack.workers:
        worker.signal(signal.SIGTERM)
    # uvicorn ends by the signal.
    assert {worker.exit_code() for worker in stack.workers} <= {0, -signal.SIGTERM}
    return time.monotonic() - began


def _lines(stack: Stack, service: str) -> int:
    """How many lines a service has written about the collector."""
    return sum(
        worker.log.read_text().count("the collector takes no spans")
        for worker in stack.workers
        if service.strip("/") in worker.module and "projector" not in worker.module
    )


def _definition(nobody: Client) -> tuple[str, str]:
    """A shop's key, and its definition."""
    admin = nobody.as_(ADMIN_KEY)
    answer = until(
        "a key",
        lambda: (told := admin.send("POST", "/shops/leaf/keys")).is_success and told,
    )
    key = str(answer.json()["api_key"])
    body = {
        "product": {"name": "Green tea", "id": "tea-1"},
        "unit_price": 1000,
        "currency": "EUR",
        "favor": {"tiers": [{"from_quantity": 3, "percent_off": 10}]},
    }
    return key, str(nobody.as_(key).post("/definitions", body)["definition_id"])
