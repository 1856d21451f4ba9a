"""What is answered to a webhook: refused, ignored, or acknowledged once Kafka has what it says.

A shop repeats what is not answered with 2xx, and gives up on an address that keeps refusing. So
only what a repeat can better is refused: a wrong signature, a busy broker. A signed body is as its
shop sent it: if it can't be read, it is kept as a dead letter and acknowledged.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from runtime.records import milliseconds
from schemas.parts import Message
from services.shop_bridge.edge import signatures
from services.shop_bridge.edge.metrics import MISTYPED, UNREADABLE, WEBHOOKS
from services.shop_bridge.edge.publisher import NotAcknowledgedError, Publisher
from services.shop_bridge.rules import unusable
from services.shop_bridge.rules.translations import payloads, shopify, standard, woocommerce
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.rules.translations.shop_orders import Told
from services.shop_bridge.shops import Shop

RETRY_SECONDS = 5
#: A shop's domain that is safe in an answer.
_DOMAIN = re.compile(r"[a-z0-9.-]{1,100}(/[A-Za-z0-9._~/-]{0,100})?(:[0-9]{1,5})?")


class Speaker(NamedTuple):
    """A platform: its headers, its topics about orders, and their readers."""

    topic: str
    signature: str
    domain: str
    topics: Collection[str]
    read: Any
    delivery_ids: Any
    stamped: Any


SPEAKERS: Mapping[str, Speaker] = {
    "shopify": Speaker(
        "x-shopify-topic",
        "x-shopify-hmac-sha256",
        "x-shopify-shop-domain",
        shopify.READERS.keys(),
        shopify.read,
        shopify.delivery_ids,
        shopify.stamped,
    ),
    "woocommerce": Speaker(
        "x-wc-webhook-topic",
        "x-wc-webhook-signature",
        "x-wc-webhook-source",
        woocommerce.TOPICS,
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
            if not self._publisher.is_away:
                _log.warning("a webhook is not acknowledged", source=source, error=str(error))
            answer = Answer(503, "not now, send it again", "not-acknowledged")
        WEBHOOKS.labels(source, answer.topic, answer.outcome).inc()
        return answer

    async def _take_from_platform(
        self, shop: Shop, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """A webhook of Shopify or WooCommerce."""
        speaker = SPEAKERS[shop.kind]
        topic = headers.get(speaker.topic, "")
        if shop.kind == "woocommerce" and woocommerce.is_ping(body):
            return Answer(200, "pong", "ping")
        refusal = self._refuse(shop, speaker, headers, body)
        if refusal is not None:
            return refusal
        if topic not in speaker.topics:
            return Answer(200, "this topic is not used", "unknown-topic")
        deliveries = speaker.delivery_ids(topic, headers)
        cause = f"{shop.name}/{topic}/{deliveries[0] if deliveries else ''}"
        payload: Any = None
        try:
            payload = payloads.parse(body)
            told: Told = speaker.read(topic, payload, shop.name, deliveries, shop.reading())
        except ValueError as error:
            return await self._bury(shop, payload, body, cause, error, topic)
        now = datetime.now(UTC)
        told = speaker.stamped(told, headers, now)
        return await self._take(shop, told, body, cause, topic, now)

    def _refuse(
        self, shop: Shop, speaker: Speaker, headers: Mapping[str, str], body: bytes
    ) -> Answer | None:
        """The answer to a webhook that is not signed, or is from another shop.

        Only a sender with a valid signature is told the entry's shop.
        """
        if not signatures.signed_by(self._secrets[shop.name], body, headers.get(speaker.signature)):
            _log.warning("a webhook is not signed by its shop", source=shop.name)
            return Answer(401, "the signature is not this shop's", "signature")
        problem = _other_shop(shop, headers.get(speaker.domain))
        if problem is None:
            return None
        _log.warning("a webhook is from another shop", source=shop.name, error=problem)
        return Answer(401, problem, "other-shop")

    async def _take(
        self, shop: Shop, told: Told, body: bytes, cause: str, topic: str, now: datetime
    ) -> Answer:
        """Send the messages of a webhook, with dead letters of the parts that need people."""
        events = told.at(now)
        if not events:
            why = f": it is {told.ignored}" if told.ignored else ": it names none"
            return Answer(200, f"it counts in no group{why}", "ignored", topic)
        now_ms = milliseconds(now)
        records = [self._publisher.event(each, now_ms, cause) for each in events]
        if told.mistyped is not None:
            message, order_id = told.mistyped, told.mistyped.order_id
            self._count_mistyped(shop, message)
            records.append(self._publisher.mistyped(shop.name, message, order_id, now_ms, cause))
        if told.problem is not None:
            UNREADABLE.labels(shop.name).inc()
            _log.warning("a line of a group can't be counted", source=shop.name, error=told.problem)
            records.append(self._publisher.uncounted(shop.name, told, body, now_ms, cause))
        await self._publisher.send(records)
        if told.problem is not None:
            return Answer(
                200, f"accepted, but a part does not count: {told.problem}", "uncounted", topic
            )
        if told.names_no_group:
            return Answer(
                200, "it names no group, so it counts only if it named one before", "unnamed", topic
            )
        return Answer(200, "taken", "accepted" if told.mistyped is None else "mistyped", topic)

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
            self._count_mistyped(shop, spoken.message)
            await self._publisher.send(
                self._publisher.mistyped_message(shop.name, spoken.message, now, cause)
            )
            return Answer(202, "group_id is mistyped; kept for people to mend", "mistyped", topic)
        record = self._publisher.event(spoken.message, milliseconds(now), cause)
        await self._publisher.send([record])
        return Answer(202, "taken", "accepted", topic)

    def _count_mistyped(self, shop: Shop, message: Message) -> None:
        MISTYPED.labels(shop.name).inc()
        _log.warning("an order names a group by an invalid id", source=shop.name, key=message.key)

    async def _bury(
        self, shop: Shop, payload: Any, body: bytes, cause: str, error: ValueError, topic: str
    ) -> Answer:
        """Keep a payload that can't be read, and tell people. Its sender could only repeat it."""
        now = datetime.now(UTC)
        event = unusable.unread(shop.name, payload, body, error, now)
        _, said = unusable.said(error)
        UNREADABLE.labels(shop.name).inc()
        _log.warning("a signed webhook can't be read", source=shop.name, error=said)
        now_ms = milliseconds(now)
        letter = self._publisher.unread(event, body, now_ms, cause, said)
        told = self._publisher.event(event, now_ms, cause)
        await self._publisher.send([letter, told])
        return Answer(
            200, f"kept as a dead letter, as it can't be read: {said}", "unreadable", topic
        )


def _other_shop(shop: Shop, told: str | None) -> str | None:
    """Why a webhook with a valid signature is not from this entry's shop; None if it is.

    One app of Shopify signs for all shops that have it, so the signature does not tell them apart.
    """
    if not shop.domain or signatures.site(told or "") == signatures.site(shop.domain):
        return None
    other = signatures.site(told or "")
    named = f"for the shop {other}" if _DOMAIN.fullmatch(other) else "without a shop's domain"
    return (
        f"it is signed correctly, but {named}; the entry {shop.name} has {shop.domain}: post it to"
        " that shop's own entry, or correct the entry's domain"
    )
