"""The organizer's page: who has ordered and paid, the order sheet, the list, messages, the link."""

import csv
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest

from domain.people import name_mark
from schemas.favors import Favor, FavorDecision
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.orders import ORDERS, WORDS_MAX, GroupMessage
from schemas.parts import Message
from services.storefront.commands.group_messages import plain
from tests.storefront.pages_app import ADMIN_KEY, PAGE_URL, Answer, Storefront, storefront_on
from tests.storefront.test_people import person, row
from tests.storefront.test_read_model import TOPIC_OF, group, state, write
from tests.storefront.test_two_visitors import LINKS, NOW, SHARED, A, facts, payment

OPEN = {"opens_at": NOW - timedelta(days=1), "closes_at": NOW + timedelta(days=7)}
TOKEN = LINKS.token("group", "g-001", "m-org")
MANAGE = f"/groups/g-001/manage/{TOKEN}"
API = "/api/v1/group-purchases/g-001"
WORDS = "The tea is here.\nCome on Saturday."
TOPIC_OF |= {MembersAdmitted: "group-purchases", FavorDecision: "favors"}


def listed(*names: str) -> tuple[dict[str, Any], ...]:
    """Members of the list, each a person whose name the request gave."""
    return tuple(
        {"id": f"m-{name}", "person_id": f"m-p-{name}", "name_mark": name_mark("r-1", name)}
        for name in names
    )


def of(name: str, **fields: Any) -> Message:
    return person(f"m-p-{name}", email=f"{name.lower()}@people.example", name=name, **fields)


def terms(**fields: Any) -> GroupPurchase:
    said = {"organizer": {"id": "m-org", "person_id": "m-org"}, "currency": "EUR", **OPEN}
    return group(1, **(said | fields))


def ordered(member_id: str, units: int = 2, **fields: Any) -> Message:
    said = {
        "quantity": units,
        "value": 900 * units,
        "currency": "EUR",
        "first_ordered_at": NOW,
        "last_ordered_at": NOW,
    }
    return row(member_id, fields.pop("person_id", None), group_id="g-001", **(said | fields))


@pytest.fixture
async def page(url: str) -> AsyncIterator[Storefront]:
    with storefront_on(url) as made:
        yield made
        await made.close()


async def get(page: Storefront, path: str, **headers: str) -> Answer:
    return await page.ask("GET", path, A.client, headers=headers)


def table(answer: Answer) -> list[list[str]]:
    """The cells of the page's table, as text; without the numbers beside names."""
    text = re.sub(r' <span class="number">.*?</span>', "", answer.text)
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", text.partition("<tbody")[2], re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL) for line in found]
    return [[unescape(re.sub(r"<[^>]+>", "", each)).strip() for each in line] for line in cells]


