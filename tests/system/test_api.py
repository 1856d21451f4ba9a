"""The HTTP API on a real stack: both stories, twice the same, and nothing in the logs."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.notifier.letters.links import SignedLinks
from tests.system.api_stack import LINKS, Api, after
from tests.system.reader import Reader
from tests.system.stack import until

pytestmark = pytest.mark.system


def problems_of(answer: Any) -> dict[str, str]:
    return {each["field"]: each["problem"] for each in answer["problems"]}


# --- a group purchase ----------------------------------------------------------------------------


def test_a_group_purchase_from_its_definition_to_its_favor(api: Api) -> None:
    shop = api.shop()
    definition = api.definition(shop)
    listed = api.nobody.get("/definitions", q="green", shop_id=definition["shop_id"])
    assert [each["definition_id"] for each in listed["items"]] == [definition["definition_id"]]

    asked = api.nobody.post(
        "/group-purchases",
        {
            "definition_id": definition["definition_id"],
            "number_of_products": 3,
            "organizer": {"name": "Ada", "email": "ada@people.example"},
            "stop_at_number": True,
        },
    )
    assert asked["status"] == "issued"
    group_id = asked["group_id"]
    place = f"/group-purchases/{group_id}"
    group = api.nobody.get(place)
    assert (group["status"], group["missing"], group["next_tier"]) == ("open", 3, 0)
    assert "Ada" not in str(group)
    assert "ada@" not in str(group)
    assert group_id in [each["group_id"] for each in api.nobody.get("/group-purchases")["items"]]

    organizer = api.nobody.as_(asked["organizer_token"])
    for number, quantity in ((1, 2), (2, 1)):
        order = {
            "state": "paid",
            "order_id": f"order-{number}",
            "member": {"id": f"m{number}", "email": f"m{number}@people.example"},
            "quantity": quantity,
        }
        assert shop.post(f"{place}/orders", order)["status"] == "counted"
    until("complete", lambda: api.nobody.get(place)["status"] == "complete")
    until("decided", lambda: api.nobody.get(place)["decision"])
    decided = api.nobody.get(place)
    assert decided["decision"]["tier"]["percent_off"] == 10
    assert (decided["tier_reached"], decided["missing_to_next"]) == (0, 3)

    until(
        "favors",
        lambda: all(each["favor_amount"] for each in organizer.get(f"{place}/members")["items"]),
    )
    table = organizer.get(f"{place}/members")["items"]
    assert [(each["member_id"], each["quantity"], each["favor_amount"]) for each in table] == [
        ("m1", 2, 200),
        ("m2", 1, 100),
    ]
    assert {each["email"] for each in table} == {None}

    late = {"state": "paid", "order_id": "order-9", "member": {"id": "m9"}, "quantity": 1}
    late["ordered_at"] = after(days=-1)
    assert problems_of(shop.post(f"{place}/orders", late, 422))["order_id"].startswith("before")
    back = {"return_id": "return-1", "member_id": "m1", "quantity": 1}
    assert shop.post(f"{place}/returns", back)["status"] == "counted"
    assert organizer.post(f"{place}/withdrawal", {}, 409)["type"].endswith(":overtaken")


def test_a_request_is_refused_with_every_problem(api: Api) -> None:
    shop = api.shop()
    refused = shop.post(
        "/group-purchases",
        {"number_of_products": 0, "currency": "ZZZ", "unit_price": -1, "closes_at": after(days=-1)},
        422,
    )
    assert {"product", "number_of_products", "currency", "unit_price", "closes_at"} <= set(
        problems_of(refused)
    )
    assert refused["type"] == "urn:jointbuy:problem:refused"


def test_terms_of_its_own_need_a_shop(api: Api) -> None:
    own = {"number_of_products": 2, "product": {"name": "Tea"}, "unit_price": 5, "currency": "EUR"}
    assert api.nobody.post("/group-purchases", own, 403)["status"] == 403
    shop, rival = api.shop(), api.shop()
    asked = shop.post("/group-purchases", own)
    order = {"order_id": "1", "member": {"id": "m"}, "quantity": 1, "state": "paid"}
    place = f"/group-purchases/{asked['group_id']}"
    assert shop.post(f"{place}/orders", order)["status"] == "counted"
    assert rival.post(f"{place}/orders", order, 403)["status"] == 403
    definition = api.definition(shop)["definition_id"]
    cheaper = {"definition_id": definition, "number_of_products": 2, "unit_price": 1}
    assert rival.post("/group-purchases", cheaper, 403)["status"] == 403
    assert api.nobody.post("/group-purchases", cheaper, 403)["status"] == 403
    stolen = {"product": {"name": "Mine now"}, "unit_price": 1, "currency": "EUR"}
    assert rival.post("/definitions", stolen | {"definition_id": definition}, 403)
    again = api.definition(shop, definition_id=definition, unit_price=900)
    assert (again["version"], again["definition_id"]) == (2, definition)
    assert shop.post(f"/definitions/{definition}/withdrawal", None, 200)["withdrawn_at"]
    plain = {"definition_id": definition, "number_of_products": 2}
    assert "definition_id" in problems_of(api.nobody.post("/group-purchases", plain, 422))


def test_another_shop_s_orders_do_not_count_in_a_group(api: Api) -> None:
    """Nobody but the admin can even send them; whoever does is told which shops count."""
    shop, rival = api.shop(), api.shop()
    definition = api.definition(shop)
    body = {"definition_id": definition["definition_id"], "number_of_products": 3}
    asked = api.nobody.post("/group-purchases", body)
    place = f"/group-purchases/{asked['group_id']}"
    assert api.nobody.get(place)["sources"] == [definition["shop_id"], "storefront", "admin"]
    order = {"order_id": "1", "member": {"id": "m"}, "quantity": 2, "state": "paid"}
    assert shop.post(f"{place}/orders", order)["status"] == "counted"
    assert rival.post(f"{place}/orders", order, 403)["status"] == 403
    elsewhere = order | {"source": "rival"}
    refused = problems_of(api.admin.post(f"{place}/orders", elsewhere, 422))
    assert refused["order_id"] == "not-this-shop (2 units)"
    back = {"return_id": "r", "member_id": "m", "quantity": 1}
    for source, reason in (("rival", "not-this-shop"), ("admin", "exceeds-orders")):
        told = api.admin.post(f"{place}/returns", back | {"source": source}, 422)
        assert problems_of(told)["order_id"].startswith(reason)
    assert api.nobody.get(place)["quantity"] == 2
    assert shop.post(f"{place}/returns", back)["status"] == "counted"
    until("one left", lambda: api.nobody.get(place)["quantity"] == 1)


def test_many_members_and_a_withdrawal(api: Api) -> None:
    shop = api.shop()
    members = [{"id": f"m{number}"} for number in range(2_500)]
    asked = shop.post(
        "/group-purchases",
        {"number_of_products": 2500, "product": {"name": "Tea"}, "members": members},
        None,
    )
    until(
        "issued",
        lambda: api.nobody.as_(asked["request_token"]).get(f"/requests/{asked['request_id']}")[
            "group_id"
        ],
    )
    issued = api.nobody.as_(asked["request_token"]).get(f"/requests/{asked['request_id']}")
    place = f"/group-purchases/{issued['group_id']}"
    assert api.nobody.get(place)["members_listed"]
    stranger = {"order_id": "1", "member": {"id": "x"}, "quantity": 1, "state": "paid"}
    assert problems_of(shop.post(f"{place}/orders", stranger, 422))["order_id"].startswith("not-a-")
    organizer = api.nobody.as_(issued["organizer_token"])
    assert organizer.post(f"{place}/withdrawal", {"reason": "not enough"}, 200)["withdrawn_at"]
    until("withdrawn", lambda: api.nobody.get(place)["status"] == "withdrawn")


def test_members_order_by_links(api: Api) -> None:
    shop = api.shop()
    asked = shop.post(
        "/group-purchases",
        {
            "number_of_products": 2,
            "product": {"name": "Tea"},
            "unit_price": 500,
            "currency": "EUR",
            "payment": {"scope": "group", "method": "invoice"},
        },
    )
    place = f"/group-purchases/{asked['group_id']}/orders"
    joining = api.nobody.as_(LINKS.token("order", asked["group_id"], ""))
    assert "member.email" in problems_of(joining.post(place, {"quantity": 1}, 422))
    mine = joining.post(place, {"quantity": 1, "member": {"email": "Joe@people.example"}})
    assert (mine["status"], mine["source"]) == ("unconfirmed", "storefront")
    assert "joe" not in mine["member_id"].lower()
    named = api.nobody.as_(LINKS.token("order", asked["group_id"], "m7"))
    # A letter has to go somewhere, whoever the link names.
    assert "member.email" in problems_of(named.post(place, {"quantity": 1}, 422))
    asking = {"quantity": 1, "member": {"email": "m7@people.example"}}
    theirs = named.post(place, asking)
    assert (theirs["status"], theirs["member_id"]) == ("unconfirmed", "m7")
    paid = named.post(place, asking | {"state": "paid", "value": 0}, 422)
    assert set(problems_of(paid)) == {"state", "value"}
    many = problems_of(joining.post(place, asking | {"quantity": 3}, 422))
    assert many["quantity"].endswith("order at most 2")

    # Nobody's order counts before its letter's link is followed, and then once.
    confirmed = api.confirm_order(asked["group_id"], theirs, 1, times=2)
    assert "your order is confirmed" in confirmed.text
    shown = api.nobody.get(f"/group-purchases/{asked['group_id']}")
    assert (shown["quantity"], shown["members"], shown["status"]) == (1, 1, "open")
    letters = [
        record.value
        for record in api.stack.read("notices")
        if record.value["about"] == asked["group_id"]
    ]
    assert sorted(each["kind"] for each in letters if "order" in each["kind"]) == [
        "confirm-order", "confirm-order", "order-counted",
    ]  # fmt: skip
    beyond = {"order_id": "x1", "member": {"id": "m8"}, "quantity": 10**9, "unit_price": 1_000_001}
    for state in ("placed", "paid"):
        refused = problems_of(shop.post(place, beyond | {"state": state}, 422))
        assert "beyond-limits" in refused["quantity"]


def test_nobody_is_told_who_bought_elsewhere(api: Api) -> None:
    """One person in two groups and an auction: only the shop and the admin see that it is one."""
    shop, address = api.shop(), {"email": f"joe-{uuid.uuid4().hex[:8]}@people.example"}
    definition = api.definition(shop, payment={"scope": "group"})["definition_id"]
    given = {"definition_id": definition, "number_of_products": 2}
    asked = [
        api.nobody.post("/group-purchases", given | {"organizer": {"email": f"{who}@o.example"}})
        for who in ("ann", "bob")
    ]
    _, seller = api.seller()
    place = f"/auctions/{api.auction(seller)['auction_id']}/applications"
    applied = api.nobody.post(place, {"applicant": address, "quantity": 1})["applicant_id"]
    told, tables, at_shop = [], [], []
    for each in asked:
        group = f"/group-purchases/{each['group_id']}"
        joining = api.nobody.as_(LINKS.token("order", each["group_id"], ""))
        order = {"quantity": 1, "member": address}
        ordered = joining.post(f"{group}/orders", order)
        told.append(ordered["member_id"])
        api.confirm_order(each["group_id"], ordered, 1)
        organizer = api.nobody.as_(each["organizer_token"])
        until("there", lambda group=group: api.admin.get(f"{group}/members")["items"])
        tables += [row["member_id"] for row in organizer.get(f"{group}/members")["items"]]
        at_shop += [row["member_id"] for row in shop.get(f"{group}/members")["items"]]
    assert tables == told
    assert len({applied, *told, *at_shop}) == 4
    assert len(set(at_shop)) == 1


def test_who_asks_for_links_again_gets_a_notice_of_what_is_held(api: Api) -> None:
    """Also what was asked for a moment ago; a repeat in the hour has the same id."""
    definition = api.definition(api.shop())["definition_id"]
    email = f"olga-{uuid.uuid4().hex[:8]}@people.example"
    given = {"definition_id": definition, "number_of_products": 2, "organizer": {"email": email}}
    asked = api.nobody.post("/group-purchases", given)
    unknown = {"email": f"nobody-{uuid.uuid4().hex[:8]}@people.example"}

    def notices() -> list[dict[str, Any]]:
        found = api.stack.read("notices")
        return [each.value for each in found if each.value.get("kind") == "links-again"]

    def told() -> bool:
        for body in (unknown, {"email": email.upper()}):
            answer = api.nobody.send("POST", "/links-again", body)
            assert (answer.status_code, answer.content) == (204, b"")
        return bool(notices())

    until("the notice", told)
    for notice in notices():
        (link,) = notice["says"]["links"]
        assert (link["role"], link["about"]) == ("organizer", asked["group_id"])
        assert email not in str(notice)
    assert len({each["notice_id"] for each in notices()}) <= 2, "the hour may end meanwhile"


def test_a_person_sees_and_erases_what_is_kept_by_a_link_and_the_shop_by_its_key(api: Api) -> None:
    shop, rival = api.shop(), api.shop()
    definition = api.definition(shop)
    email = f"ann-{uuid.uuid4().hex[:8]}@people.example"
    given = {
        "definition_id": definition["definition_id"],
        "number_of_products": 9,
        "organizer": {"email": email},
    }
    group_id = api.nobody.post("/group-purchases", given)["group_id"]
    order = {"order_id": "o-1", "member": {"id": "ann", "email": email}, "quantity": 2}
    shop.post(f"/group-purchases/{group_id}/orders", order | {"state": "paid"})
    own, of_shop = until("both are known", lambda: _two_people(api, email))
    assert of_shop == f"{definition['shop_id']}:ann"

    # By the link, which the notifier makes of the notice.
    assert api.nobody.send("POST", "/data-link", {"email": email.upper()}).status_code == 204
    told = until("the notices", lambda: _data_links(api, {own, of_shop}))
    assert email not in str(told)
    link = SignedLinks(api.nobody.url, LINKS).data(own, email).removeprefix(api.nobody.url)
    reader = Reader(api.nobody.url)
    shown = reader.get(link)
    assert email in shown.text
    assert group_id in shown.text
    assert email in reader.get(f"{link}/data.json").html
    assert _two_people(api, email), "reading changes nothing"
    reader.send(shown, "/my-data/", sure="yes")
    reader.get(link, 404)
    reader.close()
    assert api.admin.post("/people/search", {"email": email}, 200)["items"] == [
        {"person_id": of_shop}
    ]

    # By the shop's key, and not by another's.
    place = f"/people/{of_shop}"
    data = shop.get(f"{place}/data")
    assert data["address"]["email"] == email
    assert [each["roles"] for each in data["groups"]] == [["member"]]
    assert rival.send("GET", f"{place}/data").status_code == 403
    assert rival.send("DELETE", place).status_code == 403
    erased = shop.send("DELETE", place)
    assert {each["place"] for each in erased.json()["kept"]} >= {"people", "commands", "records"}
    assert api.admin.post("/people/search", {"email": email}, 200)["items"] == []
    left = shop.get(f"{place}/data")
    assert (left["address"], left["groups"]) == (None, data["groups"])


def _two_people(api: Api, email: str) -> list[str] | None:
    """The ids of the people of a mailbox, the shop's last, once there are two."""
    found = api.admin.post("/people/search", {"email": email}, 200)["items"]
    ids = sorted((each["person_id"] for each in found), key=lambda each: ":" in each)
    return ids if len(ids) == 2 else None


