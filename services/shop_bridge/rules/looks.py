"""What a shop's answer to the doctor means: whether the key is of this shop, and may do enough."""

from typing import Literal, NamedTuple

from domain.findings import Finding

#: What a Shopify token needs, by how favors are given.
_SCOPES = {"refund": {"write_orders"}, "code": {"write_orders", "write_discounts"}}


class Look(NamedTuple):
    """What a shop says about itself; ``domain`` and ``scopes`` if it says them."""

    domain: str = ""
    scopes: frozenset[str] | None = None


def judged(
    name: str, look: Look, domain: str | None, favors: Literal["refund", "code"] | None
) -> Finding:
    """Whether the shop that answers is the one meant, and its key may do what favors need."""
    if domain and look.domain and look.domain.lower() != domain.lower():
        said = f"the key is of {look.domain}, not of {domain}"
        return Finding("shops", name, "fail", said, "Correct its domain or its key in SHOPS.")
    missing = _SCOPES.get(favors or "", set()) - (look.scopes or set())
    if look.scopes is not None and missing:
        said = f"the token lacks {', '.join(sorted(missing))}"
        remedy = "Add the scopes to the app in Shopify's admin, and install it again."
        return Finding("shops", name, "fail", said, remedy)
    return Finding("shops", name, "ok", "its key is taken")
