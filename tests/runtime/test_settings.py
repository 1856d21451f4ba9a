"""A wrong setting is one line that names it and what is allowed; a mistyped name is told."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, SecretStr, field_validator

from runtime.command_line import told_settings
from runtime.lasting_errors import LASTING_EXIT_CODE
from runtime.settings import SettingsError, WithSecrets, read_settings, unknown_variables
from stack.fork_server import ForkServer, start


class Example(WithSecrets):
    """Settings of each kind."""

    tea_units: int = Field(3, ge=1, le=9, description="How many.")
    tea_grams: float = Field(2.0, gt=0, description="How much.")
    tea_hot: bool = Field(True, description="Whether it is hot.")
    tea_kind: Literal["green", "black"] = Field("green", description="Which.")
    tea_file: Path | None = Field(None, description="Where.")
    tea_word: SecretStr = Field(SecretStr(""), max_length=3, description="Said to the waiter.")
    tea_name: str = Field("", description="What it is called.")

    @field_validator("tea_name")
    @classmethod
    def _short(cls, name: str) -> str:
        if len(name) > 5:
            raise ValueError("is too long: give at most 5 characters")
        return name


WRONG = [
    ("TEA_UNITS", "many", "give a whole number, at least 1, at most 9"),
    ("TEA_UNITS", "10", "give a whole number, at least 1, at most 9"),
    ("TEA_GRAMS", "0", "give a number, more than 0"),
    ("TEA_HOT", "lukewarm", "give true or false"),
    ("TEA_KIND", "red", "give green or black"),
    ("TEA_WORD", "please", "give a text"),
    ("TEA_NAME", "Darjeeling", "is too long: give at most 5 characters"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_is_one_line_that_names_what_is_allowed(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        read_settings(Example)
    assert str(raised.value) == f"{name}: {said}"


def test_each_wrong_value_is_named_in_the_same_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEA_UNITS", "many")
    monkeypatch.setenv("TEA_HOT", "lukewarm")
    with pytest.raises(SettingsError, match=r"^TEA_UNITS: .*; TEA_HOT: .*$"):
        read_settings(Example)


def test_help_lists_each_setting_with_what_is_allowed() -> None:
    told = told_settings(Example).splitlines()
    assert "TEA_UNITS=3  (whole number, at least 1, at most 9)" in told
    assert "TEA_HOT=true  (true or false)" in told
    assert "TEA_WORD=  (text, or TEA_WORD_FILE)" in told
    assert told[told.index("TEA_KIND=green  (green or black)") + 1] == "    Which."
    assert max(map(len, told)) <= 78


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("KAFKA_BOOTSTRAP_SERVER", "did you mean KAFKA_BOOTSTRAP_SERVERS?"),
        ("KAFKA_TRANSACTION", "did you mean KAFKA_TRANSACTIONS?"),
        ("JOINTBUY_PORT", "did you mean JOINTBUY_PORTS?"),
        ("KAFKA_ZZZ", "KAFKA_ZZZ is not known"),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("JOINTBUY_HOME", ""),
        ("_JOINTBUY_COMPLETE", ""),
        ("PATH", ""),
    ],
)
def test_a_mistyped_variable_is_told_with_the_nearest_name(name: str, line: str) -> None:
    told = unknown_variables([name])
    assert len(told) == bool(line)
    assert not line or told[0].endswith(line)


PROCESSES = [
    *("request_service", "order_service", "favor_service", "payment_service", "auction_service"),
    *("notifier", "shop_bridge", "shop_bridge.webhooks", "storefront", "storefront.projector"),
    "payment_service.webhooks",
]


@dataclass(frozen=True)
class Starts:
    """Starts processes with a wrong setting."""

    server: ForkServer | None
    log: Path

    def until_ended(self, module: str, *arguments: str) -> tuple[int, list[str]]:
        """The exit code, and the lines that it wrote."""
        env = {**os.environ, "KAFKA_TRANSACTIONS": "maybe"}
        process = start(self.server, module, arguments, env, self.log)
        return process.wait(60), self.log.read_text().splitlines()


@pytest.fixture
def starts(fork_server: ForkServer | None, tmp_path: Path) -> Starts:
    return Starts(fork_server, tmp_path / "log")


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_refuses_a_wrong_setting_in_one_line_of_json(name: str, starts: Starts) -> None:
    code, lines = starts.until_ended(f"services.{name}")
    assert code == LASTING_EXIT_CODE
    (line,) = lines
    said: dict[str, Any] = json.loads(line)
    assert said["error"] == "KAFKA_TRANSACTIONS: give true or false"
    assert (said["level"], said["event"]) == ("error", "the process can't start")


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES[:7])
def test_faust_starts_the_same_worker(name: str, starts: Starts) -> None:
    """It reads the same settings, and refuses them in the same line."""
    # The package takes the place of its module, so only its submodule can be found again.
    code, lines = starts.until_ended("faust.__main__", "-A", f"services.{name}", "worker")
    assert code == LASTING_EXIT_CODE
    assert '"event": "the process can\'t start"' in lines[-1]
