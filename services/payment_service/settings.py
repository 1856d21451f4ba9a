"""Every setting of payments by card, read from the environment in one place."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.listening import WebSettings


class CardSettings(BaseSettings):
    """Environment variables, upper-case: ``STRIPE_API_KEY``, ``PAGE_URL``, …"""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    stripe_api_key: SecretStr = Field(
        SecretStr(""), description="Empty: payments by card wait, all others go on."
    )
    stripe_api_url: str = Field("", description="Empty: Stripe's own; another for tests.")
    stripe_timeout_seconds: float = Field(30.0, gt=0)
    stripe_connections: int = Field(16, ge=1, description="Requests at once, in each process.")
    page_url: str = Field("http://127.0.0.1:8080", description="Where payers come back to.")


class WebhookSettings(WebSettings):
    """What the webhooks' process needs beside those of Kafka."""

    stripe_webhook_secrets: SecretStr = Field(
        SecretStr(""), description="One, or two between commas while they are changed."
    )
    web_port: int = Field(8082, ge=1, le=65_535)
