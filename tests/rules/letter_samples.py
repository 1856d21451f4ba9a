"""A notice for each kind of letter and each role, in both languages, and how letters are read.

Golden files, pictures and tests are all made of these.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from domain.ids import derive
from domain.people import name_mark
from domain.pseudonyms import pseudonym, short_number
from papers.issuer import Issuer
from papers.pdf import pdf_of
from schemas.auctions import Seller, StandingSince
from schemas.letters import Billed, HeldLink, LetterKind, Notice, ShownOffer, notices
from schemas.parts import Party, Product, Tier
from schemas.payments import Payment
from schemas.people import Person
from schemas.refusals import ProblemCode
from schemas.shops import Shop
from services.notifier import rows
from services.notifier.letters import Letter, LinkMaker, Sender, letter_of
from services.notifier.letters.enclosed import Enclosed, enclosed, paper_for
from services.notifier.rules.labels import Room
from services.notifier.rules.people import person_row
from tests.printed import read_png, text_of_pdf
from tests.rules.paper_samples import IN_JAPAN, ISSUER, credit, payment
from texts.reasons import problem

SENDER = Sender(
    mail_from="letters@jointbuy.example",
    name="jointbuy",
    page_url="https://jointbuy.example",
    domain="jointbuy.example",
    postal_address="jointbuy e.V.|Am Markt 3|10115 Berlin|Germany",
)
AT = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
CLOSES_AT = datetime(2026, 3, 13, 17, 0, tzinfo=UTC)
GROUP_ID = derive("spring-oil")
AUCTION_ID = "spring-oil-auction"
#: Signs links.
SECRET = "secret-of-the-letters"
#: Letters about groups that are also there with the shop that sells.
OF_SHOP = (
    *("id-issued-organizer", "id-issued-member", "order-waits", "order-counted", "order-refused"),
    *("favor-given-by-shop", "favor-given-gift", "payment-failed-charge", "payment-failed-refund"),
    *("deadline-reminder", "group-message"),
)
#: Of another seller: what no letter may say.
SECRETS = ("seller-in-the-lead", "seller-before", "offer-in-the-lead", "offer-before")


@dataclass(frozen=True)
class FixedLinks:
    """Links that are the same at every run."""

    page_url: str = SENDER.page_url

    def unsubscribe(self, recipient_id: str, email: str, kind: str) -> str:
        return f"{self.page_url}/unsubscribe/token-of-{kind}"

    def confirm(self, auction_id: str, application_id: str, quantity: int) -> str:
        return f"{self.page_url}/confirm/token-of-{application_id}"

    def confirm_order(self, notice: Notice) -> str:
        return f"{self.page_url}/confirm-order/token-of-{notice.says.order_id}"

    def counter_offer(self, auction_id: str, seller_id: str) -> str:
        return f"{self.page_url}/counter-offer/token-of-{seller_id}"

    def payments(self, group_id: str, payer_id: str, order_id: str, person_id: str) -> str:
        return f"{self.page_url}/groups/{group_id}/payments/token-of-{payer_id}{order_id}"

    def organizer(self, group_id: str, party_id: str) -> str:
        return f"{self.page_url}/groups/{group_id}/manage/token-of-{party_id}"

    def payer(self, group_id: str, payer_id: str, person_id: str) -> str:
        return self.payments(group_id, payer_id, "", person_id)

    def order(self, group_id: str, member_id: str) -> str:
        return f"{self.page_url}/groups/{group_id}/order/token-of-{member_id}"

    def application(self, auction_id: str, application_id: str) -> str:
        return f"{self.page_url}/applications/token-of-{application_id}"

    def seller(self, seller_id: str, email: str) -> str:
        return f"{self.page_url}/seller/sign-in/token-of-{seller_id}"

    def data(self, person_id: str, email: str) -> str:
        return f"{self.page_url}/my-data/token-of-{person_id}"

    def buyer_number(self, group_id: str, party_id: str) -> str | None:
        return short_number(pseudonym(SECRET, group_id, party_id))

    def desk(self) -> str:
        return f"{self.page_url}/seller"

    def page(self, room: Room, about: str) -> str:
        return f"{self.page_url}/{room}/{about}"


class Sample(NamedTuple):
    """A notice, the person to whom its letter goes, who sells, and what was merged into it."""

    notice: Notice
    person: rows.Person
    of: Shop | Seller | None = None
    merged: tuple[Notice, ...] = ()

    def to(self, **person: Any) -> "Sample":
        """The same to a person who differs in that."""
        return self._replace(person=replace(self.person, **person))


@dataclass(frozen=True)
class Reader:
    """A party, and the person who gets its letters."""

    id: str
    person: Person


@dataclass(frozen=True)
class Place:
    """Whom letters in a language go to, and what they buy."""

    buyer: Reader
    seller: Reader
    product: Product
    currency: str
    price: int
    price_before: int
    step: int
    gift: str
    shop: Shop
    words: str
    others: tuple[Product, ...]


PLACES: dict[str, Place] = {
    "en": Place(
        buyer=Reader(
            id="ada",
            person=Person(
                person_id="corner-shop:ada",
                email="ada@buyers.example",
                name="Ada Lovelace",
                locale="en-GB",
                time_zone="Europe/London",
                seen_at=AT,
            ),
        ),
        seller=Reader(
            id="millers-oil",
            person=Person(
                person_id="seller:millers-oil",
                email="orders@millers-oil.example",
                name="Miller & Daughters",
                locale="en-GB",
                time_zone="Europe/London",
                seen_at=AT,
            ),
        ),
        product=Product(id="oil-5l", name="Olive oil, cold-pressed, 5 litre can"),
        currency="GBP",
        price=3450,
        price_before=3790,
        step=50,
        gift="A hand-made salt cellar",
        shop=Shop(
            shop_id="corner-shop",
            name="The Corner Shop",
            email="hello@corner-shop.example",
            phone="+44 20 7946 0000",
            url="https://corner-shop.example/",
            order_link="https://corner-shop.example/cart?add={product_id}&note={group_id}",
            logo="a1" * 32,
            postal_address="The Corner Shop Ltd\n1 High Street\nLondon E1 6AN",
            terms_url="https://corner-shop.example/terms",
            privacy_url="https://corner-shop.example/privacy",
            imprint_url="https://corner-shop.example/imprint",
            delivery="Sent within two days after the group ends. Free in the United Kingdom.",
            at=AT,
            version=1,
        ),
        words="Hello all,\n\nthe oil comes on Friday. Who can help to carry it?\n\nGrace",
        others=(Product(name="Sea salt, 1 kg bag"), Product(name="Wild thyme honey, 500 g jar")),
    ),
    "ja": Place(
        buyer=Reader(
            id="hanako",
            person=Person(
                person_id="corner-shop:hanako",
                email="hanako@buyers.example",
                name="田中 花子",
                locale="ja-JP",
                time_zone="Asia/Tokyo",
                seen_at=AT,
            ),
        ),
        seller=Reader(
            id="takahashi",
            person=Person(
                person_id="seller:takahashi",
                email="orders@takahashi.example",
                name="高橋商店",
                locale="ja-JP",
                time_zone="Asia/Tokyo",
                seen_at=AT,
            ),
        ),
        product=Product(id="oil-5l", name="有機エキストラバージン オリーブオイル 5 L 缶"),
        currency="JPY",
        price=6400,
        price_before=6980,
        step=100,
        gift="手作りの塩入れ",
        shop=Shop(
            shop_id="kado",
            name="角の店",
            email="hello@kado.example",
            phone="03-0000-0000",
            url="https://kado.example/",
            order_link="https://kado.example/cart?add={product_id}&note={group_id}",
            logo="b2" * 32,
            postal_address="角の店\n〒100-0001\n東京都千代田区千代田1-1",
            terms_url="https://kado.example/terms",
            privacy_url="https://kado.example/privacy",
            imprint_url="https://kado.example/imprint",
            delivery="共同購入の終了後、2日以内に発送します。送料は無料です。",
            at=AT,
            version=1,
        ),
        words="皆さん\n\nオイルは金曜日に届きます。運ぶのを手伝える方はいますか。\n\n鈴木",
        others=(Product(name="海の塩 1 kg"), Product(name="百花はちみつ 500 g")),
    ),
}


@cache
def samples(language: str) -> dict[str, Sample]:
    """Every letter there is, by the name of its golden file."""
    place = PLACES[language]
    return {
        **_of_groups(place),
        **_of_papers(place, language),
        **_of_auctions(place),
        **_of_several(place),
    }


def _sample(kind: LetterKind, reader: Reader, about: str, **says: Any) -> Sample:
    at = says.pop("at", AT)
    party = Party(id=reader.id, person_id=reader.person.person_id)
    (notice,) = notices(kind, party, about, at, **says)
    return Sample(notice, person_row(reader.person))


def _of_groups(place: Place) -> dict[str, Sample]:
    group: dict[str, Any] = {"group_id": GROUP_ID, "product": place.product}
    issued = {
        **group,
        "request_id": "spring-oil",
        "number_of_products": 100,
        "opens_at": AT,
        "closes_at": CLOSES_AT,
        "unit_price": place.price,
        "currency": place.currency,
    }
    order = {
        **group,
        "source": place.shop.shop_id,
        "order_id": "2026-0417",
        "quantity": 3,
    }
    counted = {
        **order,
        "value": 3 * place.price,
        "currency": place.currency,
        "closes_at": CLOSES_AT,
        "number_of_products": 100,
    }
    favor = {
        **group,
        "currency": place.currency,
        "quantity": 3,
        "value": 3 * place.price,
    }
    paid = {"payment_id": "pay-88", "currency": place.currency, "amount": 3 * place.price}
    reminded = {
        **group,
        "number_of_products": 100,
        "total_quantity": 62,
        "closes_at": CLOSES_AT,
        "unit_price": place.price,
        "currency": place.currency,
    }
    buyer = place.buyer

    def of_group(kind: LetterKind, **says: Any) -> Sample:
        return _sample(kind, buyer, GROUP_ID, **says)

    found = {
        "id-issued-organizer": of_group("id-issued", role="organizer", **issued),
        "id-issued-organizer-here": of_group(
            "id-issued", role="organizer", is_order_here=True, **issued
        ),
        "id-issued-member": of_group("id-issued", role="member", **issued),
        "confirm-order": of_group("confirm-order", confirm_by=AT + timedelta(hours=48), **counted),
        "order-waits": of_group("order-waits", method="card", **counted),
        "order-waits-at-shop": of_group("order-waits", method="shop", **counted),
        "order-counted": of_group(
            "order-counted",
            total_quantity=62,
            tier=Tier(from_quantity=50, percent_off=5),
            next_tier=Tier(from_quantity=150, percent_off=10),
            **counted,
        ),
        "order-counted-late": of_group(
            "order-counted", at=CLOSES_AT + timedelta(hours=5), total_quantity=104, **counted
        ),
        "order-refused": of_group("order-refused", reason="after-period", **order),
        "order-refused-return": of_group("order-refused", reason="exceeds-orders", **order),
        "favor-given": of_group(
            "favor-given",
            basis="complete",
            percent=10,
            amount=place.price * 3 // 10,
            method="card",
            payment_scope="member",
            **favor,
        ),
        "favor-given-by-shop": of_group(
            "favor-given",
            basis="elapsed",
            percent=10,
            amount=place.price * 3 // 10,
            method="shop",
            payment_scope="member",
            **favor,
        ),
        "favor-given-cancelled": of_group(
            "favor-given",
            basis="elapsed",
            percent=100,
            amount=place.price * 3,
            is_cancelled=True,
            method="card",
            payment_scope="member",
            **favor,
        ),
        "favor-given-none": of_group(
            "favor-given", basis="complete", amount=0, payment_scope="member", **favor
        ),
        "favor-given-gift": of_group(
            "favor-given", basis="elapsed", amount=0, gift=place.gift, **favor
        ),
        "favor-given-late": of_group(
            "favor-given", basis="late", amount=place.step * 3, payment_scope="group", **favor
        ),
        "favor-given-return": of_group(
            "favor-given", basis="return", amount=0, **favor | {"quantity": 0, "value": 0}
        ),
        **{
            f"payment-done-{kind}": of_group(
                "payment-done", payment_kind=kind, method=method, **paid
            )
            for method, kinds in (
                ("card", ("authorisation", "charge", "capture", "refund", "release")),
                ("invoice", ("invoice", "credit")),
            )
            for kind in kinds
        },
        "payment-done-code": of_group(
            "payment-done",
            payment_kind="refund",
            method="shop",
            code="JB-7KQ2-M4XA-3RTZ-PLWD",
            **paid,
        ),
        **{
            f"payment-failed-{name}": of_group(
                "payment-failed", payment_kind=kind, method=method, reason=reason, **paid
            )
            for name, kind, method, reason in (
                ("charge", "charge", "card", "card-declined"),
                ("dispute-lost", "charge", "card", "dispute-lost"),
                ("refund", "refund", "card", None),
                ("release", "release", "card", None),
                ("invoice", "invoice", "invoice", None),
            )
        },
        **{
            f"payment-failed-{kind}-organizer": of_group(
                "payment-failed", payment_kind=kind, method="card", role="organizer", **paid
            )
            for kind in ("charge", "refund", "release")
        },
        "deadline-reminder": of_group("deadline-reminder", **reminded),
        "group-message": of_group("group-message", words=place.words, **group),
        "links-again": _sample("links-again", buyer, buyer.id, links=_links(place)),
        "data-link": _sample("data-link", buyer, "data"),
    }
    return {**found, **{f"{name}-of-shop": found[name]._replace(of=place.shop) for name in OF_SHOP}}


def _links(place: Place) -> tuple[HeldLink, ...]:
    name, oil = place.buyer.id, place.product.name
    return (
        HeldLink(role="organizer", about=GROUP_ID, party_id=name, name=oil),
        HeldLink(role="member", about=GROUP_ID, party_id=name, name=oil),
        HeldLink(
            role="applicant", about=AUCTION_ID, party_id=name, name=place.others[0].name,
            application_id="application-7",
        ),
        HeldLink(role="seller", about="millers-oil", party_id="millers-oil", name="Miller"),
    )  # fmt: skip


def _of_papers(place: Place, language: str) -> dict[str, Sample]:
    """Letters that enclose a paper: of yen there is no girocode."""
    open_invoice = payment(currency="EUR" if language == "en" else "JPY", member_id=place.buyer.id)

    def of(fact: Payment, still_open: int, closes_at: datetime | None = None) -> Sample:
        return _sample(
            "payment-done",
            place.buyer,
            GROUP_ID,
            group_id=GROUP_ID,
            payment_id=fact.payment_id,
            payment_kind=fact.kind,
            method="invoice",
            amount=fact.amount,
            currency=fact.currency,
            request_id="spring-oil",
            product=place.product,
            closes_at=closes_at,
            billed=Billed(
                payment=fact,
                still_open=still_open,
                name_mark=name_mark("spring-oil", place.buyer.person.name or ""),
            ),
        )

    said = {"currency": open_invoice.currency, "member_id": place.buyer.id}
    return {
        "payment-done-invoice-open": of(open_invoice, 8_400, CLOSES_AT),
        "payment-done-invoice-in-part": of(open_invoice, 4_980),
        "payment-done-invoice-covered": of(payment(status="cancelled", **said), 0),
        "payment-done-credit-favor": of(credit(420, **said), 0),
    }


def _of_auctions(place: Place) -> dict[str, Sample]:
    shown = ShownOffer(
        offer_id="offer-in-the-lead",
        seller_id="seller-in-the-lead",
        unit_price=place.price,
        minimum_reservations=100,
    )
    before = ShownOffer(
        offer_id="offer-before",
        seller_id="seller-before",
        unit_price=place.price_before,
        minimum_reservations=120,
    )
    auction: dict[str, Any] = {"product": place.product, "currency": place.currency}
    running = {**auction, "closes_at": CLOSES_AT, "reservations": 87, "applicants": 31}
    ended = {**auction, "at": CLOSES_AT, "closes_at": CLOSES_AT, "shown": shown}
    offered = {
        **auction,
        "offer_id": "own-offer",
        "unit_price": place.price - 10,
        "minimum_reservations": 100,
        "shown": shown,
        "closes_at": CLOSES_AT,
    }

    def to_buyer(kind: LetterKind, **says: Any) -> Sample:
        return _sample(kind, place.buyer, AUCTION_ID, **says)

    def to_seller(kind: LetterKind, **says: Any) -> Sample:
        return _sample(kind, place.seller, AUCTION_ID, **says)

    concluded = {**ended, "reservations": 128, "applicants": 44, "request_id": "au-spring-oil"}
    failed = {**ended, "reservations": 62, "applicants": 21}
    return {
        "confirm-application": to_buyer(
            "confirm-application", application_id="application-7", quantity=3, shown=shown,
            closes_at=CLOSES_AT, **auction,
        ),
        "confirm-application-instead": to_buyer(
            "confirm-application", application_id="application-8", quantity=3,
            replaced_quantity=2, shown=shown, closes_at=CLOSES_AT, **auction,
        ),
        "application-refused": to_buyer(
            "application-refused", application_id="application-8", quantity=250, quantity_max=100,
            reason="over-applicant-limit", product=place.product,
        ),
        "application-refused-own": to_buyer(
            "application-refused", application_id="application-9", quantity=3,
            reason="own-auction", product=place.product,
        ),
        "condition-improved": to_buyer(
            "condition-improved", application_id="application-7", before=before, shown=shown,
            quantity=3, **running,
        ),
        "condition-improved-price": to_buyer(
            "condition-improved", shown=shown, quantity=3,
            before=before.model_copy(
                update={"minimum_reservations": 100, "seller_id": shown.seller_id}
            ),
            **running,
        ),
        "invitation": to_seller("invitation", shown=shown, minimum_step=place.step, **running),
        "right-intercepted": to_seller(
            "right-intercepted", offer_id="own-offer", before=before, unit_price=place.price,
            minimum_reservations=100, minimum_step=place.step, **running,
        ),
        "contract-concluded-applicant": to_buyer(
            "contract-concluded", role="applicant", quantity=3,
            seller_name=place.seller.person.name, **concluded,
        ),
        "contract-concluded-winner": to_seller("contract-concluded", role="winner", **concluded),
        "contract-concluded-seller": to_seller("contract-concluded", role="seller", **concluded),
        "contract-failed-applicant": to_buyer(
            "contract-failed", role="applicant", quantity=3, **failed
        ),
        "contract-failed-winner": to_seller("contract-failed", role="winner", **failed),
        "contract-failed-seller": to_seller("contract-failed", role="seller", **failed),
        "offer-judged-shown": to_seller(
            "offer-judged", verdict="shown", reason="better",
            **(offered | {"unit_price": place.price}),
        ),
        "offer-judged-not-better": to_seller(
            "offer-judged", verdict="not-better", reason="step-too-small", **offered
        ),
        "offer-judged-refused": to_seller(
            "offer-judged", verdict="refused", reason="impossible-terms",
            problems=(
                problem("unit_price", ProblemCode.OUT_OF_MONEY_RANGE, least=1, most=10**12),
                problem("closes_at", ProblemCode.TERM_ENDS_EARLY),
            ),
            **(offered | {"unit_price": 0}),
        ),
        **{
            f"seller-standing-{standing}": _sample(
                "seller-standing", place.seller, place.seller.id, standing=standing,
            )
            for standing in ("good", "suspended")
        },
        "offer-judged-withdrawal": to_seller(
            "offer-judged", verdict="refused", reason="has-applications",
            shown=shown, closes_at=CLOSES_AT, **auction,
        ),
    }  # fmt: skip


def _of_several(place: Place) -> dict[str, Sample]:
    """Letters that tell several notices."""
    found = _of_auctions(place)
    shown = found["condition-improved"].notice.says.shown
    assert shown is not None
    better = shown.model_copy(update={"unit_price": place.price - place.step})

    def again(notice: Notice, name: str, minutes: int, **says: Any) -> Notice:
        return notice.model_copy(
            update={
                "notice_id": f"{notice.notice_id}-{name}",
                "about": says.pop("about", notice.about),
                "at": notice.at + timedelta(minutes=minutes),
                "says": notice.says.model_copy(update=says),
            }
        )

    improved = found["condition-improved"]
    invited = found["invitation"]
    judged, missed = found["offer-judged-shown"], found["offer-judged-not-better"].notice
    seller = _seller(place)
    return {
        "condition-improved-twice": improved._replace(
            of=seller, merged=(again(improved.notice, "2", 3, before=shown, shown=better),)
        ),
        "contract-concluded-of-seller": found["contract-concluded-applicant"]._replace(of=seller),
        "invitations": invited._replace(
            merged=tuple(
                again(invited.notice, str(number), number, about=f"auction-{number}", product=each)
                for number, each in enumerate(place.others)
            )
        ),
        "offers-judged": judged._replace(merged=(again(missed, "2", 2, product=place.others[0]),)),
    }


def _streets_of(shop: Shop) -> list[str]:
    return (shop.postal_address or "").splitlines()[1:]


def _seller(place: Place) -> Seller:
    person = place.seller.person
    return Seller(
        seller_id=place.seller.id,
        name=person.name or "",
        email=person.email,
        postal_address="\n".join([person.name or "", *_streets_of(place.shop)]),
        delivery=place.shop.delivery,
        registered_at=AT,
        standing="good",
        standings=(StandingSince(standing="good", since=AT),),
        version=1,
    )


# --- letters as they are read --------------------------------------------------------------------


def composed(sample: Sample, links: LinkMaker | None = None) -> Letter:
    """A sample's letter."""
    notices = (sample.notice, *sample.merged)
    issuer = ISSUER if sample.notice.says.currency == "EUR" else IN_JAPAN
    paper = enclosure_of(sample, issuer)
    more = (sample.person, SENDER, links or FixedLinks(), sample.of, paper)
    return letter_of(sample.notice.notice_id, notices, *more)


