"""No card data and no secret in any log, topic or page; no address in any log or public page.

One whole stack, as ``jointbuy up`` starts it, goes through a short story in which every such value
is marked. Then every place that people other than its owner can read is searched for the marks.
A person's address is in ``people``, in commands, and in the copies of the notifier and of the
storefront; after ``jointbuy erase`` it is in commands alone.
"""

import asyncio
import base64
import json
import quopri
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from runtime.links import Links
from runtime.ports import free_port
from runtime.records import OutputRecord
from schemas.auctions import APPLICATIONS, SELLER_REGISTRATIONS, SELLERS
from schemas.groups import GROUP_PURCHASE_REQUESTS
from schemas.ops import DEAD_LETTERS
from schemas.orders import ORDERS, OrderPaid
from schemas.people import PEOPLE
from schemas.shop_orders import SHOP_EVENTS
from services.auction_service.processor import DESK
from services.notifier.processor import LETTERS
from stack.brokers import RunningBroker
from tests.keys import dkim_key
from tests.system import plain_http
from tests.system.api_stack import Client, after
from tests.system.faulty_service import UNLUCKY
from tests.system.faulty_smtp import Shares as MailShares
from tests.system.letters import buyer, letter_to, mail_env
from tests.system.mail import FaultySmtp, Mailpit
from tests.system.marks import (
    Mark,
    Place,
    compacted,
    found,
    in_arguments,
    in_files,
    in_tables,
    in_topics,
    on_pages,
)
from tests.system.payments import StrictStripe
from tests.system.postgres import Postgres
from tests.system.stack import Stack, stack_on, until
from tests.system.strict_stripe import Shares
from tests.system.whole_stack import jointbuy, up
from tests.webhook_payloads import STANDARD_SECRET, shopify, shopify_order, standard

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

#: Numbers for tests, which no bank has given to anybody.
VISA, AMEX = "4242424242424242", "378282246310005"
#: In what the story itself writes to a topic, as a shop's feed would.
FED = b"poison"
#: Whose addresses the story makes known: those of whom a letter is to go to.
SELLING = ("nord", "sato")
KNOWN = (*SELLING, "aki", "ben", "ann", "member1", "member2", "buyer1", "buyer4")
#: The commands that bring addresses; dead letters are records as they came.
COMMANDS = frozenset(
    f"topic {each.name}"
    for each in (
        *(GROUP_PURCHASE_REQUESTS, ORDERS, APPLICATIONS, SELLER_REGISTRATIONS, SHOP_EVENTS),
        DEAD_LETTERS,
    )
)
#: What the notifier and the storefront hold of ``people``.
COPIES = frozenset({f"topic {LETTERS.changelog}", f"table facts/{PEOPLE.name}"})
#: A seller's contact is public: it stays in the seller's facts and row.
OF_SELLERS = frozenset(
    {f"topic {SELLERS.name}", f"topic {DESK.changelog}", f"table facts/{SELLERS.name}"}
)
#: Beside what the story adds.
PUBLIC = (
    *("/", "/?lang=ja", "/help", "/none"),
    *(f"/api/v1/{name}" for name in ("openapi.json", "definitions", "auctions", "events")),
    "/api/v1/group-purchases",
)
OPS = ("/metrics", "/status", "/readyz", "/livez", "/docs", "/none")


@dataclass
class Marks:
    """Every value that is looked for."""

    all: list[Mark] = field(default_factory=list)

    def secret(self, prefix: str = "") -> str:
        """A new one."""
        return self._add(Mark("secret", f"{prefix}{secrets.token_hex(12)}"))

    def address(self, who: str, domain: str = "mark.example") -> str:
        """A new one."""
        return self._add(Mark("address", f"{who}-{secrets.token_hex(4)}@{domain}"))

    def card(self, number: str) -> str:
        """A number that is known."""
        return self._add(Mark("card", number))

    def keep(self, secret: str) -> str:
        """A secret that was given out."""
        return self._add(Mark("secret", secret))

    def _add(self, mark: Mark) -> str:
        self.all.append(mark)
        return mark.value

    def of(self, *kinds: str) -> list[Mark]:
        return [each for each in self.all if each.kind in kinds]

    def addresses_of(self, *people: str) -> list[Mark]:
        return [each for each in self.of("address") if each.value.partition("-")[0] in people]


