"""Where members order: a shop's template of an address, with the ids of a group and a product."""

from urllib.parse import quote

#: What a template has where the ids go.
GROUP_ID = "{group_id}"
PRODUCT_ID = "{product_id}"


def filled(template: str, group_id: str, product_id: str | None) -> str | None:
    """The link of a group's product, the ids percent-encoded.

    ``None`` if the template asks for a product's id and there is none. Each place is filled once:
    an id that looks like a place is not filled again.
    """
    if product_id is None and PRODUCT_ID in template:
        return None
    parts = template.split(GROUP_ID)
    product = quote(product_id or "", safe="")
    return quote(group_id, safe="").join(part.replace(PRODUCT_ID, product) for part in parts)
