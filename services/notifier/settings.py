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
    """Environment variables, upper-case: ``SMTP_HOST``, ``MAIL_FROM``, ``PAGE_URL``, …"""

    smtp_host: str = Field(
        "", description="If empty, no letter is sent; all are kept until it is set."
    )
    smtp_port: int = Field(1025, ge=1, le=65_535)
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "none", description="starttls is never given up for plain text; tls is for port 465."
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="PEM file of authorities for the server's certificate, beside the system's.",
    )
    smtp_username: str = Field("", description="Empty: no login.")
    smtp_password: SecretStr = SecretStr("")
    smtp_helo_name: str = Field(
        "",
        pattern=r"^[!-~]*$",
        description="The client's name in EHLO; empty: the machine's name.",
    )
    smtp_connections: int = Field(8, ge=1, description="Open at once, in each process.")
    smtp_messages_per_second: float = Field(
        0.0, ge=0, description="At most so many begun, in each process; 0: no limit."
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
        100, ge=1, description="Then QUIT and a new connection; many servers ask for that."
    )
    mail_from: str = Field("jointbuy@localhost", description="The address letters come from.")
    mail_from_name: str = "jointbuy"
    page_url: str = Field("http://127.0.0.1:8080", description="Where links in letters lead.")
    link_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs links; the same for every process that reads them, so there is no "
        "default. Whoever makes or reads links refuses to start without it.",
    )
    dkim_domain: str = Field(
        "", description="With DKIM_SELECTOR and DKIM_KEY_FILE; all empty: letters are not signed."
    )
    dkim_selector: str = ""
    dkim_key_file: Path | None = Field(None, description="An RSA private key in PEM form.")

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
