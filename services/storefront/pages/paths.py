"""Where pages are: as other pages link to them, on whatever host they are read."""

from urllib.parse import quote, urlsplit

from fastapi import Request


def auction_path(auction_id: str) -> str:
    """An auction's page."""
    return f"/auctions/{quote(auction_id, safe='')}"


def group_path(group_id: str) -> str:
    """A group purchase's page."""
    return f"/groups/{quote(group_id, safe='')}"


def shop_path(shop_id: str) -> str:
    """A shop's page."""
    return f"/shops/{quote(shop_id, safe='')}"


def payments_path(group_id: str, token: str) -> str:
    """A payer's payments in a group."""
    return f"{group_path(group_id)}/payments/{quote(token, safe='')}"


def desk_path(auction_id: str) -> str:
    """An auction on a seller's desk."""
    return f"/seller/auctions/{quote(auction_id, safe='')}"


def admin_path(area: str, id_: str) -> str:
    """A page of one thing among the admin's pages."""
    return f"/admin/{area}/{quote(id_, safe='')}"


def path_of(link: str) -> str:
    """A link of ours without its host: a form is only sent on to where it came from."""
    return urlsplit(link).path


def absolute(request: Request, link: str) -> str:
    """A link of ours to be given to others."""
    return link if urlsplit(link).netloc else str(request.base_url).rstrip("/") + link
