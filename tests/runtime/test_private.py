"""What stays private: modes of files, unencrypted connections, weak secrets, secrets from files."""

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from runtime.kafka_names import OTHER_NAMES
from runtime.private_files import (
    goes_in_clear,
    is_this_machine,
    keep_files_private,
    private_folder,
    weakness_of,
)
from runtime.settings import SettingsError, WithSecrets, read_settings
from services.notifier.settings import MailSettings
from services.payment_service.settings import CardSettings
from services.storefront.settings import PageSettings
from stack import brokers
from stack.supervisor import SECRETS, SERVICES, WITH_CARDS, WITH_SHOPS, environment_of, supervise
from terminal.api import place_of
from terminal.console import Mistake

GOOD = "jU0m2vYx8Qk4-Zr7Tn1_bHc6LwSgE3aD"
EVERY_SERVICE = (*SERVICES, *WITH_SHOPS, *WITH_CARDS)
#: All services sign in to Kafka.
OF_KAFKA = {name for name in SECRETS if name.startswith("KAFKA_")}


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_files_of_a_process_are_its_users_alone(tmp_path: Path) -> None:
    keep_files_private()
    (tmp_path / "made").mkdir()
    (tmp_path / "made/row").write_text("x")
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "made/row").stat().st_mode) == 0o600


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    assert private_folder(folder) == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(private_folder(tmp_path / "a/b").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("10.0.0.1", False),
        ("mail.example", False),
        ("", False),
        (None, False),
    ],
)
def test_which_hosts_are_this_machine(host: str | None, is_here: bool) -> None:
    assert is_this_machine(host) == is_here


@pytest.mark.parametrize(
    ("url", "in_clear"),
    [
        ("https://shop.example", False),
        ("http://127.0.0.1:8080", False),
        ("http://[::1]:8080", False),
        ("http://localhost", False),
        ("http://shop.example", True),
        ("http://127.0.0.1@shop.example", True),
        ("ftp://shop.example", True),
        ("shop.example", True),
    ],
)
def test_what_goes_in_clear(url: str, in_clear: bool) -> None:
    assert goes_in_clear(url) == in_clear


@pytest.mark.parametrize(
    ("secret", "weakness"),
    [
        (GOOD, ""),
        (GOOD[:31], "is shorter than 32 characters"),
        ("", "is empty"),
        ("a" * 64, "is not random"),
        ("123456789" * 5, "is not random"),
    ],
)
def test_a_weak_signing_secret_is_said(secret: str, weakness: str) -> None:
    assert weakness_of(secret) == weakness


class Example(WithSecrets):
    """Settings of this test."""

    word: SecretStr = SecretStr("")
    number: int = 1


