"""What a DKIM signature covers, and what settings that cannot work say."""

import re
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import dkim
import pytest

from services.notifier.edge.dkim import Signer, signer_of
from services.notifier.settings import MailSettings, MailSettingsError
from tests.keys import dkim_key, openssl

UNSUBSCRIBE = "<https://shop.example/unsubscribe/1>"


def settings(key: Path | None, domain: str = "example.org", selector: str = "s1") -> MailSettings:
    return MailSettings(dkim_domain=domain, dkim_selector=selector, dkim_key_file=key)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Callable[..., bytes]]:
    return dkim_key(tmp_path_factory.mktemp("dkim"))


@pytest.fixture
def signer(keys: tuple[Path, Callable[..., bytes]]) -> Signer:
    found = signer_of(settings(keys[0]))
    assert found is not None
    return found


def letter(**more: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    headers = {
        "From": "jointbuy <jointbuy@example.org>",
        "To": "member@example.com",
        "Subject": "条件が改善しました: your condition improved",
        "Date": "Mon, 02 Mar 2026 10:00:00 +0000",
        "Message-ID": "<1@example.org>",
        "List-Unsubscribe": UNSUBSCRIBE,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
    }
    for name, value in (headers | more).items():
        if value:
            message[name] = value
    message.set_content("It is 12.00 now.\n")
    message.add_alternative("<p>It is 12.00 now.</p>\n", subtype="html")
    return message.as_bytes()


@pytest.mark.slow
def test_a_signature_holds(signer: Signer, keys: tuple[Path, Callable[..., bytes]]) -> None:
    message = letter()
    signed = signer.sign(message)
    assert signed.endswith(message)
    assert dkim.verify(signed, dnsfunc=keys[1])
    unfolded = re.sub(rb"\r\n\s+", b" ", signed.split(b"\r\nFrom:")[0])
    covered = re.search(rb"h=([^;]+);", unfolded)
    assert covered is not None
    assert covered[1].replace(b" ", b"").decode() == (
        "from:from:to:subject:date:message-id:list-unsubscribe:list-unsubscribe"
        ":list-unsubscribe-post:list-unsubscribe-post:mime-version:content-type"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (UNSUBSCRIBE, "<https://evil.example/>"),
        ("One-Click", "Two-Click"),
        ("To: member@", "To: other@"),
        ("02 Mar", "03 Mar"),
        ("<1@example", "<2@example"),
        ("Subject: ", "Subject: re: "),
        ("multipart/alternative", "multipart/mixed"),
        ("12.00", "10.00"),
        ("To: ", "From: someone@example.net\r\nTo: "),
        ("To: ", "List-Unsubscribe: <https://evil.example/>\r\nTo: "),
    ],
)
def test_a_change_breaks_it(
    signer: Signer, keys: tuple[Path, Callable[..., bytes]], old: str, new: str
) -> None:
    signed = signer.sign(letter())
    head, message = signed[: -len(letter())], signed[-len(letter()) :]
    changed = message.replace(old.encode(), new.encode(), 1)
    assert changed != message
    assert not dkim.verify(head + changed, dnsfunc=keys[1])


@pytest.mark.slow
def test_no_header_to_unsubscribe_can_be_added_where_there_was_none(
    signer: Signer, keys: tuple[Path, Callable[..., bytes]]
) -> None:
    signed = signer.sign(letter(**{"List-Unsubscribe": "", "List-Unsubscribe-Post": ""}))
    assert dkim.verify(signed, dnsfunc=keys[1])
    added = signed.replace(b"\r\nTo: ", b"\r\nList-Unsubscribe: <https://evil.example/>\r\nTo: ")
    assert not dkim.verify(added, dnsfunc=keys[1])


def test_line_ends_are_those_of_mail_before_it_is_signed(
    signer: Signer, keys: tuple[Path, Callable[..., bytes]]
) -> None:
    signed = signer.sign(letter().replace(b"\r\n", b"\n")[:-1] + b"\rlast")
    assert signed.count(b"\n") == signed.count(b"\r") == signed.count(b"\r\n")
    assert dkim.verify(signed, dnsfunc=keys[1])


def test_without_settings_there_is_no_signer() -> None:
    assert signer_of(MailSettings()) is None


def test_some_of_the_settings_are_not_enough(keys: tuple[Path, Callable[..., bytes]]) -> None:
    for some in (settings(None), settings(keys[0], domain=""), settings(keys[0], selector="")):
        with pytest.raises(MailSettingsError, match="set DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY"):
            signer_of(some)


@pytest.mark.slow
def test_a_key_that_is_none_says_what_to_do(
    tmp_path: Path, keys: tuple[Path, Callable[..., bytes]]
) -> None:
    path = tmp_path / "key.pem"
    locked = ["genrsa", "-aes128", "-traditional", "-passout", "pass:x", 2048]
    wrong = {
        "cannot be read": None,
        "no RSA private key": b"",
        "no RSA private key in": b"\xff\xfe-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END",
        "no RSA private key in PEM": openssl("rsa", "-in", keys[0], "-pubout"),
        "no RSA private key in PEM form": openssl("genpkey", "-algorithm", "ed25519"),
        "no RSA private key in PEM form:": openssl(*locked),
        "only 512 bits": openssl("genrsa", 512),
    }
    for told, content in wrong.items():
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(MailSettingsError) as failure:
            signer_of(settings(path))
        text = str(failure.value)
        assert told in text
        assert text.startswith("the key in DKIM_KEY_FILE" if "bits" in told else "DKIM_KEY_FILE")
        assert "openssl genrsa 2048" in text
        assert "\n" not in text


def test_a_domain_of_other_letters_is_signed_for_in_ascii(
    keys: tuple[Path, Callable[..., bytes]],
) -> None:
    signer = signer_of(settings(keys[0], domain="例え.jp"))
    assert signer is not None
    assert b"d=xn--r8jz45g.jp;" in signer.sign(letter())
    with pytest.raises(MailSettingsError, match="DNS"):
        signer_of(settings(keys[0], selector="セレクタ"))