@dataclass
class Story:
    """What happens, with marked values in every place where such values come in."""

    marks: Marks
    stack: Stack
    webs: dict[str, str]
    admin_key: str
    links: Links
    shop_secret: str
    #: What was answered to somebody without a credential.
    answers: list[Place] = field(default_factory=list)
    public: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nobody = Client(self.webs["storefront"])
        self.admin = self.nobody.as_(self.admin_key)

    def play(self) -> None:
        self.register()
        auction = self.open_auction()
        group_id = self.ask_for_group()
        self.hear_shop(group_id)
        self.be_refused()
        self.poison()
        self.settle(group_id)
        self.stack.wait_for("auctions", f"{auction}/conclusion", type="ContractConcluded")

    def register(self) -> None:
        self.shop = self.nobody.as_(
            self.marks.keep(self.admin.post("/shops/marked/keys")["api_key"])
        )
        self.sellers = []
        for who in ("nord", "sato"):
            body = {"name": f"{who} Foto", "email": self.marks.address(who)}
            registered = self.nobody.post("/sellers", body)
            self.admin.post(f"/sellers/{registered['seller_id']}/approval", {}, 200)
            self.sellers.append(self.nobody.as_(self.marks.keep(registered["api_key"])))
        # Refused, and what was given with it: a name that is taken for a key.
        wrong = self.nobody.as_(self.marks.secret("jb_wrong_"))
        self.told("a wrong key", wrong.send("GET", "/sellers/me"))

    def open_auction(self) -> str:
        auction = self.sellers[0].post(
            "/auctions",
            {
                "product": {"name": "Camera"},
                "minimum_reservations": 2,
                "unit_price": 90_000,
                "currency": "JPY",
                "invites_at": after(seconds=5),
                "closes_at": after(seconds=25),
            },
        )["auction_id"]
        self.public += [f"/auctions/{auction}", f"/api/v1/auctions/{auction}"]
        self.public += [f"/api/v1/auctions/{auction}/events"]
        for who in ("aki", "ben"):
            applicant = {"name": "Aki", "email": self.marks.address(who)}
            body = {"applicant": applicant, "quantity": 1}
            applied = self.nobody.post(f"/auctions/{auction}/applications", body)
            self.marks.keep(applied["withdrawal_token"])
            token = self.links.token("confirm-application", auction, applied["application_id"])
            page = plain_http.post(
                f"{self.nobody.url}/confirm/{self.marks.keep(token)}",
                headers={"Sec-Fetch-Site": "same-origin"},
                timeout=30,
            )
            assert page.is_success, page.text
        return str(auction)

    def ask_for_group(self) -> str:
        definition = self.shop.post(
            "/definitions",
            {
                "product": {"name": "Green tea"},
                "unit_price": 1_000,
                "currency": "EUR",
                "favor": {"tiers": [{"from_quantity": 2, "percent_off": 10}]},
                "payment": {"methods": ["card"]},
            },
        )
        # Only a shop names ids of people.
        asked = self.shop.post(
            "/group-purchases",
            {
                "definition_id": definition["definition_id"],
                "number_of_products": 2,
                "organizer": {"name": "Ann", "email": self.marks.address("ann")},
                "members": [
                    {"id": f"m{number}", "email": self.marks.address(f"member{number}")}
                    for number in (1, 2)
                ],
            },
        )
        self.marks.keep(asked["organizer_token"])
        self.marks.keep(asked["request_token"])
        group_id = asked["group_id"]
        self.public += [f"/groups/{group_id}", f"/api/v1/group-purchases/{group_id}"]
        self.public += [f"/api/v1/group-purchases/{group_id}/events"]
        for number in (1, 2):
            order = {"order_id": f"o{number}", "member": {"id": f"m{number}"}, "quantity": 1}
            self.shop.post(f"/group-purchases/{group_id}/orders", order, None)
        return str(group_id)

    def hear_shop(self, group_id: str) -> None:
        """Webhooks: good, of a stranger, unreadable, and with an address where an id should be."""

        def order(order_id: int, group: str, **more: Any) -> dict[str, Any]:
            email = self.marks.address(f"buyer{order_id}", "mårk.example")
            more |= {"email": email, "customer": {"id": order_id, "email": email}}
            named = [{"name": "group_id", "value": group}]
            card = {"credit_card_number": VISA, "note": "4242 4242 4242 4242 12/30"}
            return shopify_order(id=order_id, note_attributes=named, payment_details=card, **more)

        mistyped = self.marks.address("id")
        for what, body, secret, status in (
            ("a good one", order(1, group_id), self.shop_secret, 200),
            ("of a stranger", order(2, group_id), self.marks.secret("shpss_"), 401),
            ("unreadable", order(3, group_id, currency=f"{AMEX}"), self.shop_secret, 200),
            ("mistyped", order(4, mistyped), self.shop_secret, 200),
        ):
            raw, headers = shopify("orders/create", body, secret)
            answer = plain_http.post(
                f"{self.webs['shop_bridge.webhooks']}/webhooks/marked", content=raw, headers=headers
            )
            assert answer.status_code == status, (what, answer.text)
            self.told(what, answer)
        told = {"type": "OrderPaid", "order_id": "5", "source": "till", "member_id": "m"}
        told |= {"group_id": mistyped, "quantity": 1, "ordered_at": after()}
        raw, headers = standard(told)
        answer = plain_http.post(
            f"{self.webs['shop_bridge.webhooks']}/webhooks/till", content=raw, headers=headers
        )
        assert "mistyped" in answer.text, answer.text
        self.told("a mistyped one", answer)

    def be_refused(self) -> None:
        """An address, and a card number, in fields that are for something else."""
        email = self.marks.address("astray")
        person = {"email": self.marks.address("again")}
        for path, body in (
            ("/group-purchases", {"definition_id": email, "number_of_products": email}),
            ("/group-purchases", {"definition_id": VISA, "currency": email, "organizer": person}),
            ("/sellers", {"name": "S", "email": f"{email} {email}"}),
            ("/sellers", {"name": email * 100, "email": email}),
            ("/auctions/none/applications", {"applicant": person, "quantity": email}),
        ):
            answer = self.nobody.send("POST", path, body)
            assert answer.is_client_error, (path, body, answer.text)
            self.told(f"a refused {path}", answer)
        self.told("no JSON", self.nobody.send("POST", "/sellers", content=f'{{"email": "{email}"'))
        self.told("no page", plain_http.get(f"{self.nobody.url}/none"))

    def poison(self) -> None:
        """Records that can't be read, from a shop's own feed."""
        email = self.marks.address(FED.decode())
        card = f'"card": "{VISA}", "old": "3782-822463-10005", "number": {VISA}'
        told = f'{{"type": "OrderPaid", "member_email": "{email}", {card}}}'
        self.stack.feed_raw(
            OutputRecord("orders", 0, key, value, 0, [("from", f"{email} {VISA}".encode())])
            for key, value in (
                (b"none", told.encode()),
                (f"{email} {VISA}".encode(), told[:-1].encode()),
            )
        )
        until("both are dead letters", lambda: len(self.stack.read("dead-letters")) >= 4)

    def settle(self, group_id: str) -> None:
        """Payers pay their pages, the group is complete, and money is taken."""
        paid: set[str] = set()

        def settled() -> bool:
            for payment in self.stack.latest("payments").values():
                page = payment.get("page")
                if page and page not in paid:
                    plain_http.post(page, data={"card": "good"}).raise_for_status()
                    paid.add(page)
            return f"{group_id}/settled" in self.stack.latest("payments")

        until("all is paid", settled)
        assert len(paid) >= 2

    def told(self, what: str, answer: httpx.Response) -> None:
        self.answers.append((f"the answer to {what}", answer.content))


