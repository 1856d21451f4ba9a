"""Every setting of a worker, read from the environment in one place."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables, upper-case: ``KAFKA_BOOTSTRAP_SERVERS``, ``TOPIC_PREFIX``, …"""

    model_config = SettingsConfigDict(extra="ignore")

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_transactions: bool = Field(
        True, description="False on a broker without transactions: outputs may repeat after a kill."
    )
    kafka_session_timeout_ms: int = Field(
        10_000, description="How long a dead worker's partitions stay quiet."
    )
    topic_prefix: str = Field("", description="Prefixes topics, groups and transactional ids.")
    replication_factor: int = 1
    clock: Literal["wall", "log"] = Field(
        "wall", description="log: time is what the records say, for replays and simulations."
    )
    clock_grace_seconds: float = Field(
        2.0,
        gt=0,
        description="How long inputs stand at their end before idle time passes; above the commit "
        "interval of upstream services. A worker whose clock is off by more fires nothing.",
    )
    state_dir: Path = Field(Path(".jointbuy/state"), description="Local rows; may be deleted.")
    state_kept_seconds: int = Field(
        7 * 24 * 3600, description="Rows idle for longer are rebuilt from the changelog."
    )
    batch_records_max: int = Field(4_000, ge=1, description="Records in one transaction.")
    fetch_wait_ms: int = Field(50, description="How long an idle fetch waits at the broker.")
    ops_host: str = Field(
        "127.0.0.1",
        description="For /livez, /readyz, /status and /metrics: an address that only ops reach.",
    )
    ops_port: int = Field(
        0, ge=0, le=65_535, description="The same; 0 picks a free one, which the log names."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    def topic(self, name: str) -> str:
        """The topic's name on the broker."""
        return self.topic_prefix + name
