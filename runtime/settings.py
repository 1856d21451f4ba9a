"""Every setting of a worker, read from the environment in one place.

A secret ``NAME`` is in the environment, or in the file that ``NAME_FILE`` names.
"""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from runtime.settings_words import allowed


class SettingsError(ValueError):
    """A process can't run with its settings; the message is one line that says what to do."""


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads each secret from the file that ``<NAME>_FILE`` names, without its last line break."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret, if it has a file. Raises ``SettingsError``."""
        name = field_name.upper()
        path = os.environ.get(f"{name}_FILE", "")
        if field.annotation is not SecretStr or not path:
            return None, field_name, False
        if os.environ.get(name):
            raise SettingsError(f"{name} and {name}_FILE are both set: unset one")
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise SettingsError(f"{name}_FILE can't be read: {path}: {why}") from None

    def __call__(self) -> dict[str, Any]:
        """All secrets that have a file."""
        fields = self.settings_cls.model_fields.items()
        read = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in read.items() if value is not None}


class WithSecrets(BaseSettings):
    """Settings with secrets: ``SecretStr`` fields, each of which may come from a file."""

    model_config = SettingsConfigDict(
        extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values given in code come first, then the environment, then the secrets' files."""
        return init_settings, env_settings, _SecretFiles(settings_cls)


S = TypeVar("S", bound=BaseSettings)


def read_settings(settings: type[S], **given: Any) -> S:
    """Settings as the environment gives them, and ``given`` ones instead of those.

    Raises ``SettingsError`` that names each wrong value and what is allowed.
    """
    try:
        return settings(**given)
    except ValidationError as error:
        problems = (
            _problem(settings, each)
            for each in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError("; ".join(problems)) from None


def _problem(settings: type[BaseSettings], error: Any) -> str:
    """``READS_PER_MINUTE: give a whole number, at least 1``; never the value, a secret perhaps."""
    field = settings.model_fields.get(str(error["loc"][0])) if error["loc"] else None
    name = ": ".join(str(part).upper() for part in error["loc"])
    if field is None or error["type"] == "value_error" or len(error["loc"]) > 1:
        return ": ".join(filter(None, [name, error["msg"].removeprefix("Value error, ")]))
    return f"{name}: give {_with_article(allowed(field))}"


def _with_article(words: str) -> str:
    return f"a {words}" if words.startswith(("whole number", "number", "path", "text")) else words


#: Variables that no settings class has: the terminal's, those of ``jointbuy up``, of tests.
_OTHERS = frozenset(
    {"JOINTBUY_CACHE", "JOINTBUY_DATA", "JOINTBUY_EXAMPLES", "JOINTBUY_HOME", "JOINTBUY_KEY"}
    | {"JOINTBUY_PORTS", "JOINTBUY_URL"}
)


def unknown_variables(names: Iterable[str]) -> list[str]:
    """A line for each name that looks like one of our variables and is not one."""
    known = _OTHERS | {each.upper() for each in Settings.model_fields}
    lines = []
    for name in sorted(names):
        if name.startswith(("KAFKA_", "JOINTBUY_")) and name not in known:
            family, _, rest = name.partition("_")
            of_family = [each.partition("_")[2] for each in known if each.startswith(f"{family}_")]
            near = get_close_matches(rest, sorted(of_family), 1)
            meant = f": did you mean {family}_{near[0]}?" if near else ""
            lines.append(f"the variable {name} is not known{meant}")
    return lines


class Settings(BaseSettings):
    """Settings of Kafka, time, local state, ops' pages and logs."""

    model_config = SettingsConfigDict(extra="ignore")

    kafka_bootstrap_servers: str = Field(
        "127.0.0.1:9092", description="Addresses of brokers, with commas between."
    )
    kafka_transactions: bool = Field(
        True, description="False on a broker without transactions: outputs may repeat after a kill."
    )
    kafka_session_timeout_ms: int = Field(
        10_000, description="Time until another worker takes a dead worker's partitions."
    )
    topic_prefix: str = Field("", description="Prefixes topics, groups and transactional ids.")
    replication_factor: int = Field(1, description="Copies of each topic that is created.")
    clock: Literal["wall", "log"] = Field(
        "wall", description="log: time comes from the records, for replays and simulations."
    )
    clock_grace_seconds: float = Field(
        2.0,
        gt=0,
        description="How long inputs stand at their end before idle time passes; above the commit "
        "interval of upstream services. A worker whose clock is off by more fires nothing.",
    )
    dead_letter_days: int | None = Field(
        None,
        ge=0,
        le=36_500,
        description="Days after which dead letters are deleted; 0 keeps them for ever. If it is not"
        " set, an existing topic keeps its settings and a new one keeps dead letters for ever."
        " With CLOCK=log they are always kept.",
    )
    state_dir: Path = Field(
        Path(".jointbuy/state"), description="Folder of local rows. It may be deleted."
    )
    state_kept_seconds: int = Field(
        7 * 24 * 3600, description="Rows idle for longer are rebuilt from the changelog."
    )
    batch_records_max: int = Field(4_000, ge=1, description="Most records in one transaction.")
    fetch_wait_ms: int = Field(50, description="How long an idle fetch waits at the broker.")
    ops_host: str = Field(
        "127.0.0.1",
        description="Address of /livez, /readyz, /status and /metrics; only ops should reach it.",
    )
    ops_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port of these pages; 0 picks a free one, which the log names.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least severe lines that are logged."
    )
    log_format: Literal["json", "console"] = Field("json", description="console: lines for people.")

    def topic(self, name: str) -> str:
        """The topic's name on the broker."""
        return self.topic_prefix + name

    def without_prefix(self, name: str) -> str:
        """The catalogue's name of a topic, or of a consumer group, on the broker."""
        return name.removeprefix(self.topic_prefix)