def dkim(marks: Marks, folder: Path) -> dict[str, str]:
    """Settings with a key, whose words are marked."""
    file, _ = dkim_key(folder)
    marks.keep(file.read_text().splitlines()[3])
    return {"DKIM_DOMAIN": "example.org", "DKIM_SELECTOR": "s1", "DKIM_KEY_FILE": str(file)}


def test_nothing_that_is_marked_is_where_it_should_not_be(
    kafka: RunningBroker, mailpit: Mailpit, postgres: Postgres, tmp_path: Path
) -> None:
    marks, home = Marks(), tmp_path / "home"
    marks.card(VISA)
    marks.card(AMEX)
    stack = Stack(kafka, tmp_path, f"marked-{secrets.token_hex(4)}-", "wall")
    admin_key, link_secret = marks.secret(), marks.secret("signs-links-in-letters-")
    shop_secret, webhook_secret = marks.secret("shpss_"), marks.secret("whsec_")
    stripe_port, dead_port = free_port(), free_port()
    database = postgres.fresh(stack.prefix).replace("postgres@", f"postgres:{marks.secret()}@")
    shops = [
        {"name": "marked", "kind": "shopify", "secrets": [shop_secret]},
        {"name": "till", "kind": "standard", "secrets": [marks.keep(STANDARD_SECRET)]},
        {
            "name": "kiosk",
            "kind": "woocommerce",
            "secrets": [marks.secret()],
            "rest": {
                "url": f"http://127.0.0.1:{dead_port}",
                "key": marks.secret("ck_"),
                "secret": marks.secret("cs_"),
            },
        },
    ]
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_TRANSACTIONS": str(kafka.transactions),
        "TOPIC_PREFIX": stack.prefix,
        "LOG_LEVEL": "DEBUG",
        "ANSWER_SECONDS": "10",
        "ACKNOWLEDGE_SECONDS": "20",
        "ADMIN_KEY": admin_key,
        "LINK_SECRET": link_secret,
        "DATABASE_URL": database,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mailpit.port),
        "SMTP_USERNAME": "marked",
        "SMTP_PASSWORD": marks.secret(),
        "MAIL_FROM": "shop@jointbuy.example",
        "MERGE_MINUTES": "0",
        "STRIPE_API_KEY": marks.secret("sk_test_"),
        "STRIPE_API_URL": f"http://127.0.0.1:{stripe_port}",
        "STRIPE_WEBHOOK_SECRETS": webhook_secret,
        "SHOPS": json.dumps(shops),
    }
    with up(home, **settings, **dkim(marks, tmp_path)) as running:
        webs = running["pages"]
        told = Shares(
            port=stripe_port,
            webhook_url=f"{webs['payment_service.webhooks']}/stripe",
            webhook_secret=webhook_secret,
        )
        story = Story(marks, stack, webs, admin_key, Links(link_secret), shop_secret)
        with provider(told):
            story.play()
            for mark in marks.of("address"):
                if mark.value.startswith(("aki", "ann")):
                    mailpit.wait_for(1, mark.value)
        pages = [*on_pages(webs["storefront"], *PUBLIC, *story.public), *story.answers]
        for address in (*webs.values(), *running["ops"].values()):
            pages += on_pages(address, *OPS)
        arguments = [*in_arguments([running["supervisor_pid"]])]
        topics, tables = in_topics(stack), in_tables(database)
        check_addresses([*topics, *tables], marks)
        erase_all(home, marks)

        def forgotten() -> bool:
            held = [*compacted(stack, LETTERS.changelog), *compacted(stack, PEOPLE.name)]
            held += [each for each in in_tables(database) if area(each) not in OF_SELLERS]
            return not found(held, marks.of("address"))

        until("everybody is forgotten", forgotten)
    logs = [*in_files(home / "logs", home / "supervisor.log")]

    # That it came about: each process said something, and the marks were on their way.
    assert len(arguments) >= len(running["ops"]) + 1
    assert len(logs) >= len(running["ops"]) + 1
    assert len(pages) > 40
    assert len([each for each in marks.of("address") if found(topics, [each])]) >= 9

    # What a shop's own feed writes to a topic lies there as it wrote it.
    ours = [each for each in topics if not (each[0].startswith("topic orders/") and FED in each[1])]
    # A seller's address is on the pages of its offers.
    private = [mark for mark in marks.all if mark not in marks.addresses_of(*SELLING)]
    problems = found([*logs, *arguments], marks.all) + found(pages, private)
    problems += found(ours, marks.of("secret", "card"))
    assert not problems, "\n".join(problems)