def _data_links(api: Api, people: set[str]) -> list[Any] | None:
    """The notices with a link to their data, once all of these people have one."""
    found = [each.value for each in api.stack.read("notices")]
    links = [each for each in found if each.get("kind") == "data-link"]
    return links if people <= {each["recipient_id"] for each in links} else None


# --- an auction ----------------------------------------------------------------------------------


def test_an_auction_from_its_opening_to_its_contract(api: Api) -> None:
    (first_id, first), (_, second) = api.seller(), api.seller()
    shop = api.shop()
    opened = api.auction(first, closes_at=after(seconds=25))
    assert opened["verdict"] == "shown"
    place = f"/auctions/{opened['auction_id']}"
    assert api.nobody.get(place)["missing"] == 3
    person = {"applicant": {"id": "p1", "email": "p1@buyers.example", "name": "Pat"}, "quantity": 2}
    assert shop.post(f"{place}/applications", person)["status"] == "confirmed"
    other = {"applicant": {"id": "p2", "email": "p2@buyers.example"}, "quantity": 1}
    shop.post(f"{place}/applications", other)
    until("both count", lambda: api.nobody.get(place)["reservations"] == 3)

    worse = second.post(f"{place}/offers", {"minimum_reservations": 4, "unit_price": 80_000})
    assert (worse["verdict"], worse["reason"]) == ("not-better", "higher-minimum")
    better = second.post(f"{place}/offers", {"minimum_reservations": 3, "unit_price": 85_000})
    assert better["verdict"] == "shown"
    shown = api.nobody.get(place)
    assert [each["unit_price"] for each in shown["history"]] == [90_000, 85_000]
    assert first_id not in str(shown)
    assert first.post(f"{place}/withdrawal", None, 409)["status"] == 409
    mine = second.get("/sellers/me/offers")["items"]
    assert {each["verdict"] for each in mine} == {"shown", "not-better"}

    until("concluded", lambda: api.nobody.get(place)["group_id"])
    concluded = api.nobody.get(place)
    assert concluded["status"] == "concluded"
    assert concluded["concluded_at"]
    table = f"/group-purchases/{concluded['group_id']}/members"
    found = second.get(table, limit=1)
    assert len(found["items"]) == 1
    assert found["cursor"]
    found["items"] += second.get(table, cursor=found["cursor"])["items"]
    assert {each["email"] for each in found["items"]} == {"p1@buyers.example", "p2@buyers.example"}
    assert first.get(table, 403)["status"] == 403
    assert shop.get(table, 403)["status"] == 403
    sold = {"order_id": "1", "state": "paid", "quantity": 2}
    sold["member"] = {"id": found["items"][0]["member_id"]}
    orders = table.replace("members", "orders")
    assert second.post(orders, sold)["status"] == "counted"
    assert first.post(orders, sold, 403)["status"] == 403


