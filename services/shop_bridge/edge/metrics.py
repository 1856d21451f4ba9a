"""What the bridge counts, listed once with its unit and meaning."""

from prometheus_client import Counter, Gauge, Histogram

WEBHOOKS = Counter(
    "jointbuy_webhooks_total",
    "Webhooks by shop, topic (``other`` if it is not ours or not signed) and outcome.",
    ["source", "topic", "outcome"],
)
WEBHOOK_SECONDS = Histogram(
    "jointbuy_webhook_seconds",
    "Seconds from a webhook's headers to its answer.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
MISTYPED = Counter(
    "jointbuy_mistyped_groups_total", "Orders that name a group by an invalid id.", ["source"]
)
UNREADABLE = Counter(
    "jointbuy_unreadable_webhooks_total", "Signed payloads that are not what they say.", ["source"]
)
POLLED = Counter("jointbuy_polled_orders_total", "Orders read by polls.", ["source"])
POLL_FAILURES = Counter("jointbuy_poll_failures_total", "Polls that broke off.", ["source"])
POLL_WAITING = Gauge(
    "jointbuy_polled_orders_waiting",
    "Orders that polls could not fetch or read, and ask for again.",
    ["source"],
)
POLLED_UP_TO = Gauge(
    "jointbuy_polled_up_to_seconds", "Up to when a shop is polled, as Unix time.", ["source"]
)
OUTBOX_EVENTS = Counter(
    "jointbuy_outbox_events_total", "Outbox events by shop and outcome.", ["source", "outcome"]
)
PAID_BACK = Counter(
    "jointbuy_shop_steps_total",
    "Steps to pay favors and refunds back at a shop, by what came of them.",
    ["source", "outcome"],
)
