"""What is attacked: the storefront in this process, without a broker, or one that runs."""

import http.client
import threading
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

from fastapi import FastAPI
from pydantic_core import to_json

from domain.ids import derive
from domain.people import of_seller
from runtime.links import Links, Purpose
from runtime.records import encode
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.letters import mailbox_of
from schemas.ops import ApiKey
from schemas.parts import Message
from schemas.topic import Topic
from services.storefront.access.callers import new_key
from services.storefront.app import build
from services.storefront.readmodel.writer import Batch, Place, Writer
from services.storefront.settings import PageSettings
from tests.attack.attacks import Attack, Means
from tests.read_model import make_model, model_of
from tests.system.api_stack import ADMIN_KEY, SECRET

NOW = datetime.now(UTC)
_TOPIC_OF = {kind: topic.name for topic in CATALOGUE.values() for kind in topic.messages}


@dataclass
class Answer:
    """What was answered, and how many messages went to the log meanwhile, if that is known."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    sent: int | None = None

    def header(self, name: str) -> str:
        """One of them; empty if it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), "")


# --- in this process -----------------------------------------------------------------------------


class Recorder:
    """A log that takes all that can be read back from it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, topic: Topic, *messages: Message, at: datetime | None = None) -> None:
        """Keep messages. Raises for one that no service could read."""
        for message in messages:
            topic.adapter.validate_json(encode(message))
            self.messages.append(message)


@dataclass
class InProcess:
    """A storefront whose log is a recorder and whose hub hears nothing."""

    app: FastAPI
    recorder: Recorder
    means: Means

    async def ask(self, attack: Attack) -> Answer:
        """Send a request as uvicorn would hand it over; of a stream only what it begins with."""
        before = len(self.recorder.messages)
        raw_path, _, query = attack.target.encode("ascii").partition(b"?")
        headers = {"Host": "attacked.example", "Content-Length": str(len(attack.body))}
        headers |= attack.headers
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": attack.method,
            "scheme": "http",
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
            ],
            "client": ("203.0.113.7", 1),
            "server": ("attacked.example", 80),
        }
        answer, pieces, is_over = Answer(0, [], b""), [], False

        async def receive() -> dict[str, Any]:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": attack.body, "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal is_over
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in message["headers"]
                ]
            else:
                pieces.append(message.get("body", b""))
                is_over = not message.get("more_body", False)

        given = False
        await self.app(scope, receive, send)
        answer.body = b"".join(pieces)
        answer.sent = len(self.recorder.messages) - before
        assert is_over
        return answer


@asynccontextmanager
async def in_process(folder: Path) -> AsyncIterator[InProcess]:
    """A storefront with one of everything in its read model."""
    url = f"sqlite:///{folder / 'model.db'}"
    facts, ids, keys = _world()
    await make_model(url)
    engine = model_of(url)
    issuer = folder / "issuer.toml"
    issuer.write_text('name = "Shop"\naddress = ["Street 1"]\ntax_id = "DE1"\naccount = ["1"]\n')
    writer, place, batch = Writer(engine), Place("auctions", 0), Batch()
    for fact in facts:
        batch.put(_TOPIC_OF[type(fact)], fact, encode(fact).decode(), 1_000)
    at = (await writer.positions([place]))[place]
    await writer.write(batch, {place: (at, at + 1)})
    await engine.dispose()
    many = 10**9
    settings = PageSettings(
        database_url=url,  # type: ignore[arg-type]
        link_secret=SECRET,  # type: ignore[arg-type]
        admin_key=ADMIN_KEY,  # type: ignore[arg-type]
        page_url="http://attacked.example",
        invoice_issuer_file=issuer,
        answer_seconds=0,
        reads_per_minute=many,
        writes_per_minute=many,
        writes_per_minute_of_key=many,
        requests_per_hour=many,
        registrations_per_hour=many,
        letters_per_hour=many,
        letters_to_one_per_hour=many,
        letters_of_strangers_per_hour=many,
        offers_per_hour=many,
        messages_of_group_per_day=many,
        sign_ins_per_hour=many,
    )
    app, recorder = build(Settings(), settings), Recorder()
    shop = app.state.shop
    try:
        with patch.object(type(shop.sender), "send", staticmethod(recorder.send)):
            yield InProcess(app, recorder, means_of(ids, keys))
    finally:
        shop.printer.close()
        shop.painter.close()
        await shop.reader.close()


def means_of(ids: dict[str, str], credentials: dict[str, str], secret: str = SECRET) -> Means:
    """With a token of each purpose; the payer is m1."""
    links, group = Links(secret), ids["group_id"]
    made: dict[Purpose, tuple[str, ...]] = {
        "unsubscribe": ("m-ada", "invitation", "mailbox"),
        "confirm-application": (ids["auction_id"], ids["application_id"]),
        "confirm-order": (group, "m1", "storefront", "w-1", "1", "2100-01-01T00:00:00+00:00"),
        "application": (ids["auction_id"], ids["application_id"]),
        "counter-offer": (ids["auction_id"], ids["seller_id"]),
        "request": (ids["request_id"],),
        "group": (group, "m-ada"),
        "order": (group, ""),
        "payer": (group, "m1", ""),
        "seller": (ids["seller_id"], mailbox_of(of_seller(ids["seller_id"]), "n@b.example")),
        "person": (
            of_seller(ids["seller_id"]),
            mailbox_of(of_seller(ids["seller_id"]), "n@b.example"),
        ),
    }
    tokens = {purpose: links.token(purpose, *what) for purpose, what in made.items()}
    by_token: dict[str, Purpose] = {
        "organizer": "group",
        "member": "order",
        "payer": "payer",
        "requester": "request",
        "applicant": "application",
        "invited": "counter-offer",
    }
    of_links = {who: tokens[purpose] for who, purpose in by_token.items()}
    return Means(links, ids, {**of_links, "admin": ADMIN_KEY, **credentials}, tokens)


def _world() -> tuple[list[Message], dict[str, str], dict[str, str]]:
    """Facts of one of everything, their ids, and keys of a shop and a seller."""
    group_id = derive("attacked")
    shop_key, shop = new_key("shop", "shop-1")
    seller_key, seller = new_key("seller", "s-1")
    later, product = NOW + timedelta(days=30), {"name": "Tea", "id": "tea-1"}
    definition = _fact(
        "definitions", "Definition", definition_id="d-1", shop_id="shop-1", product=product,
        unit_price=1000, currency="EUR", favor={}, published_at=NOW,
        payment={"scope": "member", "methods": ["invoice", "shop"]},
    )  # fmt: skip
    terms = _fact(
        "group-purchases", "GroupPurchase", group_id=group_id, request_id="r-1", version=1,
        definition_id="d-1", requested_at=NOW, issued_at=NOW, product=product, unit_price=1000,
        currency="EUR", organizer={"id": "m-ada", "person_id": "m-ada"}, number_of_products=5,
        opens_at=NOW, closes_at=later, payment={"scope": "member", "method": "invoice"},
        visibility="public",
    )  # fmt: skip
    issued = _fact(
        "request-outcomes", "IdIssued", request_id="r-1", group_id=group_id, issued_at=NOW
    )
    row = _fact(
        "purchases", "PurchaseRow", group_id=group_id, request_id="r-1", member_id="m1", version=1,
        quantity=1, value=1000, currency="EUR", orders=1, person_id="shop-1:m1",
        period={"opens_at": NOW, "closes_at": later},
    )  # fmt: skip
    payment = _fact(
        "payments", "Payment", payment_id="p-1", group_id=group_id, member_id="m1", kind="invoice",
        method="invoice", amount=1000, currency="EUR", status="pending", version=1,
        cause={"kind": "order", "source": "s", "order_id": "1"}, number=f"{group_id}-I1",
        provider_reference=f"{group_id}-I1", begun_at=NOW,
    )  # fmt: skip
    auction = _fact(
        "auctions", "Auction", auction_id="a-1", version=1, status="open", product=product,
        opened_by="s-1", opened_at=NOW, currency="EUR", minimum_step=1, reservations=0,
        applicants=0, invites_at=NOW + timedelta(days=1), closes_at=later,
        shown={"offer_id": "o-1", "seller_id": "s-1", "unit_price": 900, "minimum_reservations": 3},
    )  # fmt: skip
    registered = _fact(
        "sellers", "Seller", seller_id="s-1", name="Nord", email="n@b.example", registered_at=NOW,
        standing="good", standings=[{"standing": "good", "since": NOW}], version=1,
    )  # fmt: skip
    task = _fact(
        "tasks", "Task", task_id="order-1", kind="order", shop_id="shop-1", about="1042",
        reason="unreadable", problem="a line's quantity", since=NOW,
    )  # fmt: skip
    person = _fact(
        "people", "Person", person_id="shop-1:m1", email="m1@b.example", name="Mia", seen_at=NOW
    )
    of_its_seller = _fact(
        "people", "Person", person_id=of_seller("s-1"), email="n@b.example", seen_at=NOW
    )
    letter = _fact(
        "deliveries", "Delivery", recipient_id="shop-1:m1", notice_id="n-1", kind="order-counted",
        about=group_id, status="bounced", attempts=3, reply="550 no", queued_at=NOW, at=NOW,
        version=1,
    )  # fmt: skip
    ids = {
        "area": "auctions",
        "notice_id": "n-1",
        "image_id": "0" * 64,
        "payment_id": "p-1",
        "task_id": "order-1",
        "shop_key_id": shop_key.key_id,
        "definition_id": "d-1",
        "group_id": group_id,
        "request_id": "r-1",
        "auction_id": "a-1",
        "offer_id": "o-1",
        "application_id": "b-1",
        "seller_id": "s-1",
        "shop_id": "shop-1",
        "person_id": "shop-1:m1",
        "key_id": seller_key.key_id,
    }
    keys: list[ApiKey] = [shop_key, seller_key]
    facts = [definition, terms, issued, row, payment, auction, registered, task, person, letter]
    facts += [of_its_seller, *keys]
    return facts, ids, {"shop": shop, "seller": seller}


def _fact(topic: str, kind_: str, **fields: Any) -> Message:
    kinds = CATALOGUE[topic].messages
    shape = next(each for each in kinds if each.__name__ == kind_)
    return shape.model_validate_json(to_json(fields))


# --- one that runs -------------------------------------------------------------------------------


class OverHttp:
    """A storefront that runs, asked over connections that are kept; of streams only the head."""

    def __init__(self, url: str) -> None:
        self._address = str(urlsplit(url).netloc)
        self._kept = threading.local()

    def ask(self, attack: Attack) -> Answer:
        """Send a request as it is."""
        for is_again in (False, True):
            connection = getattr(self._kept, "connection", None)
            if connection is None or is_again:
                connection = http.client.HTTPConnection(self._address, timeout=60)
                self._kept.connection = connection
            try:
                return self._asked(connection, attack)
            except (http.client.HTTPException, OSError):
                # What is refused unread is refused by closing: one that was kept may be closed.
                connection.close()
                if is_again:
                    raise
        raise AssertionError("it is answered or raises")

    def _asked(self, connection: http.client.HTTPConnection, attack: Attack) -> Answer:
        headers = {name.lower(): value for name, value in attack.headers.items()}
        connection.putrequest(
            attack.method, attack.target, skip_host="host" in headers, skip_accept_encoding=True
        )
        if "content-length" not in headers:
            headers["content-length"] = str(len(attack.body))
        for name, value in headers.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(attack.body)
        response = connection.getresponse()
        is_stream = "event-stream" in (response.getheader("content-type") or "")
        body = b"" if is_stream else response.read()
        if is_stream or response.getheader("connection", "").lower() == "close":
            connection.close()
            self._kept.connection = None
        return Answer(response.status, response.getheaders(), body)

    def all(self, attacks: Iterable[Attack], threads: int = 4) -> list[tuple[Attack, Answer]]:
        """Send many, several at a time; the answers in their order."""
        listed = list(attacks)
        with ThreadPoolExecutor(threads) as pool:
            return list(zip(listed, pool.map(self.ask, listed), strict=True))