def rows_of(answer: Answer) -> list[list[str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("\ufeff")
    return list(csv.reader(StringIO(answer.text.removeprefix("\ufeff"), newline="")))


# --- who has ordered -----------------------------------------------------------------------------


async def test_listed_members_who_have_not_ordered_are_shown_too(
    url: str, page: Storefront
) -> None:
    await write(url, terms(members=listed("Ann", "Bo", "Cy")), of("Ann"), of("Bo"), of("Cy"))
    await write(url, ordered("m-Bo"), of("Cy", at=1))
    lines = table(await get(page, MANAGE))
    assert [line[:3] for line in lines] == [
        ["Ann", "not yet", ""],
        ["Bo", "2", "Paid"],
        ["Cy", "not yet", ""],
    ]
    answer = await get(page, MANAGE)
    assert "of 3 on the list have ordered" in answer.text
    assert "@people.example" not in answer.text


async def test_a_page_whose_other_members_have_their_discount_waits_for_nothing(
    url: str, page: Storefront
) -> None:
    """A page that waits is fetched again until each who ordered has a discount."""
    tiers = {"scope": "member", "tiers": ({"from_quantity": 1, "percent_off": 10.0},)}
    tier = tiers["tiers"][0]
    ended = state(1, status="complete", closed_at=NOW)
    decided = FavorDecision.model_validate(
        {"group_id": "g-001", "request_id": "r-1", "version": 1, "tier": tier, "total": 180,
         "members": 1, "currency": "EUR", "basis": "complete", "decided_at": NOW}
    )  # fmt: skip
    await write(url, terms(members=listed("Ann", "Bo"), favor=tiers), ended, decided)
    await write(url, ordered("m-Bo"))
    assert " data-awaits" in (await get(page, MANAGE)).text
    favor = {"group_id": "g-001", "request_id": "r-1", "member_id": "m-Bo", "version": 1,
             "basis": "complete", "amount": 180, "currency": "EUR"}  # fmt: skip
    await write(url, Favor.model_validate(favor))
    assert " data-awaits" not in (await get(page, MANAGE)).text


async def test_a_name_that_was_given_elsewhere_is_a_pseudonym(url: str, page: Storefront) -> None:
    await write(url, terms(members=listed("Ann")), of("Ann"))
    await write(url, person("m-p-Ann", at=5, name="Annabel"))
    ((name, *_),) = table(await get(page, MANAGE))
    assert name.startswith("Buyer ")


async def test_a_list_in_parts_is_shown_to_its_end(url: str, page: Storefront) -> None:
    names = [f"n{number:03}" for number in range(230)]
    parts = [
        MembersAdmitted.model_validate(
            {"group_id": "g-001", "part": number, "parts": 2, "members": listed(*part)}
        )
        for number, part in ((1, names[:150]), (2, names[150:]))
    ]
    await write(url, terms(member_parts=2), *parts, *map(of, names))
    seen: list[str] = []
    path = MANAGE
    while path:
        answer = await get(page, path)
        seen += [line[0] for line in table(answer)]
        more = re.search(r'href="(\?after=[^"#]+)', answer.text)
        path = MANAGE + unescape(more[1]) if more else ""
    assert seen == names
    assert len(table(await get(page, f"{MANAGE}/list"))) == 150, "a part at a time"


async def test_without_a_list_all_who_ordered_are_shown(url: str, page: Storefront) -> None:
    await write(url, terms(), ordered("ann"), ordered("bob", 3))
    assert [line[:2] for line in table(await get(page, MANAGE))] == [["ann", "2"], ["bob", "3"]]


async def test_who_has_no_name_is_the_number_that_the_buyer_was_told(
    url: str, page: Storefront
) -> None:
    await write(url, terms(payment={"scope": "member", "method": "invoice"}), ordered("m-ann"))
    ((shown, *_),) = table(await get(page, MANAGE))
    number = shown.removeprefix("Buyer ")
    assert re.fullmatch("[0-9A-F]{6}", number)
    assert f"Buyer {number}" in (await get(page, f"{MANAGE}/list")).text
    assert rows_of(await get(page, f"{MANAGE}/order-sheet.csv"))[1][0] == number
    token = LINKS.token("payer", "g-001", "m-ann", "")
    order = LINKS.token("order", "g-001", "")
    for path in (f"payments/{token}", f"order/{order}/done?payments={token}"):
        told = unescape((await get(page, f"/groups/g-001/{path}")).text).replace("\u2068", "")
        assert f"You are buyer {number}" in told.replace("\u2069", ""), path


async def test_who_gave_a_name_with_an_order_is_shown_by_name_and_number(
    url: str, page: Storefront
) -> None:
    mark = name_mark("r-1", "Ann")
    await write(url, terms(), ordered("m-ann", person_id="m-p-Ann", name_mark=mark), of("Ann"))
    for path in (MANAGE, f"{MANAGE}/list"):
        text = re.sub(r"<[^>]+>", " ", (await get(page, path)).text)
        assert re.search(r"\bAnn  +[0-9A-F]{6}\b", text), path
    _, line = rows_of(await get(page, f"{MANAGE}/order-sheet.csv"))
    assert line[0] == "Ann"
    for path in ("/groups/g-001", "/"):
        assert "Ann" not in (await get(page, path)).text


@pytest.mark.parametrize("scope", ["member", "group"])
async def test_who_confirms_an_order_is_told_the_number(
    url: str, page: Storefront, scope: str
) -> None:
    await write(url, terms(payment={"scope": scope, "method": "invoice"}), ordered("m-ann"))
    ((shown, *_),) = table(await get(page, MANAGE))
    until = (NOW + timedelta(days=900)).isoformat()
    token = LINKS.token("confirm-order", "g-001", "m-ann", "storefront", "w-1", "2", until)
    headers = {"origin": PAGE_URL}
    answer = await page.ask("POST", f"/confirm-order/{token}", A.client, headers=headers, form={})
    told = re.sub("[\u2068\u2069]", "", unescape(answer.text))
    assert f"You are buyer {shown.removeprefix('Buyer ')}." in told


@pytest.mark.parametrize(
    ("fields", "shown"),
    [({"status": "pending"}, "Unpaid"), ({"status": "succeeded", "received": 900}, "Paid")],
)
async def test_an_invoice_says_whether_it_is_paid(
    url: str, page: Storefront, fields: dict[str, Any], shown: str
) -> None:
    by_invoice = {"scope": "member", "method": "invoice"}
    said = {"kind": "invoice", "method": "invoice", "amount": 900, **fields}
    invoice = payment("p-1", group_id="g-001", member_id="ann", **said)
    await write(url, terms(payment=by_invoice), ordered("ann"), ordered("bob"), invoice)
    assert [line[:3] for line in table(await get(page, MANAGE))] == [
        ["ann", "2", shown],
        ["bob", "2", ""],
    ]


@pytest.mark.parametrize("is_in_parts", [False, True])
async def test_a_listed_member_s_own_way_to_pay_is_the_one_that_counts(
    url: str, page: Storefront, is_in_parts: bool
) -> None:
    """At the shop an order counts once it is paid; one by invoice counts before its invoice."""
    ann, bo, cy = listed("Ann", "Bo", "Cy")
    members = (
        ann | {"payment": {"method": "invoice"}},
        bo | {"payment": {"method": "invoice"}},
        cy,
    )
    said = {"kind": "invoice", "method": "invoice", "amount": 900, "status": "pending"}
    invoice = payment("p-1", group_id="g-001", member_id="m-Ann", **said)
    at_shop = {"scope": "member", "method": "shop"}
    if is_in_parts:
        part = {"group_id": "g-001", "part": 1, "parts": 1, "members": members}
        await write(url, terms(payment=at_shop, member_parts=1))
        await write(url, MembersAdmitted.model_validate(part))
    else:
        await write(url, terms(payment=at_shop, members=members))
    await write(url, *map(of, ("Ann", "Bo", "Cy")), invoice)
    await write(url, *(ordered(f"m-{each}") for each in ("Ann", "Bo", "Cy")))
    assert [line[:3] for line in table(await get(page, MANAGE))] == [
        ["Ann", "2", "Unpaid"],
        ["Bo", "2", ""],
        ["Cy", "2", "Paid"],
    ]


async def test_nobody_else_sees_any_of_it(url: str, page: Storefront) -> None:
    await write(url, terms(), group(2, **OPEN), ordered("ann"))
    other = LINKS.token("group", "g-002", "m-org")
    wrong = [
        other,
        LINKS.token("payer", "g-001", "m-org", ""),
        LINKS.token("order", "g-001", ""),
        "x",
    ]
    for token in wrong:
        base = f"/groups/g-001/manage/{token}"
        for end in ("", "/list", "/order-sheet.csv", "/invitation.svg", "/sent"):
            assert (await get(page, base + end)).status == 404, end
        form = {"words": WORDS, "sure": "yes"}
        assert (await page.ask("POST", f"{base}/message", A.client, form=form)).status == 404
    assert page.sent == []


# --- the sheet and the list ----------------------------------------------------------------------


async def test_the_sheet_has_every_line_and_runs_no_formula(url: str, page: Storefront) -> None:
    names = [f"n{number:04}" for number in range(1_203)]
    bad = '=HYPERLINK("evil.example","x")'
    await write(url, terms(members=listed(*names, bad)), *map(of, names), of(bad))
    await write(url, ordered("m-n0001", 2))
    answer = await get(page, f"{MANAGE}/order-sheet.csv")
    header, *lines = rows_of(answer)
    assert answer.headers["content-disposition"] == 'attachment; filename="g-001.csv"'
    assert header[:6] == ["Buyer", "ID", "Units", "Value", "Currency", "Payment"]
    assert [line[0] for line in lines] == [*names, f"'{bad}"]
    assert [line[2:6] for line in lines[:2]] == [
        ["0", "0.00", "EUR", ""],
        ["2", "18.00", "EUR", "Paid"],
    ]
    assert "@people.example" not in answer.text


async def test_the_sheet_is_in_the_reader_s_language_and_the_api_s_in_english(
    url: str, page: Storefront
) -> None:
    await write(url, terms(), ordered("ann"))
    own = rows_of(await get(page, f"{MANAGE}/order-sheet.csv", **{"accept-language": "ja"}))
    bearer = {"authorization": f"Bearer {TOKEN}", "accept-language": "ja"}
    api = rows_of(await get(page, f"{API}/order-sheet.csv", **bearer))
    assert (own[0][0], api[0][0]) == ("購入者", "Buyer")
    assert len(own) == len(api) == 2


@pytest.mark.parametrize(
    ("who", "status"),
    [("admin", 200), ("shop", 200), ("contract's seller", 200), ("rival", 403), ("seller", 403),
     ("nobody", 401)],
)  # fmt: skip
async def test_the_api_gives_the_sheet_to_who_runs_the_group(
    url: str, page: Storefront, who: str, status: int
) -> None:
    is_contract = who == "contract's seller"
    fields: dict[str, Any] = {"definition_id": "d-1"}
    if is_contract:
        fields = {"request_id": "au-a-1", "organizer": {"id": A.seller_id}}
        fields["members"] = ({"id": "m-1", "person_id": "m-p-Ann", "reserved": 2},)
    await write(url, *SHARED, *facts(A), terms(**fields), of("Ann"))
    keys = {"admin": ADMIN_KEY, "shop": A.key("shop"), "seller": A.key("seller")}
    keys |= {"contract's seller": A.key("seller"), "rival": LINKS.token("group", "g-1", "m-org")}
    headers = {"authorization": f"Bearer {keys[who]}"} if who in keys else {}
    answer = await get(page, f"{API}/order-sheet.csv", **headers)
    assert answer.status == status
    if is_contract:
        header, line = rows_of(answer)
        assert line[header.index("Email")] == "ann@people.example"
        assert line[header.index("Reserved")] == "2"


async def test_the_list_numbers_its_lines_over_pages(url: str, page: Storefront) -> None:
    names = [f"n{number:03}" for number in range(501)]
    await write(url, terms(members=listed(*names)), *map(of, names))
    first = await get(page, f"{MANAGE}/list")
    more = re.search(r'href="(\?after=[^"]+)"', first.text)
    assert more is not None
    second = await get(page, f"{MANAGE}/list" + unescape(more[1]))
    assert [line[:2] for line in table(first)[::250]] == [["1", "n000"], ["251", "n250"]]
    assert [line[:2] for line in table(second)] == [["501", "n500"]]


# --- inviting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"), [("card", "/groups/g-001/order/"), ("shop", "/groups/g-001")]
)
async def test_people_are_invited_to_where_they_order(
    url: str, page: Storefront, method: str, path: str
) -> None:
    await write(url, terms(payment={"scope": "member", "method": method}))
    answer = await get(page, MANAGE)
    link = re.search(r'id="share-link" type="url" readonly value="([^"]+)"', answer.text)
    assert link is not None
    assert link[1].startswith(f"https://shop.example{path}")
    assert f'data-copy="{link[1]}"' in answer.text
    assert f'data-share="{link[1]}"' in answer.text
    code = await get(page, f"{MANAGE}/invitation.svg")
    assert code.headers["content-type"] == "image/svg+xml"
    assert code.text.startswith("<svg")


# --- messages ------------------------------------------------------------------------------------


async def send(page: Storefront, words: str = WORDS, **more: str) -> Answer:
    form = {"words": words, "once": "once-1", **more}
    return await page.ask("POST", f"{MANAGE}/message", A.client, form=form)


def messages(page: Storefront) -> list[GroupMessage]:
    return [each for topic, each in page.sent if topic == ORDERS.name]  # type: ignore[misc]


async def test_a_message_is_shown_with_its_recipients_and_sent_once(
    url: str, page: Storefront
) -> None:
    """Listed and ordered, each once; the seller of words may press the button twice."""
    await write(url, terms(members=listed("Ann", "Bo")), of("Ann"), of("Bo"))
    await write(url, ordered("m-Bo", person_id="m-p-Bo"))
    asked = await send(page)
    assert asked.status == 200
    assert "Send this message to 2 people?" in asked.text
    assert page.sent == []
    for _ in range(2):
        sent = await send(page, sure="yes")
        assert (sent.status, sent.headers["location"]) == (303, f"{MANAGE}/sent?n=2")
    assert len({each.message_id for each in messages(page)}) == 1
    assert messages(page)[0].words == WORDS
    assert (await send(page, "Something else", sure="yes")).status == 303
    assert len({each.message_id for each in messages(page)}) == 2


async def test_a_group_gets_three_messages_a_day_and_the_form_keeps_the_fourth(
    url: str, page: Storefront
) -> None:
    await write(url, terms(), ordered("ann", person_id="leaf:ann"))
    statuses = [(await send(page, f"Words {number}", sure="yes")).status for number in range(4)]
    assert statuses == [303, 303, 303, 422]
    refused = await send(page, "The last words", sure="yes")
    assert "write again tomorrow" in refused.text
    assert "The last words</textarea>" in refused.text
    bearer = {"authorization": f"Bearer {ADMIN_KEY}"}
    by_admin = await page.ask(
        "POST", f"{API}/messages", A.client, headers=bearer, body={"words": "x"}
    )
    assert by_admin.status == 429, "the group's members are spared by everybody"
    assert len(messages(page)) == 3


async def test_a_listed_member_s_empty_row_is_no_order(url: str, page: Storefront) -> None:
    """Else the member would count as somebody who has confirmed the mailbox."""
    await write(url, terms(members=listed("Ann")), of("Ann"))
    empty = ordered("m-Ann", 0, person_id="m-p-Ann", first_ordered_at=None, last_ordered_at=None)
    await write(url, empty)
    assert [line[:2] for line in table(await get(page, MANAGE))] == [["Ann", "not yet"]]
    to = await page.app.state.shop.commands.messages._recipients(terms(members=listed("Ann")))
    assert (to.listed, to.ordered) == ({"m-p-Ann"}, frozenset())


async def test_who_ordered_asked_for_it_and_who_is_only_listed_counts_as_a_stranger(
    url: str,
) -> None:
    names = [f"n{number}" for number in range(6)]
    await write(url, terms(members=listed(*names)), *map(of, names))
    limits = {"letters_per_hour": 5, "letters_to_one_per_hour": 1}
    with storefront_on(url, **limits) as page:
        assert (await send(page, sure="yes")).status == 422, "six strangers"
        await write(url, *(ordered(f"m-{name}", person_id=f"m-p-{name}") for name in names[:2]))
        assert (await send(page, sure="yes")).status == 303
        again = await send(page, "Again", sure="yes")
        assert again.status == 422, "each of the four has had the letter of the hour"
        await page.close()
    with storefront_on(url, letters_of_strangers_per_hour=5) as page:
        assert (await send(page, sure="yes")).status == 422, "six in all"
        await page.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "Please fill this in"),
        (" \u200b\n", "Please fill this in"),
        ("x" * (WORDS_MAX + 1), "at most 2,000 characters"),
        ("Pay at https://evil.example/x", "Leave out web and email addresses"),
        ("Ask evil@evil.example", "Leave out web and email addresses"),
    ],
)
async def test_words_that_cannot_be_sent_are_said_at_the_field(
    url: str, page: Storefront, words: str, said: str
) -> None:
    await write(url, terms(), ordered("ann", person_id="leaf:ann"))
    for sure in ("", "yes"):
        refused = await send(page, words, sure=sure)
        assert refused.status == 422
        assert said in refused.text
    assert messages(page) == []


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("  a \n\n\n\n b\t", "a\n\n b"),
        ("a\x00\x07\u202eb\ufeff", "ab"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("x" * WORDS_MAX, "x" * WORDS_MAX),
    ],
)
def test_a_message_is_plain_text(words: str, sent: str) -> None:
    assert plain(words) == sent
    assert plain(sent) == sent


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({}, 422, "Nobody in this group can get an email yet"),
        ({"closes_at": NOW - timedelta(days=91), "opens_at": NOW - timedelta(days=99)}, 422,
         "ended too long ago"),
    ],
)  # fmt: skip
async def test_a_message_to_nobody_is_refused(
    url: str, page: Storefront, fields: dict[str, Any], status: int, said: str
) -> None:
    rows = [ordered("ann", person_id="leaf:ann")] if fields else [ordered("ann")]
    await write(url, terms(**fields), *rows)
    refused = await send(page, sure="yes")
    assert refused.status == status
    at_the_field = re.search(r'id="p-words">([^<]*)<', refused.text)
    assert at_the_field is not None
    assert said in at_the_field[1]
    assert messages(page) == []


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_a_stranger_s_words_are_escaped(url: str, page: Storefront, language: str) -> None:
    await write(url, terms(), ordered("ann", person_id="leaf:ann"))
    form = {"words": "<b>\"x\" & 'y'</b>", "once": "1"}
    headers = {"accept-language": language}
    asked = await page.ask("POST", f"{MANAGE}/message", A.client, form=form, headers=headers)
    assert asked.status == 200
    assert "<b>" not in asked.text
