"""What is answered to a webhook: refused, ignored, or acknowledged once Kafka has what it says.

A shop repeats what is not answered with 2xx, and gives up on an address that keeps refusing. So
only what a repeat can better is refused: a wrong signature, a broken transfer, a busy broker. A
payload that is signed and yet says nothing readable is kept as a dead letter and acknowledged.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from schemas.messages import Message
from services.runtime.records import OutputRecord, milliseconds
from services.shop_bridge import payloads, shopify, signatures, standard, woocommerce
from services.shop_bridge.metrics import MISTYPED, UNREADABLE, WEBHOOKS
from services.shop_bridge.payloads import GarbledError, UnreadableError
from services.shop_bridge.publisher import NotAcknowledgedError, Publisher
from services.shop_bridge.shop_orders import Told
from services.shop_bridge.shops import Shop

RETRY_SECONDS = 5
MISTYPED_ERROR = "it names a group by what is no id: set group_id, then replay it"
#: Header of the topic, header of the signature, what reads a payload, what tells deliveries apart,
#: what says when it was told.
SPEAKERS: Mapping[str, tuple[str, str, Any, Any, Any]] = {
    "shopify": (
        "x-shopify-topic",
        "x-shopify-hmac-sha256",
        shopify.read,
        shopify.delivery_ids,
        shopify.stamped,
    ),
    "woocommerce": (
        "x-wc-webhook-topic",
        "x-wc-webhook-signature",
        woocommerce.read,
        woocommerce.delivery_ids,
        woocommerce.stamped,
    ),
}
_log = structlog.get_logger()


class Answer(NamedTuple):
    """A status, a line for whoever reads the shop's log, and what is counted."""

    status: int
    text: str
    outcome: str
    topic: str = "other"


class Receiver:
    """Takes the webhooks of some shops."""

    def __init__(self, shops: Sequence[Shop], publisher: Publisher) -> None:
        self._shops = {shop.name: shop for shop in shops if shop.kind != "outbox"}
        self._secrets = {name: shop.plain_secrets() for name, shop in self._shops.items()}
        self._verifiers = {
            name: [signatures.standard_verifier(secret) for secret in self._secrets[name]]
            for name, shop in self._shops.items()
            if shop.kind == "standard"
        }
        self._publisher = publisher

    def knows(self, source: str) -> bool:
        """Whether there is such a shop."""
        return source in self._shops

    async def receive(self, source: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a webhook of a shop that is known; header names in lower case."""
        shop = self._shops[source]
        take = self._take_standard if shop.kind == "standard" else self._take_from_platform
        try:
            answer = await take(shop, headers, body)
        except GarbledError as error:
            answer = Answer(400, str(error), "garbled")
        except NotAcknowledgedError as error:
            _log.warning("a webhook is not acknowledged", source=source, error=str(error))
            answer = Answer(503, "not now, send it again", "not-acknowledged")
        WEBHOOKS.labels(source, answer.topic, answer.outcome).inc()
        return answer

    async def _take_from_platform(
        self, shop: Shop, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """A webhook of Shopify or WooCommerce."""
        topic_header, signature_header, read, delivery_ids, stamped = SPEAKERS[shop.kind]
        if shop.kind == "woocommerce" and woocommerce.is_ping(body):
            return Answer(200, "pong", "ping")
        if not self._is_signed(shop, headers, body, signature_header):
            _log.warning("a webhook is not signed by its shop", source=shop.name)
            return Answer(401, "the signature is not this shop's", "signature")
        payload = payloads.parse(body)
        topic = headers.get(topic_header, "")
        deliveries = delivery_ids(topic, headers)
        cause = f"{shop.name}/{topic}/{deliveries[0] if deliveries else ''}"
        try:
            told = read(topic, payload, shop.name, deliveries)
        except ValueError as error:
            return await self._bury(shop, body, cause, error)
        if told is None:
            return Answer(200, "no topic of ours", "unknown-topic")
        now = datetime.now(UTC)
        return await self._pass_on(shop, stamped(told, headers, now), now, topic, cause)

    async def _pass_on(
        self, shop: Shop, told: Told, now: datetime, topic: str, cause: str
    ) -> Answer:
        """Bring what a delivery says to Kafka."""
        events = told.at(now)
        if not events:
            return Answer(200, "no order under a group's id", "ignored", topic)
        records = [self._publisher.event(each, milliseconds(now), cause) for each in events]
        if told.mistyped is not None:
            records.append(self._mistyped(shop, told.mistyped, now, cause))
        await self._publisher.send(records)
        outcome = "accepted" if told.mistyped is None else "mistyped"
        if told.names_no_group:
            return Answer(200, "it names no group, and counts only if it did", "unnamed", topic)
        return Answer(200, "taken", outcome, topic)

    def _is_signed(
        self, shop: Shop, headers: Mapping[str, str], body: bytes, signature_header: str
    ) -> bool:
        if shop.domain and headers.get("x-shopify-shop-domain") != shop.domain:
            return False
        secrets = self._secrets[shop.name]
        return signatures.signed_by(secrets, body, headers.get(signature_header))

    async def _take_standard(self, shop: Shop, headers: Mapping[str, str], body: bytes) -> Answer:
        """A Standard Webhook with an order message of our own."""
        verifiers = self._verifiers[shop.name]
        refusal = signatures.standard_refusal(verifiers, body, headers)
        if refusal is not None:
            # What is not UTF-8 can't be signed: that, not a secret, is what is wrong with it.
            payloads.parse(body)
            _log.warning("a webhook is not signed by its shop", source=shop.name, error=refusal)
            return Answer(401, refusal, "signature")
        payload = payloads.parse(body)
        try:
            spoken = standard.read(payload, shop.name)
        except UnreadableError as error:
            # Whoever speaks our language is a programmer who wants to know.
            return Answer(422, str(error), "unreadable")
        now = datetime.now(UTC)
        cause = f"{shop.name}/{headers.get('webhook-id', '')[:100]}"
        topic = type(spoken.message).__name__
        if spoken.mistyped:
            await self._publisher.send([self._mistyped(shop, spoken.message, now, cause)])
            return Answer(202, "group_id is mistyped; kept for people to mend", "mistyped", topic)
        record = self._publisher.event(spoken.message, milliseconds(now), cause)
        await self._publisher.send([record])
        return Answer(202, "taken", "accepted", topic)

    def _mistyped(self, shop: Shop, message: Message, now: datetime, cause: str) -> OutputRecord:
        MISTYPED.labels(shop.name).inc()
        _log.warning("an order names a group by what is no id", source=shop.name, key=message.key)
        return self._publisher.dead_letter(message, milliseconds(now), cause, MISTYPED_ERROR)

    async def _bury(self, shop: Shop, body: bytes, cause: str, error: ValueError) -> Answer:
        """Keep a payload that can't be read. Its sender could only repeat it."""
        said = str(error) if isinstance(error, UnreadableError) else "it breaks our schema"
        UNREADABLE.labels(shop.name).inc()
        _log.warning("a signed webhook can't be read", source=shop.name, error=said)
        now = milliseconds(datetime.now(UTC))
        letter = self._publisher.dead_webhook(shop.name, body, now, cause, said)
        await self._publisher.send([letter])
        return Answer(200, f"kept, but it can't be read: {said}", "unreadable")