def written(sample: Sample, links: LinkMaker | None = None) -> bytes:
    """The bytes of a sample's letter."""
    return bytes(composed(sample, links))


def enclosure_of(sample: Sample, issuer: Issuer) -> Enclosed | None:
    """The paper of a sample that tells of one."""
    paper = paper_for(sample.notice, sample.person, issuer, SECRET)
    return enclosed(sample.notice, issuer, pdf_of(paper)) if paper else None


def read(content: bytes) -> EmailMessage:
    """A letter parsed as strictly as Python can, by a policy that is not the writer's."""
    parsed = BytesParser(policy=SMTP.clone(raise_on_defect=True)).parsebytes(content)
    assert isinstance(parsed, EmailMessage)
    return parsed


def has_address(header: Address, address: str) -> bool:
    """Whether a parsed header has this address.

    Its quotes are not compared, as Python drops those around ``a..b``; the text before the @ is.
    Python reads UTF-8 in a header as undecoded bytes.
    """
    local, _, domain = address.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    username = header.username.encode("utf-8", "surrogateescape").decode()
    return (username, header.domain) == (local, domain)


@lru_cache(maxsize=16)
def parts(message: EmailMessage) -> dict[str, str]:
    """The decoded texts of a letter by content type."""
    found = [each for each in message.walk() if each.get_content_maintype() == "text"]
    contents = {each.get_content_type(): each.get_content() for each in found}
    assert len(contents) == len(found), "two parts of one type"
    return {name: content.replace("\r\n", "\n") for name, content in contents.items()}


