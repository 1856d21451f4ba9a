"""How a letter presents who sells and who sends: names, logo, contact, addresses, terms."""

from typing import Any

from schemas.auctions import Seller
from schemas.shops import Shop
from services.notifier.letters.sender import Sender
from services.notifier.rules import businesses
from texts.catalogue import texts

#: Of a seller's name in the header From, in characters, so that the site's name is seen too.
HEADING_MAX = 60


def presented(of: Shop | Seller | None, sender: Sender, language: str) -> dict[str, Any]:
    """What the layout shows of a business and of the sender.

    ``heading`` is also the name in the header From: it never has what could make it look like an
    address. ``logo`` is an image on the public pages, else ``None``.
    """
    catalogue = texts(language)
    between = catalogue.pgettext("between the lines of a postal address", ", ")
    lines = businesses.address_lines(sender.postal_address.replace("|", "\n"))
    own = {"postal_address": between.join(lines)}
    if of is None:
        return {**own, "heading": sender.name, "logo": None, "seller_lines": (), "legal": ()}
    name = businesses.name_of(of)
    gettext = catalogue.gettext
    contact = catalogue.pgettext("between two ways to reach somebody", ", ").join(
        filter(None, (businesses.email_of(of), businesses.phone_of(of)))
    )
    lines = [
        gettext("Sold by {seller}").format(seller=name),
        between.join(businesses.address_lines(of.postal_address)),
        contact,
    ]
    legal = (
        (gettext("Terms of sale"), of.terms_url),
        (gettext("Privacy notice"), of.privacy_url),
        (gettext("Legal notice"), of.imprint_url),
    )
    logo = None
    if of.logo is not None and sender.shows_images:
        alt = gettext("Logo of {seller}").format(seller=name)
        logo = {"url": f"{sender.page_url}/images/{of.logo}", "alt": alt}
    return {
        **own,
        "heading": _heading(name, sender.name, language),
        "logo": logo,
        "seller_lines": [line for line in lines if line],
        "legal": [{"label": label, "url": url} for label, url in legal if url],
    }


def _heading(name: str, site: str, language: str) -> str:
    """``Acme Coffee via jointbuy``; without quotes and brackets, so no part reads as an address."""
    said = " ".join("".join(" " if each in _SYNTAX else each for each in name).split())
    if len(said) > HEADING_MAX:
        said = f"{said[: HEADING_MAX - 1].rstrip()}…"
    if not said or not site or said == site:
        return said or site
    return texts(language).gettext("{seller} via {site}").format(seller=said, site=site)


#: What names and addresses are told apart by in a header (RFC 5322), also in its wide form.
_NARROW_SYNTAX = '<>@"\\,;:()[]'
_SYNTAX = frozenset(_NARROW_SYNTAX) | {chr(ord(each) + 0xFEE0) for each in _NARROW_SYNTAX}
