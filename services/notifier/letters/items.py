"""The list in a letter that tells several things: a person's links, or the notices of a digest."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.letters import HeldLink, Notice
from services.notifier.letters import layout
from services.notifier.letters.figures import Figures
from services.notifier.letters.sender import LinkMaker
from services.notifier.rules import facts, labels
from services.notifier.rules.facts import Row
from services.notifier.rules.headers import ID_MAX, clean, unverified
from texts.catalogue import texts


class Item(NamedTuple):
    """A heading, a sentence or nothing, figures, and a link with its words."""

    title: str
    text: str
    rows: Sequence[Row]
    label: str
    url: str


def held(notice: Notice, email: str, links: LinkMaker, language: str) -> list[Item]:
    """The links that a person asked for again."""
    gettext = texts(language).gettext
    listed = []
    for link in notice.says.links:
        role, label = labels.HELD[link.role]
        title = unverified(link.name) or clean(link.about, ID_MAX)
        url = _url(link, notice.recipient_id, email, links)
        listed.append(Item(title, gettext(role), (), gettext(label), url))
    return listed


def _url(link: HeldLink, person_id: str, email: str, links: LinkMaker) -> str:
    match link.role:
        case "organizer":
            return links.organizer(link.about, link.party_id)
        case "payer":
            return links.payer(link.about, link.party_id, person_id)
        case "member":
            return links.order(link.about, link.party_id)
        case "seller":
            return links.seller(link.party_id, email)
        case "applicant":
            if link.application_id is None:
                return links.page("auctions", link.about)
            return links.application(link.about, link.application_id)


def digest(
    notices: Sequence[Notice], figures: Figures, url_of: Callable[[Notice], str]
) -> list[Item]:
    """What each notice of a digest tells in a few lines, and where its button leads."""
    listed = []
    for notice in notices:
        known = facts.values(notice, "", figures)
        said = layout.sentences(notice.kind, figures.language, known)
        product = known["product"]
        tiles, below = facts.rows(notice, known, figures.language)
        rows = [row for row in (*tiles, *below) if row.value != product]
        text = ""
        if notice.kind == "offer-judged":
            label = labels.LABELS["result"]
            rows.insert(0, Row(texts(figures.language).gettext(label), said["badge"]))
            text = known["reason"]
        listed.append(Item(product, text, rows, said["action"], url_of(notice)))
    return listed