def enclosures(message: EmailMessage) -> list[EmailMessage]:
    """The pictures and papers of a letter."""
    return [
        each
        for each in message.walk()
        if isinstance(each, EmailMessage)
        and each.get_content_maintype() not in ("text", "multipart")
    ]


def golden(message: EmailMessage) -> str:
    """A letter in a form that reads well in a diff: decoded, and without the inlined styles."""
    html = parts(message)["text/html"]
    plain_html = re.sub(r' style="[^"]*"|<style>.*?</style>', "", html, flags=re.S)
    content = {
        "headers": "".join(
            f"{name}: {value}\n"
            for name, value in message.items()
            if not name.startswith(("Content-Type", "MIME"))
        ),
        "text": parts(message)["text/plain"],
        "html": plain_html,
        "deadline.ics": parts(message).get("text/calendar"),
        "files": "".join(map(_file, enclosures(message))) or None,
    }
    return "\n".join(
        f"=== {name}\n{text.strip()}\n" for name, text in content.items() if text is not None
    )


def _file(part: EmailMessage) -> str:
    """What a file is called, how it is shown, and a hash of what it says.

    Its bytes depend on the build of zlib.
    """
    content = part.get_content()
    read_it = read_png if part.get_content_maintype() == "image" else text_of_pdf
    digest = sha256("\n".join(read_it(content)).encode()).hexdigest()
    said = (part.get_content_type(), part["Content-Disposition"], part["Content-ID"], digest)
    return "\n".join(str(each) for each in said if each) + "\n"