def test_a_reservation_is_confirmed_by_letter_and_taken_back(api: Api) -> None:
    _, seller = api.seller()
    place = f"/auctions/{api.auction(seller)['auction_id']}"
    body = {"applicant": {"email": "kim@buyers.example"}, "quantity": 2}
    reserved = api.nobody.post(f"{place}/applications", body)
    assert reserved["status"] == "unconfirmed"
    assert "kim" not in reserved["applicant_id"]
    assert api.nobody.get(place)["reservations"] == 0
    back = f"{place}/applications/{reserved['application_id']}/withdrawal"
    holder = api.nobody.as_(reserved["withdrawal_token"])
    assert holder.post(back, None, 200)["status"] == "recorded"
    named = {"applicant": {"id": "kim", "email": "kim@buyers.example"}, "quantity": 2}
    assert "applicant.id" in problems_of(api.nobody.post(f"{place}/applications", named, 422))
    shop, rival = api.shop(), api.shop()
    ours = shop.post(f"{place}/applications", named)
    until("ours", lambda: api.nobody.get(place)["applicants"] == 1)
    spelled = {"applicant": {"email": "KIM+1@buyers.example"}, "quantity": 1}
    for same in (named, spelled):
        refused = rival.post(f"{place}/applications", same, 422)
        assert "withdraw it first" in refused["detail"], "no shop replaces another's"
    many = {"applicant": {"id": "lee", "email": "lee@buyers.example"}, "quantity": 101}
    for who in (rival, api.nobody):
        asked = many if who is rival else {**many, "applicant": {"email": "lee@buyers.example"}}
        refused = who.post(f"{place}/applications", asked, 422)
        (problem,) = refused["problems"]
        said = {"problem": "give at most 100", "code": "at-most", "params": {"most": 100}}
        assert problem == {"field": "quantity", **said}
    assert api.nobody.get(place)["quantity_max_per_applicant"] == 100
    rival.post(f"{place}/applications", {**many, "quantity": 100})
    until("both", lambda: api.nobody.get(place)["reservations"] == 102)
    back = f"{place}/applications/{ours['application_id']}/withdrawal"
    assert rival.post(back, None, 403)["status"] == 403
    assert shop.post(back, None, 200)["status"] == "recorded"
    until("one left", lambda: api.nobody.get(place)["applicants"] == 1)
    local, _, domain = seller.get("/sellers/me")["email"].partition("@")
    own = {"applicant": {"email": f"{local.upper()}+buys@{domain}", "id": "me"}, "quantity": 1}
    assert shop.post(f"{place}/applications", own, 422)["detail"].startswith(
        "a seller who has made"
    )


