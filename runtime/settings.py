"""Every setting of a worker, read from the environment in one place.

A secret ``NAME`` is in the environment, or in the file that ``NAME_FILE`` names.
"""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from runtime.kafka_names import ALIASES, JAAS, OTHER_NAMES, jaas, under_other_names
from runtime.security_rules import problem_of
from runtime.settings_words import allowed
from schemas.topic import PARTITIONS

#: Kafka's number for its own default of copies (KIP-464).
CLUSTER_S_OWN = -1


class SettingsError(ValueError):
    """A process can't run with its settings; the message is one line that says what to do."""


def secret_in_file(name: str) -> str | None:
    """The secret ``name`` as its file has it now, or ``None`` without ``<name>_FILE``.

    Raises ``SettingsError``.
    """
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        return None
    if os.environ.get(name):
        raise SettingsError(f"{name} and {name}_FILE are both set: unset one")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SettingsError(f"{name}_FILE can't be read: {path}: {why}") from None


def secret_now(field: str) -> str:
    """A secret of Kafka as its file has it now; empty without a file, or while it is replaced."""
    names = (field.upper(), *ALIASES.get(field, ()))
    try:
        for name in names:
            if (found := secret_in_file(name)) is not None:
                return found
        return jaas(secret_in_file(JAAS) or "").get(field, "")
    except ValueError:  # as a SettingsError is, too
        return ""


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads each secret from the file that ``<NAME>_FILE`` names, without its last line break."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret, if it has a file. Raises ``SettingsError``."""
        found = secret_in_file(field_name.upper()) if _is_secret(field) else None
        return found, field_name, False

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
    | {"JOINTBUY_PORTS", "JOINTBUY_URL", *OTHER_NAMES}
)


def unknown_variables(names: Iterable[str]) -> list[str]:
    """A line for each name that looks like one of our variables and is not one."""
    fields = Settings.model_fields.items()
    known = _OTHERS | {each.upper() for each, _ in fields}
    known |= {f"{each.upper()}_FILE" for each, of in fields if _is_secret(of)}
    lines = []
    for name in sorted(names):
        if name.startswith(("KAFKA_", "JOINTBUY_")) and name not in known:
            family, _, rest = name.partition("_")
            of_family = [each.partition("_")[2] for each in known if each.startswith(f"{family}_")]
            near = get_close_matches(rest, sorted(of_family), 1)
            meant = f": did you mean {family}_{near[0]}?" if near else ""
            lines.append(f"the variable {name} is not known{meant}")
    return lines


class _OtherNames(PydanticBaseSettingsSource):
    """Reads settings of Kafka under the names that other clients give them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """A field's value under its other names, if there is one. Raises ``SettingsError``."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All that other names give, where the own name gives nothing else."""
        env = {name.upper(): value for name, value in os.environ.items()}
        fields = self.settings_cls.model_fields.items()
        own_secrets = {each.upper() for each, of in fields if _is_secret(of)}
        for name in own_secrets | {each for each in OTHER_NAMES if f"{each}_FILE" in OTHER_NAMES}:
            env[name] = secret_in_file(name) or env.get(name, "")
        found: dict[str, tuple[str, str]] = {}
        try:
            for field, name, value in under_other_names(env):
                own = field.upper()
                first = found.setdefault(field, (own, env[own]) if env.get(own) else (name, value))
                if _differs(field, first[1], value):
                    raise SettingsError(f"{first[0]} and {name} differ: unset one of them")
        except ValueError as error:
            raise SettingsError(str(error)) from None
        return {field: value for field, (_, value) in found.items()}


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr


def _differs(field: str, one: str, other: str) -> bool:
    # Names of mechanisms and codecs may be in small letters.
    if field in {"kafka_sasl_mechanism", "compression"}:
        return one.upper() != other.upper()
    return one != other