def area(place: Place) -> str:
    """The topic or table of a place; of a table of facts, with their topic."""
    name = place[0]
    return name.rsplit("/", 2)[0] if name.startswith("topic ") else name


def is_stashed(place: Place) -> bool:
    """A command as it came, which waits in a changelog until its key's chunks are done."""
    return b"\x00stash/" in place[1].partition(b"\n")[0]


def check_addresses(places: list[Place], marks: Marks) -> None:
    """Addresses are in people and in commands, and nowhere but there and in the two copies."""
    people = [each for each in places if area(each) == f"topic {PEOPLE.name}"]
    commands = [each for each in places if area(each) in COMMANDS]
    for mark in marks.addresses_of(*KNOWN):
        assert found(people, [mark]), f"{mark.value} is not in people"
        assert found(commands, [mark]), f"{mark.value} is in no command"
    others = [mark for mark in marks.of("address") if mark not in marks.addresses_of(*KNOWN)]
    problems = found(people, others)
    for copy in COPIES:
        assert found([each for each in places if area(each) == copy], marks.addresses_of("ann"))
    allowed = {f"topic {PEOPLE.name}", *COMMANDS, *COPIES}
    elsewhere = [each for each in places if area(each) not in allowed and not is_stashed(each)]
    not_of_sellers = [each for each in elsewhere if area(each) not in OF_SELLERS]
    buying = [mark for mark in marks.of("address") if mark not in marks.addresses_of(*SELLING)]
    problems += found(elsewhere, buying)
    problems += found(not_of_sellers, marks.addresses_of(*SELLING))
    assert not problems, "\n".join(problems)


