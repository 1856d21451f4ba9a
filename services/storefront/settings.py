"""Every setting of the storefront, read from the environment in one place."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from runtime.settings import WithSecrets
from runtime.web_settings import WebSettings

ADMIN_KEY_CHARACTERS_MIN = 16


class ModelSettings(WithSecrets):
    """Settings of the read model."""

    database_url: SecretStr = Field(
        SecretStr(""),
        description="sqlite:///FILE or postgresql://…. If empty, storefront.db in STATE_DIR. Each"
        " read model is a schema there, or a file beside that of SQLite.",
    )
    state_dir: Path = Field(Path(".jointbuy/state"), description="Folder of local files.")

    @property
    def database(self) -> str:
        """The URL of the read model's database; may hold a password."""
        default = f"sqlite:///{self.state_dir.absolute() / 'storefront.db'}"
        return self.database_url.get_secret_value() or default


class PageSettings(ModelSettings, WebSettings):
    """Settings of the pages and the HTTP API."""

    page_url: str = Field(
        "", description="The address of the pages. If empty, the address in the request."
    )
    link_secret: SecretStr = Field(
        SecretStr(""), description="Signs links; the same as the notifier's. There is no default."
    )
    admin_key: SecretStr = Field(
        SecretStr(""),
        description="The admin's key, at least 16 characters. If empty, there is no admin.",
    )
    sellers_approved: Literal["by-admin", "automatic"] = Field(
        "by-admin", description="automatic: sellers may offer as soon as they are registered."
    )
    trust_orders: Literal["yes", "no"] = Field(
        "no",
        description="yes: your front end has checked the mailboxes of people who order by a link,"
        " so their orders count without a letter.",
    )
    reads_per_minute: int = Field(600, ge=1, description="For each client address.")
    images_per_minute: int = Field(
        6_000, ge=1, description="Pictures of products, for each client address."
    )
    image_bytes_per_hour: int = Field(
        200_000_000, ge=1, description="Bytes of pictures stored by each shop, seller or admin."
    )
    writes_per_minute: int = Field(120, ge=1, description="For each client address.")
    writes_per_minute_of_key: int = Field(6_000, ge=1, description="For each API key.")
    requests_per_hour: int = Field(
        60, ge=1, description="Group purchases asked for without a key, for each client address."
    )
    registrations_per_hour: int = Field(10, ge=1, description="Sellers, for each client address.")
    sign_ins_per_hour: int = Field(
        60, ge=1, description="Tries to sign in with a key, for each client address."
    )
    offers_per_hour: int = Field(
        60, ge=1, description="For each seller: offers in one auction, and auctions opened."
    )
    letters_per_hour: int = Field(
        120, ge=1, description="For each client address, without a shop's or the admin's key."
    )
    letters_to_one_per_hour: int = Field(
        20, ge=1, description="For each recipient, without a shop's or the admin's key."
    )
    letters_of_strangers_per_hour: int = Field(
        10_000, ge=1, description="For all clients together, without a shop's or the admin's key."
    )
    messages_of_group_per_day: int = Field(
        3, ge=1, description="Messages to all members of a group, for each group."
    )
    rates_url: SecretStr = Field(
        SecretStr(""),
        description="redis://host:port: all web processes count together. If empty, each alone.",
    )
    members_listed_by_anyone: int = Field(
        100, ge=0, description="Most members listed in a request without a key. Each gets a letter."
    )
    invoice_issuer_file: Path | None = Field(
        None, description="The issuer of invoices, as TOML. If empty, invoices have no documents."
    )
    card_fonts: str = Field(
        "",
        description="Font files for the pictures beside links, separated by commas. The first that"
        " has a character draws it. If empty, the machine's fonts, such as Noto Sans CJK.",
    )
    paid_back_at: str = Field(
        "",
        description='Ids of the shops whose entry in SHOPS has "favors", separated by commas.'
        " shop_bridge pays back there, so a pending payment becomes a task only after three days.",
    )
    answer_seconds: float = Field(
        2.0, ge=0, description="How long a command may take before the answer is 202."
    )
    streams_per_address: int = Field(
        200, ge=1, description="Most open streams of changes, for each client address."
    )
    streams: int = Field(
        10_000, ge=1, description="Most open streams of changes, for all clients together."
    )

    @property
    def shops_paid_back(self) -> frozenset[str]:
        """The ids in ``paid_back_at``."""
        return frozenset(filter(None, map(str.strip, self.paid_back_at.split(","))))

    @property
    def card_font_files(self) -> tuple[str, ...]:
        """The files in ``card_fonts``."""
        return tuple(filter(None, map(str.strip, self.card_fonts.split(","))))

    @field_validator("admin_key")
    @classmethod
    def _is_hard_to_guess(cls, given: SecretStr) -> SecretStr:
        if 0 < len(given.get_secret_value()) < ADMIN_KEY_CHARACTERS_MIN:
            raise ValueError(f"is shorter than {ADMIN_KEY_CHARACTERS_MIN} characters")
        return given
