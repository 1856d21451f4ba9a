"""What of the environment goes together to sign in to Kafka, and which line says what is wrong."""

import base64
import json
import os
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import errors
from aiokafka.errors import KafkaConnectionError, KafkaError

from runtime import acls, security, tokens
from runtime.broker_watch import BrokerWatch
from runtime.clients import TransportError, producer
from runtime.kafka_names import jaas
from runtime.lasting_errors import LastingError, lasting
from runtime.late_producer import LateProducer
from runtime.security import access_of, other_protocol, refusal_of
from runtime.security_rules import principal_of, tls_context
from runtime.settings import Settings, SettingsError, read_settings, unknown_variables
from stack.supervisor import supervise
from tests.runtime.test_lasting import wrapped
from tests.system.secured import Authority, openssl

SECRET = "s3cret of kafka"
SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
    "KAFKA_SASL_USERNAME": "ann",
    "KAFKA_SASL_PASSWORD": SECRET,
}
OAUTH = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "https://id.example/token",
    "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "shop",
    "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": SECRET,
}
TLS = {"KAFKA_SECURITY_PROTOCOL": "SSL"}


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says nothing, and no client has been made."""
    for name in list(os.environ):
        if name.startswith(("KAFKA_", "COMPRESSION")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(security, "_KNOWN", {})
    monkeypatch.setattr(acls, "US", acls.Identity("User:ann", "broker:9092"))


def settings_of(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> Settings:
    """The settings of a process with this environment; an empty value leaves a variable out."""
    for name, value in env.items():
        if value:
            monkeypatch.setenv(name, value)
    return read_settings(Settings)


# --- what goes together --------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, str], str]] = [
    (TLS | {"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL: give PLAINTEXT or SSL or"),
    (SASL | {"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM: give PLAIN or SCRAM"),
    (SASL | {"KAFKA_SASL_MECHANISM": ""}, "KAFKA_SASL_MECHANISM is not set: give PLAIN, SCRAM"),
    (SASL | {"KAFKA_SASL_USERNAME": ""}, "KAFKA_SASL_USERNAME is not set: SCRAM-SHA-256 needs it"),
    (SASL | {"KAFKA_SASL_PASSWORD": ""}, "KAFKA_SASL_PASSWORD is not set: SCRAM-SHA-256 needs it"),
    (
        SASL | {"KAFKA_SECURITY_PROTOCOL": ""},
        "KAFKA_SASL_MECHANISM has no effect: set KAFKA_SECURITY_PROTOCOL=SASL_SSL or SASL_PLAIN",
    ),
    (
        {"KAFKA_SASL_PASSWORD": SECRET},
        "KAFKA_SASL_PASSWORD has no effect: set KAFKA_SECURITY_PROTOCOL=SASL_SSL or SASL_PLAINTEXT",
    ),
    (
        SASL | {"KAFKA_SSL_CA_LOCATION": "ca.pem"},
        "KAFKA_SSL_CA_LOCATION has no effect: set KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL",
    ),
    (
        OAUTH | {"KAFKA_SASL_PASSWORD": SECRET},
        "KAFKA_SASL_PASSWORD has no effect: set KAFKA_SASL_MECHANISM=PLAIN, SCRAM-SHA-256 or",
    ),
    (
        SASL | {"KAFKA_SASL_OAUTHBEARER_SCOPE": "topics"},
        "KAFKA_SASL_OAUTHBEARER_SCOPE has no effect: set KAFKA_SASL_MECHANISM=OAUTHBEARER",
    ),
    (
        OAUTH | {"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": ""},
        "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL and KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND: set",
    ),
    (
        OAUTH | {"KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND": "true"},
        "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL and KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND are",
    ),
    (
        OAUTH | {"KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": ""},
        "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET is not set: the token endpoint needs it",
    ),
    (
        OAUTH | {"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "http://id.example/token"},
        "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL would send the secret unencrypted: write https",
    ),
    (
        OAUTH | {"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "id.example/token"},
        "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL is not an address: write https://…",
    ),
    (
        {
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND": "no-such-program --token",
        },
        "KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND: there is no such program",
    ),
    (
        TLS | {"KAFKA_SSL_CA_LOCATION": "nowhere.pem"},
        "KAFKA_SSL_CA_LOCATION can't be read: nowhere.pem: No such file or directory",
    ),
    (
        TLS | {"KAFKA_SSL_KEY_LOCATION": "key.pem"},
        "KAFKA_SSL_KEY_LOCATION needs KAFKA_SSL_CERTIFICATE_LOCATION too",
    ),
    (
        TLS | {"KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM": "no"},
        "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: give https or none",
    ),
    (
        SASL | {"KAFKA_SASL_MECHANISMS": "PLAIN"},
        "KAFKA_SASL_MECHANISM and KAFKA_SASL_MECHANISMS differ: unset one of them",
    ),
    (
        SASL | {"KAFKA_SASL_JAAS_CONFIG": 'PlainLoginModule required username="bob" password="x";'},
        "KAFKA_SASL_USERNAME and KAFKA_SASL_JAAS_CONFIG differ: unset one of them",
    ),
    (
        TLS | {"KAFKA_SSL_TRUSTSTORE_LOCATION": "a.jks", "KAFKA_SSL_TRUSTSTORE_TYPE": "JKS"},
        "KAFKA_SSL_TRUSTSTORE_TYPE: only PEM can be read here",
    ),
    (
        TLS | {"KAFKA_SSL_KEY_PEM": f"-----BEGIN {SECRET}"},
        "KAFKA_SSL_KEY_PEM: write it into a file, and give its path in KAFKA_SSL_KEY_LOCATION",
    ),
    ({"COMPRESSION": "gzip"}, "COMPRESSION: give none or lz4 or zstd"),
]


@pytest.mark.parametrize(("env", "line"), REFUSED, ids=[each[1][:60] for each in REFUSED])
def test_settings_that_cannot_work_are_one_line(
    env: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_of(monkeypatch, env)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_broker_that_is_started_here_has_no_security(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Services that signed in would find a listener that speaks plain text."""
    for name in ("keep_files_private", "logs.set_up"):
        monkeypatch.setattr(f"stack.supervisor.{name}", lambda *_: None)
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SSL")
    with pytest.raises(SystemExit, match=r"^KAFKA_SECURITY_PROTOCOL is SSL, but a broker that is"):
        supervise(home=tmp_path, broker="embedded", port=None, clock="wall", fresh=False)


