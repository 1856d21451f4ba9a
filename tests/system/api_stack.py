"""A stack with the storefront in front, and clients of its HTTP API."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from runtime.links import Links
from stack.brokers import RunningBroker
from tests.system import plain_http
from tests.system.reader import Reader, Seen
from tests.system.stack import DEADLINE_SECONDS, Stack, stack_on, until

ADMIN_KEY = "admin-key-of-the-tests"
SECRET = "link-secret-of-the-tests, long enough"
SETTINGS = {
    "ADMIN_KEY": ADMIN_KEY,
    "LINK_SECRET": SECRET,
    "READS_PER_MINUTE": "1000000",
    "WRITES_PER_MINUTE": "1000000",
    "WRITES_PER_MINUTE_OF_KEY": "1000000",
    "REQUESTS_PER_HOUR": "1000000",
    "REGISTRATIONS_PER_HOUR": "1000000",
    "OFFERS_PER_HOUR": "1000000",
    "LETTERS_PER_HOUR": "1000000",
    "LETTERS_TO_ONE_PER_HOUR": "1000000",
    "LETTERS_OF_STRANGERS_PER_HOUR": "1000000",
    "ANSWER_SECONDS": "10",
}
SERVICES = (
    "request_service",
    "order_service",
    "favor_service",
    "auction_service",
    "services.storefront.projector",
)
LINKS = Links(SECRET)


def after(**span: float) -> str:
    """A time from now, as the API takes it."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


@dataclass(frozen=True)
class Client:
    """The API as one who has a credential, or none."""

    url: str
    credential: str | None = None

    def as_(self, credential: str | None) -> "Client":
        """The same for somebody else."""
        return Client(self.url, credential)

    def send(
        self, method: str, path: str, body: Any = None, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """Ask, with a body as JSON."""
        headers = dict(more.pop("headers", {}))
        if self.credential is not None:
            headers["Authorization"] = f"Bearer {self.credential}"
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is not None:
            more["json"] = body
        url = f"{self.url}/api/v1{path}"
        return plain_http.request(method, url, headers=headers, timeout=90, **more)

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        """What is shown there."""
        return self._checked(self.send("GET", path, params=query), status)

    def post(
        self, path: str, body: Any = None, status: int | None = 201, key: str | None = None
    ) -> Any:
        """What is answered to a command."""
        return self._checked(self.send("POST", path, body, key), status)

    def _checked(self, answer: httpx.Response, status: int | None) -> Any:
        assert status in (None, answer.status_code), (answer.request.url, answer.text)
        return answer.json()


@dataclass
class Api:
    """A running stack; ``nobody`` has no credential, ``other`` is a second web process."""

    stack: Stack
    nobody: Client
    other: Client

    @property
    def admin(self) -> Client:
        """The admin."""
        return self.nobody.as_(ADMIN_KEY)

    def shop(self, shop_id: str | None = None) -> Client:
        """A new shop, or a further key of one."""
        shop_id = shop_id or f"shop-{uuid.uuid4().hex[:8]}"

        def key() -> httpx.Response | None:
            # Kafka may take longer to answer than a request may last, on a busy machine.
            answer = self.admin.send("POST", f"/shops/{shop_id}/keys")
            return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        answer = until("a key", key)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return self.nobody.as_(answer.json()["api_key"])

    def seller(self, *, approved: bool = True) -> tuple[str, Client]:
        """A new seller, and the client with the key."""
        name = f"seller{uuid.uuid4().hex[:8]}"
        body = {"name": name, "email": f"{name}@sellers.example"}
        registered = self.nobody.post("/sellers", body)
        if approved:
            self.admin.post(f"/sellers/{registered['seller_id']}/approval", {}, 200)
        return registered["seller_id"], self.nobody.as_(registered["api_key"])

    def definition(self, shop: Client, **changed: Any) -> Any:
        """A definition of a shop."""
        body = {
            "product": {"name": "Green tea", "id": "tea-1"},
            "unit_price": 1000,
            "currency": "EUR",
            "favor": {
                "tiers": [
                    {"from_quantity": 3, "percent_off": 10},
                    {"from_quantity": 6, "percent_off": 20},
                ]
            },
        }
        return shop.post("/definitions", body | changed)

    def confirm_order(self, group_id: str, told: Any, quantity: int, times: int = 1) -> Seen:
        """Follow the link of the letter about an order that the API has `told` of; the page.

        ``times`` is how often the button is pressed.
        """
        ends = datetime.now(UTC) + timedelta(hours=48)
        what = (told["member_id"], told["source"], told["order_id"], str(quantity))
        token = LINKS.token("confirm-order", group_id, *what, ends.isoformat())
        reader = Reader(self.nobody.url)
        asked = reader.get(f"/confirm-order/{token}")
        *_, answer = [reader.send(asked, "/confirm-order/") for _ in range(times)]
        return answer

    def auction(self, seller: Client, **changed: Any) -> Any:
        """An auction of a seller."""
        body = {
            "product": {"name": "Camera"},
            "minimum_reservations": 3,
            "unit_price": 90_000,
            "currency": "JPY",
            "closes_at": after(hours=1),
        }
        return seller.post("/auctions", body | changed)


@contextmanager
def api_on(
    broker: RunningBroker,
    folder: Path,
    before: Callable[[Stack], None] = lambda _: None,
    **env: str,
) -> Iterator[Api]:
    """A stack that ends with the block; ``before`` feeds what lies on the topics at its start."""
    with stack_on(broker, folder, clock="wall", **(SETTINGS | env)) as stack:
        before(stack)
        workers = [stack.worker(each) for each in SERVICES]
        pages = [stack.worker("storefront") for _ in range(2)]
        # So many processes at once take their time on a busy machine.
        stack.until_ready(*workers, *pages, timeout=3 * DEADLINE_SECONDS)
        clients = [Client(f"http://127.0.0.1:{each.port}") for each in pages]
        yield Api(stack, *clients)
