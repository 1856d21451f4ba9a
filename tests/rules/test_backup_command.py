"""What `jointbuy backup` and `jointbuy restore` refuse before they begin, each with one line."""

import asyncio
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from runtime.archive import FORMAT, MANIFEST, Manifest, sealed
from terminal import ops
from terminal.archive_stores import Folder, is_absent, problem_in
from terminal.console import Mistake
from terminal.restore import erased_since

app = typer.Typer(pretty_exceptions_enable=False)
ops.register(app)
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def jointbuy(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKA_TRANSACTIONS", "true")
    (tmp_path / "whole").mkdir()
    empty = Manifest(FORMAT, "9.9", AT, "c", "shop-", 4, "wall", {}, [], [], {}, [])
    (tmp_path / "whole" / MANIFEST).write_bytes(sealed(empty))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").touch()
    (tmp_path / "words.txt").write_text("m-1\n")


REFUSED: list[tuple[str, list[str], dict[str, str], int, str]] = [
    ("another scheme", ["backup", "gs://b"], {}, 2, "gs:// is not known"),
    ("no bucket", ["backup", "s3:///a"], {}, 2, "give s3://bucket/prefix"),
    ("a store in clear", ["backup", "s3://b"], {"AWS_ENDPOINT_URL": "http://store.example"}, 1,
     "is not encrypted"),
    ("a secret's file that is not there", ["backup", "s3://b"],
     {"AWS_SECRET_ACCESS_KEY_FILE": "no/such"}, 2, "AWS_SECRET_ACCESS_KEY_FILE can't be read"),
    ("a folder of somebody", ["backup", "home"], {}, 1, "home has letter.txt in it"),
    ("a file", ["backup", "words.txt"], {}, 1, "words.txt: Not a directory"),
    ("a backup is there", ["backup", "whole"], {}, 1, "whole has a backup already"),
    ("no transactions", ["backup", "new"], {"KAFKA_TRANSACTIONS": "false"}, 1,
     "a broker without transactions"),
    ("nothing there", ["restore", "none"], {}, 1, "none has no manifest.json"),
    ("another folder", ["restore", "home"], {}, 1, "home has no manifest.json"),
    ("a wrong prefix", ["restore", "whole", "--prefix", "a/b"], {}, 2, "dashes and underscores"),
    ("another clock", ["restore", "whole", "--yes"], {"CLOCK": "log"}, 1, "has CLOCK=wall"),
    ("to no transactions", ["restore", "whole", "--yes"], {"KAFKA_TRANSACTIONS": "false"}, 1,
     "restore to a broker with transactions"),
    ("no answer", ["restore", "whole"], {}, 2, "from the prefix 'shop-' and 4 partitions"),
    ("no times", ["restore", "whole", "--erased", "words.txt"], {}, 2,
     "line 1 of words.txt is not a time and a person's id"),
    ("no file", ["restore", "whole", "--erased", "none.txt"], {}, 2, "none.txt: No such file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "command", "env", "code", "said"), REFUSED, ids=[each[0] for each in REFUSED]
)
def test_what_can_t_be_is_refused_at_once(
    what: str,
    command: list[str],
    env: dict[str, str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    result = jointbuy(*command)
    assert said in result.stderr
    assert result.exit_code == code
    assert result.stderr.count("\n") == 1


def test_a_backup_is_checked_without_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = jointbuy("restore", "whole", "--dry-run")
    assert result.exit_code == 0
    assert "whole is whole: 0 records of 2026-05-01 12:00" in result.stdout


#: Of Amazon's, versitygw's and no store: an error's text, whether the object is not there, a line.
ANSWERS: list[tuple[str, bool, str]] = [
    ("404: <Error><Code>NoSuchKey</Code><Message>It is not there.</Message></Error>", True,
     "the store refuses: It is not there [NoSuchKey]"),
    ("404 Not Found: \n\nDebug source:", True, "404 Not Found: "),
    ("404: <Error>\n<Code>NoSuchBucket</Code><Message>No.</Message>", False,
     "there is no such bucket: make it, or look at AWS_ENDPOINT_URL [NoSuchBucket]"),
    ("403: <Code>InvalidAccessKeyId</Code>\nDebug source: NoSuchBucket", False,
     "the store does not know the access key: look at AWS_ACCESS_KEY_ID [InvalidAccessKeyId]"),
    ("404: <Code>XAdminUserNotFound</Code><Message>No user\nhas it.</Message>", False,
     "the store refuses: No user has it [XAdminUserNotFound]"),
    ("error sending request for url (http://127.0.0.1:1)\n\nDebug source:", True,
     "the store does not answer: look at AWS_ENDPOINT_URL and AWS_REGION"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "is_not_there", "said"), ANSWERS)
def test_an_error_of_a_store_is_one_line(error: str, is_not_there: bool, said: str) -> None:
    assert (is_absent(error), problem_in(error)) == (is_not_there, said)


LINES: list[tuple[str, str, list[str]]] = [
    ("nobody", "", []),
    ("empty lines", "\n \n2026-05-02T00:00:00+00:00 m-1\n", ["m-1"]),
    ("twice", "2026-05-02T00:00:00+00:00 m-1\n2026-05-03T00:00:00+00:00 m-1", ["m-1"]),
    ("long before", "2026-05-01T10:59:59+00:00 m-1\n2026-05-01T13:00:00+00:00 m-2", ["m-2"]),
    ("by another clock", "2026-05-01T11:00:00+00:00 m-1", ["m-1"]),
    ("another zone", "2026-05-01T13:30:00+02:00 acme:ann b", ["acme:ann b"]),
]


@pytest.mark.parametrize(("what", "text", "found"), LINES, ids=[each[0] for each in LINES])
def test_who_was_erased_since_the_backup_is_erased_again(
    what: str, text: str, found: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "erased.txt"
    path.write_text(text)
    assert erased_since(path, AT) == found


@pytest.mark.parametrize(
    "line", ["2026-05-02T00:00:00+00:00", "2026-05-02T00:00:00 m-1", "m-1 m-1", "2026-05-02 a/b"]
)
def test_a_line_that_is_no_erasure_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "erased.txt"
    path.write_text(f"{(AT + timedelta(days=1)).isoformat()} m-1\n{line}\n")
    with pytest.raises(Mistake, match="line 2 of"):
        erased_since(path, AT)


def test_files_of_a_folder_are_private_and_whole(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a" / "b")
    asyncio.run(folder.put("topics/orders/0", b"1"))
    asyncio.run(folder.put("topics/orders/0", b"2"))
    assert asyncio.run(folder.get("topics/orders/0")) == b"2"
    assert asyncio.run(folder.get("topics/orders/1")) is None
    found = [tmp_path / "a" / "b", *(tmp_path / "a" / "b").rglob("*")]
    assert {each.stat().st_mode & 0o777 for each in found} == {0o700, 0o600}
    assert len(found) == 4


def test_a_disk_that_takes_no_more_is_named(tmp_path: Path) -> None:
    """By a limit of this process, which fails as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(Mistake, match=r"can't be written: .*: the backup is not complete"):
            asyncio.run(Folder(tmp_path / "full").put("manifest.json", b"1" * 101))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "full" / "manifest.json").exists()