def test_a_seller_s_standing_and_keys(api: Api) -> None:
    seller_id, seller = api.seller(approved=False)
    assert seller.get("/sellers/me")["standing"] == "pending"
    approved = api.admin.post(f"/sellers/{seller_id}/approval", None, 200)
    assert approved["standing"] == "good"
    place = f"/auctions/{api.auction(seller)['auction_id']}"
    suspended = api.admin.post(f"/sellers/{seller_id}/suspension", {"reason": "late"}, 200)
    assert suspended["standing"] == "suspended"
    assert api.admin.post(f"/sellers/{seller_id}/approval", {}, 422)["status"] == 422
    offer = {"minimum_reservations": 2, "unit_price": 1}
    refused = seller.post(f"{place}/offers", offer, 422)
    assert "suspended" in refused["detail"], "at once, as the pages know the standing"
    assert api.admin.post(f"/sellers/{seller_id}/reinstatement", {}, 200)["standing"] == "good"

    fresh = seller.post(f"/sellers/{seller_id}/keys")
    assert seller.as_(fresh["api_key"]).get("/sellers/me")["seller_id"] == seller_id
    ended = seller.post(f"/keys/{fresh['key_id']}/revocation", None, 200)
    assert ended["revoked_at"]
    assert seller.as_(fresh["api_key"]).get("/sellers/me", 401)["status"] == 401
    _, stranger = api.seller()
    assert stranger.post(f"/keys/{fresh['key_id']}/revocation", None, 404)["status"] == 404
    assert stranger.post(f"/sellers/{seller_id}/keys", None, 403)["status"] == 403


