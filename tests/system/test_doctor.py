"""``jointbuy doctor`` on a stack with everything that a deployment has, healthy and with faults."""

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime import broker_clock, security
from runtime.ports import free_port
from stack.brokers import BrokerError
from tests.dns_server import name_server
from tests.keys import dkim_key, openssl
from tests.shop_faults import served
from tests.strict_shopify import TOKEN, StrictShopify
from tests.system.api_stack import SETTINGS
from tests.system.mail import Mailpit
from tests.system.secured import Secured, secured_broker
from tests.system.stack import Stack
from tests.system.stripe_servers import KEY, StripeMock
from tests.system.terminal import Said, jointbuy
from tests.woo_rest import KEY as WOO_KEY
from tests.woo_rest import SECRET as WOO_SECRET
from tests.woo_rest import WooRest

pytestmark = pytest.mark.system

SECONDS = 5.0
FEED = {"name": "till", "kind": "standard", "secrets": ["whsec_" + "c2VjcmV0" * 5]}


@dataclass
class Deployment:
    """All of it: what the environment names, and what can be made to fail."""

    stack: Stack
    secured: Secured
    shopify: StrictShopify
    mailpit: Mailpit
    name_server: str
    shops: list[dict[str, Any]]
    env: dict[str, str]

    def shops_with(self, place: int, **changed: Any) -> str:
        """SHOPS, one of them changed."""
        told = [dict(each) for each in self.shops]
        told[place] |= changed
        return json.dumps(told)