def erase_all(home: Path, marks: Marks) -> None:
    """Ops erase everybody, by the address."""
    for mark in marks.addresses_of(*KNOWN):
        said = jointbuy(home, "erase", mark.value, "--yes")
        assert said.returncode == 0, said.stderr


@contextmanager
def provider(shares: Shares) -> Iterator[None]:
    """The provider, for as long as there is something to pay."""
    stripe = StrictStripe.start(shares)
    try:
        yield
    finally:
        stripe.stop()


def test_what_goes_wrong_is_logged_without_addresses(kafka: RunningBroker, tmp_path: Path) -> None:
    """A bug whose error holds an address stops its worker; a mail server names whom it refuses."""
    marks = Marks()
    refused, unlucky = marks.address("refused"), marks.address("unlucky")
    server = FaultySmtp.start(tmp_path, MailShares(refuse=1.0))
    try:
        with stack_on(kafka, tmp_path, clock="wall", LOG_LEVEL="DEBUG") as stack:
            crashing = stack.worker("tests.system.faulty_service")
            posting = stack.worker("notifier", **mail_env(server.port))
            stack.until_ready(crashing, posting)
            now = datetime.now(UTC)
            notice = letter_to(1, now)
            person = buyer(1, now).model_copy(update={"email": refused})
            stack.feed("people", (person, None))
            stack.feed("notices", (notice, None))
            order = OrderPaid(
                order_id="o",
                source="shop",
                group_id="G",
                member_id="m",
                member_email=unlucky,
                quantity=UNLUCKY,
                ordered_at=now,
            )
            stack.feed("orders", (order, None))
            key = f"{person.person_id}/{notice.notice_id}"
            reply = stack.wait_for("deliveries", key, status="bounced")["reply"]
            assert reply == "550 5.1.1 <(an address)>: no such mailbox"
            assert crashing.exit_code() != 0
            pages = [*on_pages(posting.ops, "/metrics", "/status")]
    finally:
        server.stop()
    logs = [*in_files(crashing.log, posting.log)]
    assert b"ZeroDivisionError" in logs[0][1]
    problems = found([*logs, *pages], marks.all)
    assert not problems, "\n".join(problems)


# --- that the search finds ------------------------------------------------------------------------