# --- twice the same ------------------------------------------------------------------------------


def test_the_same_key_in_two_processes_is_one_command(api: Api) -> None:
    shop = api.shop()
    own = {"number_of_products": 2, "product": {"name": "Tea"}}
    key = uuid.uuid4().hex
    both = [shop, api.other.as_(shop.credential)] * 3
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda each: each.post("/group-purchases", own, key=key), both))
    assert len({each["group_id"] for each in found}) == 1
    records = [
        each for each in api.stack.read("request-outcomes") if each.key == found[0]["request_id"]
    ]
    assert len({str(each.value) for each in records}) == 1
    changed = shop.send("POST", "/group-purchases", own | {"number_of_products": 3}, key)
    assert changed.status_code == 422
    assert changed.json()["type"].endswith("idempotency-key-reused")
    rival = api.shop()
    assert rival.post("/group-purchases", own, key=key)["group_id"] != found[0]["group_id"]
    short = shop.send("POST", "/group-purchases", own, "1")
    assert short.status_code == 400, "a key that can be guessed"


def test_commands_of_every_kind_twice_are_one(api: Api) -> None:
    key = uuid.uuid4().hex
    body = {"name": "Twice", "email": "twice@sellers.example"}
    first, second = (each.post("/sellers", body, key=key) for each in (api.nobody, api.other))
    assert first["seller_id"] == second["seller_id"]
    assert first["api_key"]
    assert second["api_key"] is None, "a key is said once"
    api.admin.post(f"/sellers/{first['seller_id']}/approval", {}, 200)
    seller = api.nobody.as_(first["api_key"])
    opening = {
        "product": {"name": "Camera"},
        "minimum_reservations": 3,
        "unit_price": 9,
        "currency": "JPY",
        "closes_at": after(hours=1),
    }
    opened = {seller.post("/auctions", opening, key=key)["auction_id"] for _ in range(2)}
    place = f"/auctions/{opened.pop()}"
    assert not opened
    offer = {"minimum_reservations": 3, "unit_price": 8}
    offers = [seller.post(f"{place}/offers", offer, key=key) for _ in range(2)]
    assert offers[0] == offers[1]
    assert offers[0]["verdict"] == "shown"
    shop = api.shop()
    person = {"applicant": {"id": "p", "email": "p@buyers.example"}, "quantity": 2}
    for _ in range(2):
        shop.post(f"{place}/applications", person, key=key)
    until("reserved", lambda: api.nobody.get(place)["reservations"] == 2)
    assert api.nobody.get(place)["applicants"] == 1


