"""The shops that are bridged, and every setting of the bridge, read in one place.

A shop is one entry of a JSON list, in ``SHOPS`` or in the file ``SHOPS_FILE``::

    [{"name": "greenhouse", "kind": "shopify", "secrets": ["…"], "domain": "x.myshopify.com",
      "admin": {"token": "shpat_…"}, "favors": "refund"},
     {"name": "kiosk", "kind": "woocommerce", "secrets": ["…"], "favors": "code",
      "rest": {"url": "https://kiosk.example", "key": "ck_…", "secret": "cs_…"}},
     {"name": "till", "kind": "standard", "secrets": ["whsec_…"]},
     {"name": "erp", "kind": "outbox", "topic": "outbox.event.order"}]
"""

import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from domain.sources import is_reserved
from runtime.private_files import goes_in_clear
from runtime.settings import WithSecrets
from services.shop_bridge.edge.signatures import standard_verifier
from services.shop_bridge.rules.translations.goods import Reading

Secret = Annotated[SecretStr, Field(min_length=8)]


class ShopsError(ValueError):
    """The shops can't be read; the text says where, and never what."""


class RestApi(BaseModel):
    """A WooCommerce shop's REST API: polls find there what webhooks lost; favors go there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    key: SecretStr
    secret: SecretStr

    @model_validator(mode="after")
    def _keeps_keys_secret(self) -> Self:
        _must_be_private(self.url)
        return self


class AdminApi(BaseModel):
    """A Shopify shop's GraphQL Admin API, where favors go; ``url`` is the domain's if not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: Secret
    version: Annotated[str, StringConstraints(pattern=r"^20\d\d-(01|04|07|10)$")] = "2026-04"
    url: str | None = None

    @model_validator(mode="after")
    def _keeps_the_token_secret(self) -> Self:
        if self.url is not None:
            _must_be_private(self.url)
        return self


def _must_be_private(url: str) -> None:
    if goes_in_clear(url):
        raise ValueError("url must be https: the keys go with every request")


class Shop(BaseModel):
    """A shop; ``name`` is the ``source`` of its orders: its id, or ``<id>.<till>``.

    Both secrets are accepted while one is being replaced.

    ``favors`` are given back there as refunds, or as codes for the next order; without it, what
    payments instruct is left to the shop.

    ``domain`` must be the shop that a signed webhook names: for Shopify
    ``x.myshopify.com``, for WooCommerce the host of the site, with its path if it has one.
    ``products`` and ``test_orders`` are explained at ``goods.Reading``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # With a colon and a shop's own id of 40 characters it has to fit an id of ours.
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,22}$")]
    kind: Literal["shopify", "woocommerce", "standard", "outbox"]
    secrets: Annotated[tuple[Secret, ...], Field(max_length=4)] = ()
    domain: str | None = None
    rest: RestApi | None = None
    admin: AdminApi | None = None
    favors: Literal["refund", "code"] | None = None
    topic: str | None = None
    products: Literal["compare", "strictly", "all"] | None = None
    test_orders: bool | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if is_reserved(self.name):
            raise ValueError("name: storefront and admin are our own sources: choose the shop's id")
        if (self.kind == "outbox") == bool(self.secrets):
            raise ValueError("secrets: an outbox has none, every other shop at least one")
        if (self.kind == "outbox") != bool(self.topic):
            raise ValueError("topic: an outbox is on one, no other shop is")
        if self.rest and self.kind != "woocommerce":
            raise ValueError("rest: only WooCommerce is polled")
        is_platform = self.kind in ("shopify", "woocommerce")
        if self.domain and not is_platform:
            raise ValueError("domain: only for Shopify and WooCommerce")
        if (self.products is not None or self.test_orders is not None) and not is_platform:
            raise ValueError("products, test_orders: only for Shopify and WooCommerce")
        self._can_be_asked()
        if self.kind == "standard":
            for secret in self.secrets:
                standard_verifier(secret.get_secret_value())
        return self

    def _can_be_asked(self) -> None:
        """Raises ``ValueError`` if it is said to be asked, but not how."""
        if self.admin and self.kind != "shopify":
            raise ValueError("admin: only Shopify has it")
        if self.admin and not (self.domain or self.admin.url):
            raise ValueError("admin: needs the shop's domain")
        if self.favors and not (self.admin or self.rest):
            raise ValueError("favors: needs admin (Shopify) or rest (WooCommerce)")

    def reading(self) -> Reading:
        """How its orders are read."""
        return Reading(self.products or "compare", bool(self.test_orders))

    def plain_secrets(self) -> tuple[str, ...]:
        """The secrets, to verify with."""
        return tuple(secret.get_secret_value() for secret in self.secrets)


class BridgeSettings(WithSecrets):
    """Settings of shops, polls and webhooks."""

    web_host: str = Field("127.0.0.1", description="The public address of the webhook server.")
    web_port: int = Field(8081, ge=1, le=65_535, description="Its public port.")
    shops: SecretStr = Field(SecretStr("[]"), description="JSON list of shops: docs/shops.md.")
    webhook_bytes_max: int = Field(2_000_000, ge=1_000, description="A larger body gets 413.")
    webhooks_at_once: int = Field(200, ge=1, description="Most webhooks at once; more get 503.")
    acknowledge_seconds: float = Field(
        3.5, gt=0, description="How long Kafka may take; then 503. Shopify waits five seconds."
    )
    poll_seconds: float = Field(60.0, gt=0, description="Time between two polls of a shop.")
    shop_timeout_seconds: float = Field(
        60.0, gt=0, description="How long a shop may take to answer when it is asked to pay back."
    )
    poll_back_days: float = Field(
        7.0, gt=0, description="How far the first poll of a shop looks back."
    )


_SHOPS = TypeAdapter(tuple[Shop, ...])


def read_shops(settings: BridgeSettings) -> Sequence[Shop]:
    """The shops in the list. Raises ``ShopsError``, which quotes nothing from the list."""
    shops = _read(settings.shops.get_secret_value())
    names = [shop.name for shop in shops]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ShopsError(f"two shops are named {twice}")
    return shops


def _read(text: str) -> tuple[Shop, ...]:
    try:
        return _SHOPS.validate_python(json.loads(text))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in found
        )
        raise ShopsError(f"SHOPS: {problems}") from None
    except ValueError:
        raise ShopsError("SHOPS is not JSON") from None