SECRET = Mark("secret", "Zp/+7?k=9 w")
CARD = Mark("card", VISA)
ADDRESS = Mark("address", "jo+ann'x@märk.example")
WRITTEN: list[tuple[str, Mark, str]] = [
    ("as it is", SECRET, SECRET.value),
    ("as it is", ADDRESS, ADDRESS.value),
    ("in base64", SECRET, base64.b64encode(f"Basic {SECRET.value}:".encode()).decode()),
    ("in base64 from elsewhere", SECRET, base64.b64encode(f"é{SECRET.value}".encode()).decode()),
    ("in base64 for addresses", SECRET, base64.urlsafe_b64encode(SECRET.value.encode()).decode()),
    ("in an address", ADDRESS, f"/x?to={quote(ADDRESS.value, safe='')}"),
    ("in a form", SECRET, "a=Zp%2F%2B7%3Fk%3D9+w"),
    ("in HTML", ADDRESS, "<p>jo+ann&#x27;x@märk.example"),
    ("in JSON", ADDRESS, json.dumps({"to": ADDRESS.value})),
    ("in a letter", ADDRESS, quopri.encodestring(ADDRESS.value.encode()).decode()),
    ("in a letter", SECRET, quopri.encodestring(SECRET.value.encode()).decode()),
    ("as mail has it", ADDRESS, "RCPT TO:<jo+ann'x@xn--mrk-qla.example>"),
    ("half of it", ADDRESS, "member jo+ann'x"),
    ("as it is said", CARD, "4242 4242 4242 4242 12/30"),
    ("as it is printed", CARD, "4242-4242-4242-4242"),
]


@pytest.mark.parametrize(("how", "mark", "text"), WRITTEN)
def test_a_mark_is_found_however_it_is_written(how: str, mark: Mark, text: str) -> None:
    place = ("the place", f"before {text} after".encode())
    assert len(found([place], [SECRET, CARD, ADDRESS])) == 1
    assert found([place], [mark])
    assert not found([("elsewhere", b"nothing of that kind, 4242")], [SECRET, CARD, ADDRESS])


def test_a_mark_is_found_in_each_kind_of_place(
    kafka: RunningBroker, postgres: Postgres, tmp_path: Path
) -> None:
    """So that the silence of the searches above says something."""
    mark = Mark("secret", secrets.token_hex(8))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text(f"a line\nwith {mark.value}\n")
    assert len(found(in_files(tmp_path / "logs"), [mark])) == 1

    stack = Stack(kafka, tmp_path, f"planted-{secrets.token_hex(4)}-", "wall")
    value = mark.value.encode()
    stack.feed_raw(
        [
            OutputRecord("orders", 3, value, b"", 0, []),
            OutputRecord("notices", 2, b"key", b"x" + value, 0, []),
            OutputRecord("dead-letters", 1, b"key", None, 0, [("error", value)]),
        ]
    )
    assert len(found(in_topics(stack), [mark])) == 3
    # Of a key's records, compaction leaves the last.
    records = [(b"kept", value), (b"changed", value), (b"changed", b"other"), (b"gone", value)]
    stack.feed_raw(
        OutputRecord("people", 0, key, each, 0, []) for key, each in [*records, (b"gone", None)]
    )
    assert len(found(compacted(stack, "people"), [mark])) == 1
    assert len(found(in_topics(stack), [mark])) == 6

    database = postgres.fresh(stack.prefix)
    asyncio.run(planted(database, mark.value))
    assert [area(each) for each in in_tables(database) if found([each], [mark])] == ["table t/1"]

    with pages({"/": '<a href="/two?x=1">', "/two?x=1": f"<p>{mark.value}"}) as url:
        assert len(found(on_pages(url, "/"), [mark])) == 1

    waits = "import sys, subprocess; subprocess.run(['cat', '/dev/stdin', *sys.argv[1:]])"
    child = [sys.executable, "-c", waits.replace("*sys.argv[1:]", f"'{mark.value}'")]
    with subprocess.Popen(child, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        # The process, and what it has started.
        until("both are found", lambda: len(found(in_arguments([process.pid]), [mark])) == 2)


async def planted(database: str, value: str) -> None:
    """A row with a value, and one without, in a table of a database."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("CREATE TABLE t (id int, text varchar, bytes bytea)")
        await connection.execute("INSERT INTO t VALUES (1, NULL, $1)", f"a {value} b".encode())
        await connection.execute("INSERT INTO t VALUES (2, 'none', NULL)")
    finally:
        await connection.close()


@contextmanager
def pages(texts: dict[str, str]) -> Iterator[str]:
    """A server of these pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in texts else 404)
            self.end_headers()
            self.wfile.write(texts.get(self.path, "").encode())

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