# --- what is kept to itself ----------------------------------------------------------------------


def test_no_address_and_no_key_is_in_a_log(api: Api) -> None:
    """Marked values through every way in, the ones that fail too."""
    marked = f"marked{uuid.uuid4().hex[:8]}"
    _, seller = api.seller()
    shop = api.shop()
    place = f"/auctions/{api.auction(seller)['auction_id']}"
    email = f"{marked}@buyers.example"
    person = {"applicant": {"email": email, "name": marked}, "quantity": 1}
    token = api.nobody.post(f"{place}/applications", person)["withdrawal_token"]
    api.nobody.post(f"{place}/applications", person | {"quantity": 0}, 400)
    api.nobody.post(f"{place}/applications", {"applicant": {"email": f"{marked}@@"}}, 400)
    api.nobody.send("POST", f"{place}/applications", content=f'{{"a": "{email}'.encode())
    api.nobody.as_(marked).get("/auctions", 401)
    api.nobody.as_(f"jb_0123456789abcdef_{marked}").get("/auctions", 401)
    api.nobody.get("/auctions", q=marked)
    shop.post("/group-purchases", {"organizer": {"email": email}, "product": {"name": "T"}}, 422)
    api.nobody.post("/sellers", {"name": marked, "email": email})
    secrets = [marked, token, shop.credential, seller.credential, api.admin.credential]
    for worker in api.stack.workers:
        text = worker.log.read_text(errors="replace")
        assert not [each for each in secrets if each and each in text], worker.log
