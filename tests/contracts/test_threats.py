"""What docs/threats.md says of the code: each test, module and file that it names is there."""

import re
from pathlib import Path

import pytest

THREATS = Path("docs/threats.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", THREATS)))


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("test_")])
def test_each_test_that_is_named_is_there(name: str) -> None:
    assert list(Path("tests").rglob(f"{name}.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMED if name.endswith(".py")])
def test_each_file_that_is_named_is_there(name: str) -> None:
    assert any(Path(root, name).is_file() for root in (".", "services"))


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("bench.")])
def test_each_bench_that_is_named_is_there(name: str) -> None:
    assert Path(f"{name.replace('.', '/')}.py").is_file()
