"""What is sold, by whom and where: what the pages of groups, auctions and shops have in common."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request
from markupsafe import Markup

from domain.order_links import filled
from domain.web_addresses import host_of
from schemas.api.groups import GroupView
from schemas.api.sellers import SellerProfile
from schemas.api.shops import ShopView
from schemas.parts import Product
from services.storefront.access.callers import Actor
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import shop_path
from services.storefront.problems import Refusal
from services.storefront.readmodel.details import business_of
from services.storefront.rules.rows import ImageRow
from services.storefront.wares.markdown import html_of
from services.storefront.web.shop import shop_of


@dataclass(frozen=True, slots=True)
class SoldBy:
    """A shop or seller as its pages show it. ``path`` is a shop's own page here."""

    said: ShopView | SellerProfile
    logo: ImageRow | None
    path: str | None

    @property
    def name(self) -> str:
        """Its name."""
        return self.said.name

    @property
    def host(self) -> str:
        """The host of its website; empty without one."""
        return host_of(self.said.url) if self.said.url else ""


@dataclass(frozen=True, slots=True)
class Wares:
    """A product on its page, and who sells it.

    ``images`` are those that are stored. ``description`` is HTML. ``page`` is the product's page in
    the shop, for a product that a shop or a seller answers for; others' texts never become links.
    """

    product: Product
    images: Sequence[ImageRow]
    description: Markup | None
    page: str | None
    sold_by: SoldBy | None


@dataclass(frozen=True, slots=True)
class WhereToOrder:
    """Where buyers order who pay at the shop; ``has_id``: the link takes the ID along."""

    href: str
    host: str
    has_id: bool


async def wares(
    request: Request, product: Product, shop_id: str | None, seller_id: str | None
) -> Wares:
    """A product for its page."""
    reader = shop_of(request).reader
    said = await business_of(reader, shop_id, seller_id)
    logo = said.logo if said else None
    sizes = await reader.image_sizes([*product.images, logo])
    is_answered_for = shop_id is not None or seller_id is not None
    text = product.description
    return Wares(
        product=product,
        images=[sizes[each] for each in product.images if each in sizes],
        description=Markup(html_of(text, links=is_answered_for)) if text else None,
        page=product.url if is_answered_for else None,
        sold_by=_sold_by(said, sizes),
    )


def _sold_by(said: ShopView | SellerProfile | None, sizes: Mapping[str, ImageRow]) -> SoldBy | None:
    if said is None:
        return None
    path = shop_path(said.shop_id) if isinstance(said, ShopView) else None
    return SoldBy(said, sizes.get(said.logo or ""), path)


async def sold_by(request: Request, said: ShopView | SellerProfile) -> SoldBy | None:
    """A shop or a seller for a page."""
    return _sold_by(said, await shop_of(request).reader.image_sizes([said.logo]))


async def logo_of(request: Request, form: Form) -> ImageRow | None:
    """The stored logo that a form has."""
    return next(iter(await stored_in(request, form, "logo")), None)


def where_to_order(group: GroupView, about: Wares) -> WhereToOrder | None:
    """Where buyers who pay at the shop order: its order link, else the product's page there.

    ``None`` if orders are made and paid here: one that is made at the shop would not be paid by
    the group's method.
    """
    if group.takes_orders_here:
        return None
    template = about.sold_by.said.order_link if about.sold_by else None
    link = filled(template, group.group_id, group.product.id) if template else None
    if link is not None:
        return WhereToOrder(link, host_of(link), has_id=True)
    if about.page is not None:
        return WhereToOrder(about.page, host_of(about.page), has_id=False)
    return None


async def product_fields(
    request: Request, actor: Actor, form: Form, files: Sequence[bytes]
) -> dict[str, object]:
    """The product that a form describes; its pictures are stored."""
    said = {name: form.text(name, required=False) for name in ("description", "url", "category")}
    fields: dict[str, object] = {"name": form.text("product")}
    fields |= {name: each for name, each in said.items() if each}
    commas = r"[,\u3001\uff0c]"
    if tags := [each.strip() for each in re.split(commas, form.values.get("tags", ""))]:
        fields["tags"] = [each for each in tags if each]
    if images := await with_stored(request, actor, form, "images", files):
        fields["images"] = images
    return fields


async def stored_in(request: Request, form: Form, name: str = "images") -> list[ImageRow]:
    """The stored pictures that a form has."""
    ids = form.values.get(name, "").split()
    sizes = await shop_of(request).reader.image_sizes(ids)
    return [sizes[each] for each in ids if each in sizes]


async def with_stored(
    request: Request, actor: Actor, form: Form, name: str, files: Sequence[bytes]
) -> list[str]:
    """The images that a form has: those stored before, and its files, which are stored now.

    The form keeps their ids, so that files need not be sent again after a mistake in a field.
    """
    found = [each for each in form.values.get(name, "").split() if not form.is_ticked(f"no-{each}")]
    for file in files:
        try:
            stored = await shop_of(request).commands.images.store(actor, file)
        except Refusal as refusal:
            form.problems.setdefault(name, form.visit.refused(refusal))
        else:
            found.append(stored.picture.image_id)
    kept = list(dict.fromkeys(found))
    form.values[name] = " ".join(kept)
    return kept