def zone_of(public: str) -> dict[tuple[str, str], list[str]]:
    """A good sender, ``example.org``, and bad ones."""
    key = f'"v=DKIM1; k=rsa; p=" "{public[:200]}" "{public[200:]}"'
    return {
        ("example.org", "MX"): ["10 mail.example.org."],
        ("example.org", "TXT"): ['"v=spf1 mx -all"', '"unlike=it"'],
        ("s1._domainkey.example.org", "TXT"): [key],
        ("s2._domainkey.example.org", "TXT"): ['"v=DKIM1; p=AAAA"'],
        ("_dmarc.example.org", "TXT"): ['"v=DMARC1; " "p=reject"'],
        ("bad.example.net", "A"): ["192.0.2.1"],
        ("bad.example.net", "TXT"): ['"v=spf1 mx -all"', '"v=spf1 a -all"'],
        ("_dmarc.example.net", "TXT"): ['"v=DMARC1; p=none"'],
    }


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, mailpit: Mailpit, stripe_mock: StripeMock
) -> Iterator[Deployment]:
    """Real Kafka with ACLs of the plan, pages, mail server, name server, Stripe and shops."""
    folder = tmp_path_factory.mktemp("doctor")
    shopify, woo = StrictShopify(), WooRest()
    (folder / "keys").mkdir()
    key, _ = dkim_key(folder / "keys")
    public = base64.b64encode(openssl("rsa", "-in", key, "-pubout", "-outform", "DER")).decode()
    with ExitStack() as running:
        try:
            secured = running.enter_context(secured_broker(folder, by_tunnel=False))
        except BrokerError as error:
            pytest.skip(str(error))
        stack = Stack(secured.broker, folder, "doctor-", "wall", SETTINGS, makes_topics=False)
        running.callback(stack.close)
        shops: list[dict[str, Any]] = [
            {
                **{"name": "greenhouse", "kind": "shopify", "secrets": ["of webhooks"]},
                **{"domain": shopify.domain, "favors": "refund"},
                "admin": {"token": TOKEN, "url": running.enter_context(served(shopify.answer))},
            },
            {
                **{"name": "kiosk", "kind": "woocommerce", "secrets": ["of webhooks"]},
                "rest": {
                    "url": running.enter_context(served(woo.answer)),
                    **{"key": WOO_KEY, "secret": WOO_SECRET},
                },
            },
            FEED,
        ]
        env = {
            "JOINTBUY_HOME": str(folder),
            "STATE_DIR": str(folder),
            "KAFKA_BOOTSTRAP_SERVERS": secured.broker.bootstrap_servers,
            "TOPIC_PREFIX": stack.prefix,
            "LINK_SECRET": SETTINGS["LINK_SECRET"],
            "MAIL_FROM": "shop@example.org",
            **{"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mailpit.port)},
            **{"DKIM_DOMAIN": "example.org", "DKIM_SELECTOR": "s1", "DKIM_KEY_FILE": str(key)},
            **{"STRIPE_API_KEY": KEY, "STRIPE_API_URL": stripe_mock.url},
            "STRIPE_WEBHOOK_SECRETS": "whsec_of_the_tests",
            "SHOPS": json.dumps(shops),
            # What browsers of buyers trust.
            "SSL_CERT_FILE": str(secured.authority.certificate),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            applied = jointbuy("topics", "apply")
            assert applied.exit_code == 0, applied.err
        _, pages = stack.start("services.storefront.projector", "storefront")
        env["PAGE_URL"] = f"http://127.0.0.1:{pages.port}"
        named = running.enter_context(name_server(zone_of(public)))
        yield Deployment(stack, secured, shopify, mailpit, named, shops, env)


@pytest.fixture
def healthy(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The environment names it; a test may change that."""
    for name, value in deployment.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(security, "_KNOWN", {})
    return deployment


def asked(deployment: Deployment, *arguments: str) -> tuple[Said, dict[str, str]]:
    """What the doctor says, and its verdicts by ``area: subject``."""
    # On a busy machine nothing may fail by its deadline that only waits for its turn.
    options = ("--json", "--dns", deployment.name_server, "--timeout", "30", *arguments)
    said = jointbuy("doctor", *options)
    found = {f"{each['area']}: {each['subject']}": each["verdict"] for each in said.json}
    assert all(each["remedy"] for each in said.json if each["verdict"] in {"warn", "fail"})
    return said, found


def failed(found: Mapping[str, str]) -> set[str]:
    """What is neither ok nor skipped."""
    return {name for name, verdict in found.items() if verdict in {"warn", "fail"}}


def test_all_of_a_healthy_deployment_is_ok(healthy: Deployment) -> None:
    """Only what can't be asked is skipped: a shop that sends orders and has no API."""
    said, found = asked(healthy)
    assert failed(found) == set(), said.out
    assert said.exit_code == 0
    # Services that never started here have no changelogs, and the clock is asked of both.
    assert {name for name, verdict in found.items() if verdict == "skipped"} == {"shops: till"}
    server = f"mail: server 127.0.0.1:{healthy.mailpit.port}"
    assert set(found) >= {
        *("broker: reachable", "broker: API", "broker: advertised addresses"),
        *("security: protocol", "security: sign-in", "topics: there", "topics: settings"),
        *("partitions: number", "replication: in sync", "replication: copies"),
        *("ACLs: as planned", "clock: the broker", "clock: the pages", server),
        *("mail: MX of example.org", "mail: SPF of example.org", "mail: DMARC of example.org"),
        *("mail: DKIM key s1._domainkey.example.org", "links: LINK_SECRET", "payments: Stripe"),
        *("payments: STRIPE_API_KEY", "shops: greenhouse", "shops: kiosk"),
    }
    table = jointbuy("doctor", "--dns", healthy.name_server, "--timeout", "30").out.splitlines()
    assert table[-1].startswith("0 failed, 0 to look at, "), table


#: Changes of the environment, and what then is not in order. ``{…}`` are places of this test.
FAULTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "partitions": ({"PARTITIONS": "8"}, {"partitions: number": "fail"}),
    "topics": ({"TOPIC_PREFIX": "nowhere-"}, {"topics: there": "fail", "ACLs: as planned": "fail"}),
    "settings of topics": ({"DEAD_LETTER_DAYS": "3"}, {"topics: settings": "warn"}),
    "no broker": ({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:{closed}"}, {"broker: reachable": "fail"}),
    "protocol": (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "{ca}"},
        # The CA of this test ends in two days.
        {"security: CA in {ca}": "fail", "security: sign-in": "fail"},
    ),
    "settings": (
        {"KAFKA_SASL_MECHANISM": "PLAIN"},
        {"security: settings": "fail"},
    ),
    "mail server": (
        {"SMTP_PORT": "{closed}"},
        {"mail: server 127.0.0.1:{closed}": "fail"},
    ),
    "STARTTLS": ({"SMTP_TLS": "starttls"}, {"mail: server 127.0.0.1:{smtp}": "fail"}),
    "records": (
        {"MAIL_FROM": "shop@bad.example.net", "DKIM_SELECTOR": "s2"},
        {
            "mail: MX of bad.example.net": "warn",
            "mail: SPF of bad.example.net": "fail",
            "mail: DKIM key s2._domainkey.example.org": "fail",
            "mail: DMARC of bad.example.net": "fail",
        },
    ),
    "no signature": (
        {"DKIM_DOMAIN": "", "DKIM_SELECTOR": "", "DKIM_KEY_FILE": ""},
        {"mail: DKIM key of example.org": "warn"},
    ),
    "no such domain": (
        {"MAIL_FROM": "shop@nowhere.example.com"},
        {
            "mail: MX of nowhere.example.com": "fail",
            "mail: SPF of nowhere.example.com": "fail",
            "mail: DMARC of nowhere.example.com": "fail",
        },
    ),
    "another secret": (
        {"LINK_SECRET": "another link-secret, which is long enough"},
        {"links: LINK_SECRET": "fail"},
    ),
    "no pages": (
        {"PAGE_URL": "http://127.0.0.1:{closed}"},
        {"links: pages http://127.0.0.1:{closed}": "fail"},
    ),
    "shape of a key": ({"STRIPE_API_KEY": "pk_test_123"}, {"payments: STRIPE_API_KEY": "fail"}),
    "a refused key": (
        {"STRIPE_API_KEY": "sk_live_123"},
        {"payments: STRIPE_API_KEY": "warn", "payments: Stripe": "fail"},
    ),
    "SHOPS": ({"SHOPS": "[{{"}, {"shops: SHOPS": "fail"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_nothing_else(
    name: str, healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        "closed": free_port(),
        "smtp": healthy.mailpit.port,
        "ca": healthy.secured.authority.certificate,
    }
    changes, wanted = FAULTS[name]
    for variable, value in changes.items():
        monkeypatch.setenv(variable, value.format_map(places))
    said, found = asked(healthy)
    wanted = {each.format_map(places): verdict for each, verdict in wanted.items()}
    assert {each: found[each] for each in failed(found)} == wanted, said.out
    assert said.exit_code == ("fail" in wanted.values())


def test_faults_of_servers_are_named(healthy: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused sender, a shop's wrong key, another shop's key, and a clock that is off."""
    healthy.mailpit.chaos(sender=(553, 100))
    woo = {"url": healthy.shops[1]["rest"]["url"], "key": "ck_wrong", "secret": WOO_SECRET}
    monkeypatch.setenv("SHOPS", healthy.shops_with(1, rest=woo))
    monkeypatch.setattr(healthy.shopify, "domain", "other.myshopify.com")
    ahead = SimpleNamespace(time=lambda: time.time() + 30)
    monkeypatch.setattr(broker_clock, "time", ahead)
    try:
        said, found = asked(healthy)
    finally:
        healthy.mailpit.chaos()
    server = f"mail: server 127.0.0.1:{healthy.mailpit.port}"
    assert failed(found) == {"shops: kiosk", "shops: greenhouse", "clock: the broker", server}
    told = {f"{each['area']}: {each['subject']}": each["said"] for each in said.json}
    assert "401" in told["shops: kiosk"]
    assert told["shops: greenhouse"] == (
        "the key is of other.myshopify.com, not of greenhouse.myshopify.com"
    )
    seconds, *words = told["clock: the broker"].split()
    assert (15 < float(seconds) <= 30, words[:2]) == (True, ["s", "ahead"])
    assert told[server].startswith("mail: ")


@contextmanager
def pages_with(certificate: tuple[Path, Path]) -> Iterator[str]:
    """HTTPS pages that do not know our links."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 400)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.mark.parametrize(
    ("days", "verdict", "host"),
    [(60, "ok", "localhost"), (10, "warn", "localhost"), (60, "fail", "shop.example")],
)
def test_the_certificate_of_the_pages(
    days: int, verdict: str, host: str, healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ends in ten days is told of; one for another host ends the look."""
    names = f"basicConstraints=CA:FALSE\nsubjectAltName=DNS:{host}\n"
    signed = healthy.secured.authority.sign(f"pages-{days}-{host}", f"/CN={host}", names, days)
    with pages_with(signed) as url:
        monkeypatch.setenv("PAGE_URL", url)
        said, found = asked(healthy)
    if host == "localhost":
        assert found["links: certificate of localhost"] == verdict, said.out
        assert found["links: LINK_SECRET"] == "fail"
    else:
        assert found[f"links: pages {url}"] == verdict, said.out


def test_a_user_without_rights_and_a_certificate_that_ends(
    healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = healthy.secured.authority.sign("stranger", "/O=jointbuy/CN=stranger")
    env = {**healthy.secured.certificate(signed)}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    said, found = asked(healthy)
    address = healthy.secured.at("CERTIFICATE")
    # Its authority and the brokers' own end in two days, too.
    assert {name for name in failed(found) if name.startswith("security")} == {
        f"security: client certificate {signed[0]}",
        f"security: CA in {healthy.secured.authority.certificate}",
        f"security: certificate of the broker {address}",
    }, said.out
    assert found["security: sign-in"] == "ok"
    assert found["topics: there"] == "fail"
    assert found["ACLs: as planned"] == "skipped"
    assert found["mail: SPF of example.org"] == "ok"


def test_a_wrong_password_is_told_and_the_rest_of_the_cluster_skipped(
    healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = healthy.secured.password("CLEAR", KAFKA_SASL_PASSWORD="a wrong one")
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    said, found = asked(healthy)
    assert failed(found) == {"security: sign-in"}, said.out
    assert "a wrong one" not in said.out
    skipped = {name for name, verdict in found.items() if verdict == "skipped"}
    assert {"topics: all", "partitions: all", "ACLs: all", "clock: all"} <= skipped


def test_servers_that_say_nothing_cost_the_time_of_one(
    healthy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broker, mail server, name server, pages and Stripe are all silent: each has its deadline."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
        monkeypatch.setenv("SMTP_PORT", str(port))
        monkeypatch.setenv("PAGE_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("STRIPE_API_URL", f"http://127.0.0.1:{port}")
        began = time.monotonic()
        said = jointbuy("doctor", "--json", "--timeout", "1", "--dns", f"127.0.0.1:{port}")
        seconds = time.monotonic() - began
    assert said.exit_code == 1
    failures = {each["area"] for each in said.json if each["verdict"] == "fail"}
    assert failures >= {"broker", "mail", "links", "payments"}, said.out
    # One after the other they would take more than five.
    assert seconds < 4 * SECONDS, seconds
