"""Every setting of payments by card, read from the environment in one place."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from runtime.private_files import goes_in_clear
from runtime.settings import WithSecrets
from runtime.web_settings import WebSettings


class CardSettings(WithSecrets):
    """Environment variables, upper-case: ``STRIPE_API_KEY``, ``PAGE_URL``, …"""

    stripe_api_key: SecretStr = Field(
        SecretStr(""), description="Empty: payments by card wait, all others go on."
    )
    stripe_api_url: str = Field("", description="Empty: Stripe's own; another for tests.")
    stripe_timeout_seconds: float = Field(30.0, gt=0)
    stripe_connections: int = Field(16, ge=1, description="Requests at once, in each process.")
    page_url: str = Field("http://127.0.0.1:8080", description="Where payers come back to.")

    @model_validator(mode="after")
    def _keeps_the_key_secret(self) -> Self:
        if self.stripe_api_url and goes_in_clear(self.stripe_api_url):
            raise ValueError("STRIPE_API_URL: must be https, as every request sends the key")
        return self


class WebhookSettings(WebSettings):
    """Settings of the webhook process; those of Kafka are the runtime's."""

    stripe_webhook_secrets: SecretStr = Field(
        SecretStr(""), description="One, or two between commas while they are changed."
    )
    web_port: int = Field(8082, ge=1, le=65_535)
