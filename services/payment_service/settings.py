"""Every setting of payments by card, read from the environment in one place."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from runtime.private_files import goes_in_clear
from runtime.settings import WithSecrets
from runtime.web_settings import WebSettings


class CardSettings(WithSecrets):
    """Settings of payments by card."""

    stripe_api_key: SecretStr = Field(
        SecretStr(""), description="If empty, payments by card wait and all others go on."
    )
    stripe_api_url: str = Field(
        "", description="If empty, Stripe's address. Tests use another server."
    )
    stripe_timeout_seconds: float = Field(
        30.0, gt=0, description="How long Stripe may take to answer."
    )
    stripe_connections: int = Field(16, ge=1, description="Most requests at once, in each process.")
    page_url: str = Field(
        "http://127.0.0.1:8080", description="The address that payers come back to."
    )

    @model_validator(mode="after")
    def _keeps_the_key_secret(self) -> Self:
        if self.stripe_api_url and goes_in_clear(self.stripe_api_url):
            raise ValueError("STRIPE_API_URL: must be https, as every request sends the key")
        return self


class WebhookSettings(WebSettings):
    """Settings of the server for Stripe's webhooks."""

    stripe_webhook_secrets: SecretStr = Field(
        SecretStr(""), description="One secret; while it is changed, two with a comma between."
    )
    web_port: int = Field(8082, ge=1, le=65_535, description="The public port.")
