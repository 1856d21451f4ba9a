"""Every mail setting of the notifier, read from the environment in one place."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from runtime.private_files import is_this_machine
from runtime.settings import WithSecrets
from services.notifier.edge.timeouts import Timeouts


class MailSettingsError(ValueError):
    """Mail cannot be sent as set; the message is one line that says what to do."""


class MailSettings(WithSecrets):
    """Settings of the mail server, the sender, links and signatures."""

    smtp_host: str = Field(
        "", description="If empty, no letter is sent; all are kept until it is set."
    )
    smtp_port: int = Field(1025, ge=1, le=65_535, description="The mail server's port.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "none", description="With starttls no letter is ever sent unencrypted. tls is for port 465."
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="PEM file of the authority that signed the server's certificate. The system's"
        " authorities are trusted as well.",
    )
    smtp_username: str = Field("", description="If empty, there is no login.")
    smtp_password: SecretStr = Field(SecretStr(""), description="The password of SMTP_USERNAME.")
    smtp_helo_name: str = Field(
        "",
        pattern=r"^[!-~]*$",
        description="The client's name in EHLO. If empty, the machine's name.",
    )
    smtp_connections: int = Field(8, ge=1, description="Most open connections, in each process.")
    smtp_messages_per_second: float = Field(
        0.0, ge=0, description="Most letters begun in a second, in each process. 0: no limit."
    )
    smtp_timeout_factor: float = Field(
        1.0,
        gt=0,
        le=10,
        description="Multiplies the time-outs for the mail server: RFC 5321 has 5 minutes for most"
        " steps and 10 after the content. Use less than 1 only in tests: a letter that the"
        " server accepts after the time-out is delivered twice.",
    )
    smtp_messages_per_connection: int = Field(
        100, ge=1, description="Letters before QUIT and a new connection. Many servers require it."
    )
    mail_from: str = Field("jointbuy@localhost", description="The sender's address.")
    mail_from_name: str = Field("jointbuy", description="The sender's name.")
    mail_postal_address: str = Field(
        "",
        description="The sender's postal address, which many countries require in letters. It is"
        " at the end of each letter; lines are separated by line breaks or `|`.",
    )
    merge_minutes: float = Field(
        5.0,
        ge=0,
        le=60,
        description="How long better offers, invitations and results of offers wait for others to"
        " the same person, to be one letter. At most half of the time until the auction closes."
        " 0: each is sent at once.",
    )
    page_url: str = Field(
        "http://127.0.0.1:8080", description="The address that links in letters begin with."
    )
    link_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs links. Each process that makes or reads links needs the same secret, and"
        " does not start without it.",
    )
    invoice_issuer_file: Path | None = Field(
        None,
        description="The issuer of invoices, as TOML, the same as the storefront's. Letters about"
        " invoices and credit notes then have them as PDF. If empty, they say where to find them.",
    )
    dkim_domain: str = Field(
        "",
        description="The domain that signs letters. Needs DKIM_SELECTOR and DKIM_KEY_FILE. If all"
        " three are empty, letters are not signed.",
    )
    dkim_selector: str = Field("", description="The name of the key in the domain's DNS.")
    dkim_key_file: Path | None = Field(None, description="An RSA private key as PEM.")

    @property
    def timeouts(self) -> Timeouts:
        """How long each step of a dialogue may take."""
        return Timeouts().times(self.smtp_timeout_factor)

    @model_validator(mode="after")
    def _keeps_the_password_secret(self) -> Self:
        is_far = bool(self.smtp_host) and not is_this_machine(self.smtp_host)
        if self.smtp_username and self.smtp_tls == "none" and is_far:
            raise ValueError(
                f"SMTP_USERNAME: the password would go to {self.smtp_host} unencrypted: set"
                " SMTP_TLS to starttls or tls"
            )
        return self