class Settings(WithSecrets):
    """Settings of Kafka, time, local state, ops' pages and logs."""

    kafka_bootstrap_servers: str = Field(
        "127.0.0.1:9092", description="Addresses of brokers, with commas between."
    )
    kafka_transactions: bool = Field(
        True, description="False on a broker without transactions: outputs may repeat after a kill."
    )
    kafka_session_timeout_ms: int = Field(
        10_000, description="Time until another worker takes a dead worker's partitions."
    )
    kafka_group_instance_id: str | None = Field(
        None,
        description="A name that no other worker has, such as its pod's. Its partitions then wait"
        " for it while it starts again, for at most KAFKA_SESSION_TIMEOUT_MS, and no other worker"
        " takes them, also after a stop in order. It is for services with one worker:"
        " docs/performance.md.",
    )
    standby_replicas: int = Field(
        1,
        ge=0,
        description="How many other workers keep a partition's rows at hand, so that it need not be"
        " restored when it moves.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="What the brokers' listener speaks: docs/security.md."
    )
    kafka_sasl_mechanism: (
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None
    ) = Field(None, description="How to sign in by SASL.")
    kafka_sasl_username: str = Field("", description="The name for PLAIN and SCRAM.")
    kafka_sasl_password: SecretStr = Field(
        SecretStr(""),
        description="The password for PLAIN and SCRAM. Its file is read anew for each connection.",
    )
    kafka_sasl_oauthbearer_token_endpoint_url: str = Field(
        "", description="OIDC endpoint that gives tokens for client credentials."
    )
    kafka_sasl_oauthbearer_client_id: str = Field("", description="The client at that endpoint.")
    kafka_sasl_oauthbearer_client_secret: SecretStr = Field(
        SecretStr(""), description="Its secret. Its file is read anew for each token."
    )
    kafka_sasl_oauthbearer_scope: str = Field(
        "", description="The scope to ask for, if the endpoint needs one."
    )
    kafka_sasl_oauthbearer_token_command: str = Field(
        "", description="In place of an endpoint: a command that prints a token. No shell runs it."
    )
    kafka_ssl_ca_location: Path | None = Field(
        None, description="PEM file of the CAs of the brokers. If it is not set: the system's CAs."
    )
    kafka_ssl_certificate_location: Path | None = Field(
        None, description="PEM file of this client's certificate and its chain."
    )
    kafka_ssl_key_location: Path | None = Field(
        None, description="PEM file of its key, unless the certificate's file has it."
    )
    kafka_ssl_key_password: SecretStr = Field(SecretStr(""), description="The key's password.")
    kafka_ssl_endpoint_identification_algorithm: Literal["https", "none"] = Field(
        "https", description="none: a broker's certificate may be for any host name."
    )
    compression: Literal["none", "lz4", "zstd"] = Field(
        "zstd",
        description="How records are compressed that a process writes. Everyone who reads them must"
        " know it: docs/performance.md.",
    )
    topic_prefix: str = Field("", description="Prefixes topics, groups and transactional ids.")
    partitions: int = Field(
        PARTITIONS,
        ge=1,
        le=10_000,
        description="Partitions of each topic. All processes of a deployment have the same number."
        " To change it: docs/deploy.md.",
    )
    replication_factor: int = Field(
        CLUSTER_S_OWN,
        ge=CLUSTER_S_OWN,
        le=32_767,
        description="Copies of each topic that is created; -1: as many as the cluster's default.",
    )
    min_insync_replicas: int | None = Field(
        None,
        ge=1,
        description="min.insync.replicas of each topic that is created. If it is not set: the"
        " cluster's.",
    )
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
    fetch_wait_ms: int = Field(
        50,
        ge=1,
        description="How long a fetch waits at the broker for records, while records come.",
    )
    idle_fetch_wait_ms: int = Field(
        500,
        ge=1,
        description="The same once none has come for a second. A broker answers as soon as it has a"
        " record. At most a quarter of CLOCK_GRACE_SECONDS is used.",
    )
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

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: Any, **more: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """As for other settings; what Kafka's clients have other names for comes last."""
        known = super().settings_customise_sources(settings_cls, *sources, **more)
        return *known, _OtherNames(settings_cls)

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _in_capitals(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("kafka_ssl_endpoint_identification_algorithm", "compression", mode="before")
    @classmethod
    def _in_small_letters(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if problem := problem_of(self):
            raise ValueError(problem)
        return self

    def topic(self, name: str) -> str:
        """The topic's name on the broker."""
        return self.topic_prefix + name

    def without_prefix(self, name: str) -> str:
        """The catalogue's name of a topic, or of a consumer group, on the broker."""
        return name.removeprefix(self.topic_prefix)
