"""Every setting of the storefront, read from the environment in one place."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class PageSettings(BaseSettings):
    """Environment variables, upper-case; those of Kafka are the runtime's."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    web_host: str = "127.0.0.1"
    web_port: int = Field(8080, ge=1, le=65_535)
    link_secret: SecretStr = Field(
        SecretStr(""), description="What the notifier signs links with; there is no default."
    )