def test_a_secret_comes_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("from the file \n")
    monkeypatch.setenv("WORD_FILE", str(tmp_path / "word"))
    assert read_settings(Example).word.get_secret_value() == "from the file "
    monkeypatch.setenv("WORD", "")
    assert read_settings(Example).word.get_secret_value() == "from the file "


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"WORD": "x", "WORD_FILE": "/dev/null"}, "WORD and WORD_FILE are both set: unset one"),
        ({"WORD_FILE": "/nowhere"}, "WORD_FILE can't be read: /nowhere: No such file or directory"),
        ({"NUMBER": "many"}, "NUMBER: give a whole number"),
    ],
)
def test_a_wrong_setting_is_one_line(
    env: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        read_settings(Example)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "many" not in str(raised.value)


@pytest.mark.parametrize(
    ("service", "given"),
    [
        ("order_service", set()),
        ("notifier", {"LINK_SECRET_FILE", "SMTP_PASSWORD"}),
        ("storefront", {"ADMIN_KEY", "DATABASE_URL", "LINK_SECRET_FILE", "RATES_URL"}),
        ("storefront.projector", {"DATABASE_URL"}),
        ("shop_bridge", {"SHOPS"}),
        ("payment_service", {"STRIPE_API_KEY"}),
        ("payment_service.webhooks", {"STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS"}),
    ],
)
def test_a_service_is_given_its_secrets_and_no_others(service: str, given: set[str]) -> None:
    secrets = dict.fromkeys(SECRETS, "x")
    del secrets["LINK_SECRET"]
    env = {"PATH": "/bin", "LINK_SECRET_FILE": "y", **secrets}
    given = given | OF_KAFKA | {"OTEL_EXPORTER_OTLP_HEADERS"}
    assert environment_of(service, env) == {"PATH": "/bin"} | {name: env[name] for name in given}


def test_a_broker_is_given_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Those of Kafka are refused beside a broker that is started here: it asks for none.
    for name in SECRETS.keys() - OF_KAFKA:
        monkeypatch.setenv(name, GOOD)
    for name in ("keep_files_private", "logs.set_up", "signal.pthread_sigmask"):
        monkeypatch.setattr(f"stack.supervisor.{name}", lambda *_: None)
    monkeypatch.setattr(brokers, "_embedded_command", lambda _: ["env"])
    monkeypatch.setattr(brokers, "_wait_until_it_answers", lambda _, process, *__: process.wait())

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no further")

    monkeypatch.setattr("stack.supervisor._prepare", fail)
    with pytest.raises(RuntimeError, match="no further"):
        supervise(home=tmp_path, broker="embedded", port=None, clock="wall", fresh=False)
    told = (tmp_path / "embedded" / "broker.log").read_text()
    assert "PATH=" in told
    assert GOOD not in told


def test_every_secret_setting_is_known_to_the_supervisor() -> None:
    """A secret that a settings class gains is kept from all services but those of its package."""
    found: dict[str, set[str]] = {}
    folders = ("services", "runtime", "terminal", "stack", "replay")
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "SecretStr" in text else ():
            if not isinstance(node, ast.ClassDef):
                continue
            secrets = [
                ast.unparse(field.target).upper()
                for field in node.body
                if isinstance(field, ast.AnnAssign)
                and ast.unparse(field.annotation) == "SecretStr"
                and isinstance(field.value, ast.Call)
            ]
            bases = {ast.unparse(base) for base in node.bases}
            assert not (secrets and "BaseSettings" in bases), f"{node.name}: use WithSecrets"
            if bases & {"WithSecrets", "ModelSettings", "WebSettings"}:
                users = {each.partition(".")[0] for each in EVERY_SERVICE}
                if path.parts[0] == "services":
                    users = {path.parts[1]}
                elif path.parts[0] == "terminal":
                    users = set()
                for name in secrets:
                    found.setdefault(name, set()).update(users)
    told = {
        name: {service.partition(".")[0] for service in services}
        for name, services in SECRETS.items()
        if services or name in found
    }
    # Names that only other clients of Kafka have are no settings of ours.
    assert {name: each for name, each in told.items() if name not in OTHER_NAMES} == found
    assert {service for services in SECRETS.values() for service in services} <= {*EVERY_SERVICE}


@pytest.mark.parametrize(
    ("said", "is_refused"),
    [
        ({"smtp_host": "mail.example", "smtp_username": "u"}, True),
        ({"smtp_host": "mail.example", "smtp_username": "u", "smtp_tls": "starttls"}, False),
        ({"smtp_host": "mail.example", "smtp_username": "u", "smtp_tls": "tls"}, False),
        ({"smtp_host": "mail.example"}, False),
        ({"smtp_host": "127.0.0.1", "smtp_username": "u"}, False),
    ],
)
def test_a_mail_password_never_goes_in_clear(said: dict[str, str], is_refused: bool) -> None:
    if not is_refused:
        MailSettings(**said)  # type: ignore[arg-type]  # pydantic checks them
        return
    with pytest.raises(ValidationError, match="unencrypted: set SMTP_TLS"):
        MailSettings(**said)  # type: ignore[arg-type]  # pydantic checks them


def test_no_key_goes_to_another_machine_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTBUY_KEY", "jb_0123_secret")
    with pytest.raises(Mistake, match="unencrypted: write https"):
        place_of("http://shop.example")
    assert place_of("https://shop.example").key == "jb_0123_secret"
    assert place_of("http://127.0.0.1:8080").key == "jb_0123_secret"
    monkeypatch.delenv("JOINTBUY_KEY")
    assert place_of("http://shop.example").key is None
    with pytest.raises(ValidationError, match="must be https"):
        CardSettings(stripe_api_url="http://stripe.example")


@pytest.mark.parametrize("key", ["short", "fifteen-letters"])
def test_a_short_admin_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="is shorter than 16 characters"):
        PageSettings(admin_key=SecretStr(key))