MEANT: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    (
        "small letters",
        SASL | {"KAFKA_SECURITY_PROTOCOL": "sasl_plaintext", "KAFKA_SASL_MECHANISM": "plain"},
        {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_mechanism": "PLAIN"},
    ),
    (
        "librdkafka's mechanisms",
        SASL | {"KAFKA_SASL_MECHANISM": "", "KAFKA_SASL_MECHANISMS": "scram-sha-512"},
        {"kafka_sasl_mechanism": "SCRAM-SHA-512"},
    ),
    (
        "the same under two names",
        SASL | {"KAFKA_SASL_MECHANISMS": "scram-sha-256"},
        {"kafka_sasl_mechanism": "SCRAM-SHA-256"},
    ),
    (
        "Java's line",
        {
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_JAAS_CONFIG": "org.apache.kafka.common.security.plain.PlainLoginModule"
            ' required username=\'ann\' password="a \\"b\\";c";',
        },
        {"kafka_sasl_username": "ann", "kafka_sasl_password": 'a "b";c'},
    ),
    (
        "Java's line for tokens",
        OAUTH
        | {
            "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": "",
            "KAFKA_SASL_JAAS_CONFIG": "org.apache.kafka.common.security.oauthbearer"
            '.OAuthBearerLoginModule required clientId="shop" clientSecret="x" scope="topics" ;',
        },
        {"kafka_sasl_oauthbearer_client_id": "shop", "kafka_sasl_oauthbearer_scope": "topics"},
    ),
    (
        "Java's names of client credentials",
        OAUTH
        | {
            "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": "",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_CREDENTIALS_CLIENT_ID": "shop",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_CREDENTIALS_CLIENT_SECRET": SECRET,
        },
        {
            "kafka_sasl_oauthbearer_client_id": "shop",
            "kafka_sasl_oauthbearer_client_secret": SECRET,
        },
    ),
    ("a codec", {"KAFKA_COMPRESSION_TYPE": "LZ4"}, {"compression": "lz4"}),
    (
        "an address of this machine for tokens",
        OAUTH | {"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "http://127.0.0.1:8000/token"},
        {"kafka_sasl_oauthbearer_token_endpoint_url": "http://127.0.0.1:8000/token"},
    ),
    ("nothing", {}, {"kafka_security_protocol": "PLAINTEXT", "compression": "zstd"}),
]


@pytest.mark.parametrize(("what", "env", "meant"), MEANT, ids=[each[0] for each in MEANT])
def test_names_of_other_clients_mean_the_same(
    what: str, env: dict[str, str], meant: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch, env)
    for field, wanted in meant.items():
        value = getattr(settings, field)
        assert (value.get_secret_value() if hasattr(value, "get_secret_value") else value) == wanted
    assert unknown_variables(env) == []
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("name", ["KAFKA_SASL_PASSWORD", "KAFKA_SASL_JAAS_CONFIG"])
def test_each_secret_may_be_in_a_file(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    line = f'ScramLoginModule required username="ann" password="{SECRET}";'
    (tmp_path / "secret").write_text(line if name.endswith("CONFIG") else SECRET)
    env = SASL | {"KAFKA_SASL_PASSWORD": "", f"{name}_FILE": str(tmp_path / "secret")}
    assert settings_of(monkeypatch, env).kafka_sasl_password.get_secret_value() == SECRET
    assert unknown_variables(env) == []


@pytest.mark.parametrize(
    "line",
    [
        f'PlainLoginModule username="ann" password="{SECRET}";',
        f'com.sun.security.auth.module.Krb5LoginModule required password="{SECRET}";',
        f'PlainLoginModule required username="ann" password="{SECRET}',
        f"{SECRET}",
    ],
)
def test_a_line_of_java_that_cannot_be_read_is_not_repeated(line: str) -> None:
    with pytest.raises(ValueError, match=r"^KAFKA_SASL_JAAS_CONFIG: ") as raised:
        jaas(line)
    assert SECRET not in str(raised.value)


# --- the files of TLS ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and of bad files."""
    folder = tmp_path_factory.mktemp("files")
    ours, other = Authority(folder), Authority(folder, "other")
    ours.sign("client", "/C=DE/O=jointbuy/OU=shops/CN=worker")
    ours.sign("late", "/CN=late", days=-1)
    other.sign("stranger", "/CN=worker")
    openssl(
        *("x509", "-req", "-in", str(folder / "late.csr"), "-signkey", str(folder / "late.key")),
        *("-days", "-1", "-extfile", str(_as_ca(folder)), "-out", str(folder / "late-ca.pem")),
    )
    openssl(
        *("pkcs8", "-topk8", "-in", str(folder / "client.key"), "-passout", f"pass:{SECRET}"),
        *("-out", str(folder / "locked.key")),
    )
    both = (folder / "client.key").read_bytes() + (folder / "client.crt").read_bytes()
    (folder / "both.pem").write_bytes(both)
    (folder / "words.pem").write_text("no certificate\n")
    (folder / "broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    )
    (folder / "store.jks").write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2")
    return folder


def _as_ca(folder: Path) -> Path:
    (options := folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    return options


FILES: list[tuple[str, dict[str, str], str]] = [
    ("a CA", {"CA": "ca.pem"}, ""),
    ("a certificate and a key",
     {"CA": "ca.pem", "CERTIFICATE": "client.crt", "KEY": "client.key"}, ""),
    ("both in one file", {"CERTIFICATE": "both.pem"}, ""),
    ("a key with its password", {"CERTIFICATE": "client.crt", "KEY": "locked.key"}, ""),
    ("a CA that has expired", {"CA": "late-ca.pem"}, "KAFKA_SSL_CA_LOCATION has expired: "),
    ("words", {"CA": "words.pem"}, "KAFKA_SSL_CA_LOCATION has no certificate in it: "),
    ("a broken CA", {"CA": "broken.pem"}, "KAFKA_SSL_CA_LOCATION can't be read: "),
    ("a store of Java", {"CA": "store.jks"}, "KAFKA_SSL_CA_LOCATION is JKS, not PEM: "),
    ("a folder", {"CA": "."}, "KAFKA_SSL_CA_LOCATION can't be read: "),
    ("no key", {"CERTIFICATE": "client.crt"}, "KAFKA_SSL_KEY_LOCATION is not set: "),
    ("no key there", {"CERTIFICATE": "client.crt", "KEY": "ca.pem"},
     "KAFKA_SSL_KEY_LOCATION has no key in it: "),
    ("another's key", {"CERTIFICATE": "client.crt", "KEY": "stranger.key"},
     "KAFKA_SSL_KEY_LOCATION: the key is not that of KAFKA_SSL_CERTIFICATE_LOCATION"),
    ("a broken certificate", {"CERTIFICATE": "broken.pem", "KEY": "client.key"},
     "KAFKA_SSL_CERTIFICATE_LOCATION or KAFKA_SSL_KEY_LOCATION can't be read: "),
    ("a certificate that has expired", {"CERTIFICATE": "late.crt", "KEY": "late.key"},
     "KAFKA_SSL_CERTIFICATE_LOCATION has expired: "),
    ("a locked key", {"CERTIFICATE": "client.crt", "KEY": "locked.key", "PASSWORD": ""},
     "KAFKA_SSL_KEY_PASSWORD is not set: "),
    ("a wrong password", {"CERTIFICATE": "client.crt", "KEY": "locked.key", "PASSWORD": "no"},
     "KAFKA_SSL_KEY_PASSWORD does not open "),
]  # fmt: skip


def with_files(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """The environment that names files of a folder."""
    env = {f"KAFKA_SSL_{kind}_LOCATION": str(folder / name) for kind, name in files.items()}
    env.pop("KAFKA_SSL_PASSWORD_LOCATION", None)
    if "locked.key" in files.values():
        env["KAFKA_SSL_KEY_PASSWORD"] = files.get("PASSWORD", SECRET)
    return TLS | env


@pytest.mark.parametrize(("what", "files", "line"), FILES, ids=[each[0] for each in FILES])
def test_a_file_that_cannot_be_used_is_named_at_the_start(
    what: str,
    files: dict[str, str],
    line: str,
    signed: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = with_files(signed, files)
    if not line:
        settings_of(monkeypatch, env)
        return
    with pytest.raises(SettingsError) as raised:
        settings_of(monkeypatch, env)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_a_host_name_is_checked_unless_told_otherwise(
    signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch, with_files(signed, {"CA": "ca.pem"}))
    assert tls_context(settings).check_hostname
    monkeypatch.setenv("KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", "NONE")
    lax = tls_context(read_settings(Settings))
    assert (lax.check_hostname, lax.verify_mode) == (False, ssl.CERT_REQUIRED)


def test_files_that_are_replaced_are_read_anew_once_they_fit(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, end in (("client.crt", "crt"), ("client.key", "key")):
        (tmp_path / f"now.{end}").write_bytes((signed / name).read_bytes())
    settings = settings_of(
        monkeypatch, with_files(tmp_path, {"CERTIFICATE": "now.crt", "KEY": "now.key"})
    )
    access = access_of(settings)
    first = access.tls()
    assert access.tls() is first
    (tmp_path / "now.crt").write_bytes((signed / "stranger.crt").read_bytes())
    assert access.tls() is first, "the key is not yet that of the new certificate"
    (tmp_path / "now.key").write_bytes((signed / "stranger.key").read_bytes())
    second = access.tls()
    assert second is not first
    assert access.tls() is second


@pytest.mark.parametrize("name", ["KAFKA_SASL_PASSWORD", "KAFKA_SASL_JAAS_CONFIG"])
def test_the_file_of_a_password_is_read_for_each_connection(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def written(password: str) -> None:
        line = f'ScramLoginModule required username="ann" password="{password}";'
        (tmp_path / "secret").write_text(line if name.endswith("CONFIG") else password)

    written("first")
    env = SASL | {"KAFKA_SASL_PASSWORD": "", f"{name}_FILE": str(tmp_path / "secret")}
    access = access_of(settings_of(monkeypatch, env))
    assert access._password_now() == "first"
    written("second")
    assert access._password_now() == "second"
    (tmp_path / "secret").unlink()
    assert access._password_now() == "second", "it is being replaced"


PRINCIPALS: list[tuple[dict[str, str], dict[str, str], str]] = [
    ({}, {}, "User:ANONYMOUS"),
    (TLS, {}, "User:ANONYMOUS"),
    (SASL, {}, "User:ann"),
    (OAUTH, {}, ""),
    (TLS, {"CERTIFICATE": "both.pem"}, "User:CN=worker,OU=shops,O=jointbuy,C=DE"),
]


@pytest.mark.parametrize(
    ("env", "files", "principal"), PRINCIPALS, ids=[each[2] for each in PRINCIPALS]
)
def test_a_process_knows_the_name_that_acls_give_it(
    env: dict[str, str],
    files: dict[str, str],
    principal: str,
    signed: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_them = env | (with_files(signed, files) if files else {})
    assert principal_of(settings_of(monkeypatch, with_them)) == principal


# --- lines ---------------------------------------------------------------------------------------

ADD = "kafka-acls.sh --bootstrap-server broker:9092 --add --allow-principal User:ann"
RIGHTS: list[tuple[KafkaError, str, str]] = [
    (errors.TopicAuthorizationFailedError("orders"), "",
     f"{ADD} --operation Describe --topic orders"),
    (errors.TopicAuthorizationFailedError("orders"), "Create",
     f"{ADD} --operation Create --topic orders"),
    (errors.TopicAuthorizationFailedError({"b", "a"}), "Write",
     f"{ADD} --operation Write --topic a --topic b"),
    (errors.GroupAuthorizationFailedError("order_service-purchases"), "",
     f"{ADD} --operation Read --group order_service-purchases"),
    (errors.TransactionalIdAuthorizationFailed("t-orders-3"), "",
     f"{ADD} --operation Describe --operation Write --transactional-id t-orders-"
     " --resource-pattern-type prefixed"),
    (errors.ClusterAuthorizationFailedError(), "", f"{ADD} --operation IdempotentWrite --cluster"),
    (errors.ClusterAuthorizationFailedError("orders"), "Create",
     f"{ADD} --operation Create --cluster"),
    (errors.GroupAuthorizationFailedError("a b"), "", f"{ADD} --operation Read --group 'a b'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "operation", "command"), RIGHTS, ids=[each[2][78:] for each in RIGHTS]
)
def test_a_missing_right_is_told_as_the_command_that_gives_it(
    error: KafkaError, operation: str, command: str
) -> None:
    told = str(lasting(error, operation))
    assert f"allow User:ann {operation or ''}" in told
    assert told.endswith(f": {command} [{type(error).__name__}]")


@pytest.mark.parametrize(
    ("modules", "operation"),
    [
        ({"aiokafka.consumer.fetcher", "runtime.transport"}, "Read"),
        ({"runtime.partition", "runtime.transport"}, "Write"),
        ({"aiokafka.producer.producer", "aiokafka.client"}, "Write"),
        ({"runtime.admin", "aiokafka.client"}, ""),
    ],
)
def test_a_topic_is_read_or_written_by_where_the_error_came_from(
    modules: set[str], operation: str
) -> None:
    assert acls.operation_of(modules) == operation


async def test_a_web_process_ends_when_it_may_not_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another error of a record is that record's own."""
    watch = BrokerWatch(settings_of(monkeypatch, {}), {})
    producer = LateProducer(Settings(), watch)
    producer.note(wrapped(errors.MessageSizeTooLargeError(), TransportError("no")))
    producer.note(wrapped(errors.RequestTimedOutError(), TransportError("no")))
    assert "kafka-acls" not in watch.unready()
    producer.note(wrapped(errors.TopicAuthorizationFailedError("orders"), TransportError("no")))
    assert "--operation Write --topic orders" in watch.unready()
    await watch.failed()


def tls_error(reason: str) -> ssl.SSLError:
    """As OpenSSL raises it."""
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


WHY: list[tuple[str, Exception, str]] = [
    ("a broken pipe", ConnectionResetError(), ""),
    ("no answer", TimeoutError(), ""),
    ("nobody there", ConnectionRefusedError(), ""),
    ("no record of TLS", tls_error("WRONG_VERSION_NUMBER"), ""),
    ("an old TLS", tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), "allow TLS 1.2 or 1.3 there"),
    ("a certificate is asked for", tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
     "wants a client certificate: set KAFKA_SSL_CERTIFICATE_LOCATION"),
    ("SCRAM without a proof", ValueError("Server sent wrong signature!"),
     "answers SCRAM-SHA-256 wrongly"),
    ("a wrong password", errors.SaslAuthenticationFailed("no"), "check KAFKA_SASL_USERNAME and"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "error", "line"), WHY, ids=[each[0] for each in WHY])
def test_a_broker_that_refuses_is_told_apart_from_one_that_is_away(
    what: str, error: Exception, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch, SASL)
    outer = KafkaConnectionError("closed")
    outer.__cause__ = error
    for each in (error, outer):
        told = refusal_of(each, "broker:9092", settings)
        assert (told is not None) == bool(line)
        assert told is None or (line in str(told) and "broker:9092" in str(told))


@pytest.mark.parametrize(
    ("spoken", "is_told"),
    [("", False), ("SASL_PLAINTEXT", False), ("PLAINTEXT", True), ("SSL or SASL_SSL", True)],
)
def test_a_listener_that_speaks_something_else_is_told(
    spoken: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = other_protocol(spoken, "broker:9092", settings_of(monkeypatch, SASL))
    assert (told is not None) == is_told
    assert told is None or f"set KAFKA_SECURITY_PROTOCOL={spoken}" in str(told)


async def test_a_refusal_while_the_process_runs_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(monkeypatch, SASL | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    watch = BrokerWatch(settings, {})
    access_of(settings)._refused["127.0.0.1:1"] = LastingError("a password is wrong: correct it")
    assert not await watch.look()
    assert "a password is wrong" in watch.unready()
    await watch.failed()


@pytest.mark.parametrize(("asked", "codec"), [("none", 0), ("lz4", 3), ("zstd", 4)])
async def test_records_are_compressed_as_asked(
    asked: str, codec: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = producer(settings_of(monkeypatch, {"COMPRESSION": asked}))
    batch = sender.create_batch()
    batch.append(key=b"k", value=b"tea " * 1_000, timestamp=1)
    # The attributes of a record batch, version 2, are bytes 21 and 22; three bits name the codec.
    assert batch._build()[22] & 0b111 == codec
    await sender.stop()


# --- tokens --------------------------------------------------------------------------------------


def token_until(ends: float) -> str:
    """A token without a signature."""
    body = base64.urlsafe_b64encode(json.dumps({"exp": ends, "sub": "shop"}).encode()).decode()
    return f"e30.{body.rstrip('=')}."


async def test_a_token_is_used_for_most_of_its_life(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(token_until(time.time() + 100))
    env = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND": f"cat '{file}'",
    }
    provider = tokens.Tokens(settings_of(monkeypatch, env))
    first = await provider.token()
    assert provider.principal() == "User:shop"
    file.write_text(token_until(time.time() + 200))
    assert await provider.token() == first
    now = time.time()
    monkeypatch.setattr(tokens.time, "time", lambda: now + 90)
    second = await provider.token()
    assert second != first
    file.write_text("opaque\n")
    provider.forget()
    assert await provider.token() == "opaque"
    file.write_text("other")
    assert await provider.token() == "other", "a token that does not tell its end is used once"


COMMANDS: list[tuple[str, type[Exception], str]] = [
    ("true", LastingError, "gives no token"),
    ("echo two words", LastingError, "gives no token"),
    ("false", KafkaConnectionError, "ended with the code 1"),
]


@pytest.mark.parametrize(("command", "kind", "line"), COMMANDS, ids=[each[0] for each in COMMANDS])
async def test_a_command_without_a_token_is_told(
    command: str, kind: type[Exception], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND": command,
    }
    with pytest.raises(kind, match=f"KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND {line}"):
        await tokens.Tokens(settings_of(monkeypatch, env)).token()


async def test_a_broker_that_tells_why_it_refuses_a_token_is_answered() -> None:
    class Provider(tokens.Tokens):
        def __init__(self) -> None:
            pass

        async def token(self) -> str:
            return "t"

    sender = security._TokenSender(sasl_oauth_token_provider=Provider())
    assert await sender.step(None) == (b"n,,\x01auth=Bearer t\x01\x01", True)
    assert await sender.step(b'{"status":"invalid_token"}') == (b"\x01", True)
    assert await sender.step(b"") is None


ANSWERS: list[tuple[int, Any, type[Exception] | None]] = [
    (200, {"access_token": "t", "expires_in": 60}, None),
    (200, {"token": "t"}, LastingError),
    (200, "no JSON", LastingError),
    (401, {"error": "invalid_client"}, LastingError),
    (400, {"error": "invalid_scope"}, LastingError),
    (404, "not here", LastingError),
    (429, {}, KafkaConnectionError),
    (503, "busy", KafkaConnectionError),
]


@pytest.mark.parametrize(
    ("status", "body", "kind"), ANSWERS, ids=[str(each[:2]) for each in ANSWERS]
)
def test_an_endpoint_that_refuses_us_is_told_apart_from_one_that_is_busy(
    status: int, body: Any, kind: type[Exception] | None
) -> None:
    answer = tokens.httpx.Response(status, content=json.dumps(body).encode())
    if kind is None:
        assert tokens._read("https://id.example", answer) == ("t", 60.0)
        return
    with pytest.raises(kind, match=r"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: https://id\."):
        tokens._read("https://id.example", answer)
