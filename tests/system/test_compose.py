"""Every command of docker-compose.yml, as a process with its container's environment."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from deploy.make_secrets import add_to
from stack.brokers import RunningBroker
from stack.supervisor import end_all
from tests.system.api_stack import Client
from tests.system.composed import Here, composed, of_image
from tests.system.go_tools import GoToolError
from tests.system.mail import Mailpit
from tests.system.postgres import Postgres
from tests.system.stack import until

pytestmark = pytest.mark.system

#: What each of two members gets.
LETTERS = {
    "ann@composed.example": {"id-issued": 1, "order-counted": 1, "favor-given": 1},
    "bob@composed.example": {"id-issued": 1, "order-counted": 1, "favor-given": 1},
}


def test_the_composed_services_bring_a_group_to_its_discount_and_its_letters(
    kafka: RunningBroker, postgres: Postgres, mailpit: Mailpit, tmp_path: Path
) -> None:
    """The profile of cards runs as well; a shop is listed, so that its webhooks are served."""
    add_to(tmp_path / ".env")
    secrets = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    given = {
        **secrets,
        "COMPOSE_PROFILES": "cards",
        "TOPIC_PREFIX": "composed-",
        "STRIPE_WEBHOOK_SECRETS": "whsec_of_the_tests",
    }
    try:
        model = composed(Path("docker-compose.yml"), given)
    except GoToolError as error:
        pytest.skip(str(error))
    ours = {name: each for name, each in model["services"].items() if "build" in each}
    _database(postgres, secrets["POSTGRES_PASSWORD"])
    database = f"127.0.0.1:{postgres.port}"
    here = Here(kafka.bootstrap_servers, database, mailpit.port, tmp_path)
    image = of_image(Path("deploy/Dockerfile"))
    workers = {name: here.process(name, each, image) for name, each in ours.items()}
    mailpit.delete_all()
    try:
        for worker in workers.values():
            worker.start()
        for name, worker in workers.items():
            until(f"{name} ready, see {worker.log}", worker.ready)
        storefront = Client(f"http://127.0.0.1:{workers['storefront'].port}")
        _buys_together(storefront.as_(secrets["ADMIN_KEY"]))
        got = {to: _kinds(mailpit, to, sum(LETTERS[to].values())) for to in LETTERS}
        scraped = {name: worker.page("metrics") for name, worker in workers.items()}
    finally:
        end_all(each.process for each in workers.values() if each.process is not None)
    assert got == LETTERS
    assert all(page is not None and "# HELP" in page.text for page in scraped.values())
    # The web servers end by the signal, once all is done; none had to be killed.
    assert {each.exit_code() for each in workers.values()} == {0, -signal.SIGTERM}


def _buys_together(admin: Client) -> None:
    """Two listed members of a shop's group order what was asked for."""
    shop = admin.as_(admin.post("/shops/tea/keys")["api_key"])
    tiers = [{"from_quantity": 5, "percent_off": 10}]
    product = {"name": "Sencha", "id": "tea-1"}
    definition = shop.post(
        "/definitions",
        {"product": product, "unit_price": 2400, "currency": "EUR", "favor": {"tiers": tiers}},
    )
    members = [{"id": to.split("@")[0], "email": to} for to in LETTERS]
    asked = shop.post(
        "/group-purchases",
        {
            "definition_id": definition["definition_id"],
            "number_of_products": 5,
            "members": members,
        },
    )
    group = f"/group-purchases/{asked['group_id']}"
    for number, member in enumerate(members, 2):
        order = {"order_id": str(number), "member": member, "quantity": number, "state": "paid"}
        assert shop.post(f"{group}/orders", order)["status"] == "counted"
    until("the group complete", lambda: shop.get(group)["status"] == "complete")


def _kinds(mailpit: Mailpit, to: str, count: int) -> Counter[str]:
    letters = mailpit.wait_for(count, to)
    kinds: Counter[str] = Counter()
    for letter in letters:
        head = mailpit.raw(letter["ID"]).partition(b"\r\n\r\n")[0]
        kinds.update(
            line.split(b": ")[1].decode()
            for line in head.split(b"\r\n")
            if line.startswith(b"X-Jointbuy-Kind: ")
        )
    return kinds


def _database(postgres: Postgres, password: str) -> None:
    """The role and the database that the container of PostgreSQL makes."""

    async def go() -> None:
        admin = await asyncpg.connect(
            host="127.0.0.1", port=postgres.port, user="postgres", database="postgres"
        )
        try:
            await admin.execute(f"CREATE ROLE storefront LOGIN PASSWORD '{password}'")
            await admin.execute("CREATE DATABASE storefront OWNER storefront")
        finally:
            await admin.close()

    asyncio.run(go())
