"""What the doctor says about a sender's DNS records."""

import base64

import pytest

from domain.findings import Verdict
from services.notifier.rules.mail_records import dkim, dmarc, mx, places_of, spf

MODULUS = int.from_bytes(bytes([0xC1, *range(1, 256)]))
OTHER = int.from_bytes(bytes([0xC2, *range(1, 256)]))


def public(modulus: int) -> str:
    """A key as in DNS, as far as it matters: the modulus is in the middle."""
    raw = modulus.to_bytes((modulus.bit_length() + 7) // 8)
    return base64.b64encode(b"\x30\x82" + raw + b"\x02\x03\x01\x00\x01").decode()


@pytest.mark.parametrize(
    ("servers", "has_address", "verdict", "said"),
    [
        ([(20, "b.example."), (10, "a.example.")], True, "ok", "a.example, b.example"),
        ([(0, ".")], True, "fail", "takes no mail"),
        ([], True, "warn", "only an address"),
        ([], False, "fail", "none, and no address"),
    ],
)
def test_mx(servers: list[tuple[int, str]], has_address: bool, verdict: Verdict, said: str) -> None:
    found = mx("shop.example", servers, has_address=has_address)
    assert (found.verdict, said in found.said) == (verdict, True), found


@pytest.mark.parametrize(
    ("texts", "verdict", "said"),
    [
        (["v=spf1 include:mail.example -all", "other=1"], "ok", "v=spf1 include:mail"),
        (["V=SPF1 ip4:192.0.2.1 ~ALL"], "ok", "ip4"),
        (["v=spf1 redirect=mail.example"], "ok", "redirect"),
        ([], "fail", "no record"),
        (["v=spf10 -all", "spf1"], "fail", "no record"),
        (["v=spf1 -all", "v=spf1 mx ~all"], "fail", "2 records"),
        (["v=spf1 mx +all"], "fail", "everybody"),
        (["v=spf1 all"], "fail", "everybody"),
        (["v=spf1 mx ?all"], "warn", "says nothing"),
        (["v=spf1 mx"], "warn", "says nothing"),
        (["v=spf1 " + "include:a.example " * 10 + "-all"], "ok", "include"),
        (["v=spf1 " + "include:a.example " * 10 + "mx -all"], "fail", "11 terms"),
        (["v=spf1 " + "ip4:192.0.2.1 " * 20 + "-all"], "ok", "ip4"),
    ],
)
def test_spf(texts: list[str], verdict: Verdict, said: str) -> None:
    found = spf("shop.example", texts)
    assert (found.verdict, said in found.said) == (verdict, True), found


@pytest.mark.parametrize(
    ("texts", "verdict", "said"),
    [
        ([f"v=DKIM1; k=rsa; p={public(MODULUS)}"], "ok", "2048 bits"),
        ([f"p={public(MODULUS)[:40]} {public(MODULUS)[40:]}"], "ok", "2048 bits"),
        ([f"v=DKIM1; h=sha1:sha256; p={public(MODULUS)}"], "ok", "2048 bits"),
        ([f"v=DKIM1; t=y:s; p={public(MODULUS)}"], "warn", "t=y"),
        ([], "fail", "no record"),
        ([f"p={public(MODULUS)}", f"p={public(OTHER)}"], "fail", "2 records"),
        ([f"v=DKIM1; p={public(OTHER)}"], "fail", "another key"),
        (["v=DKIM1; p="], "fail", "revoked"),
        (["v=DKIM1; p=no*base64"], "fail", "not Base64"),
        ([f"v=DKIM1; k=ed25519; p={public(MODULUS)}"], "fail", "another kind"),
        ([f"v=DKIM1; h=sha1; p={public(MODULUS)}"], "fail", "SHA-256"),
        (["v=spf1 -all"], "fail", "not a DKIM record"),
        ([f"v=DKIM2; p={public(MODULUS)}"], "fail", "not a DKIM record"),
    ],
)
def test_dkim(texts: list[str], verdict: Verdict, said: str) -> None:
    found = dkim("s1._domainkey.shop.example", texts, MODULUS)
    assert (found.verdict, said in found.said) == (verdict, True), found


@pytest.mark.parametrize(
    ("own", "above", "signs", "verdict", "said"),
    [
        (["v=DMARC1; p=reject; rua=mailto:d@x.example"], [], "", "ok", "reject at _dmarc.shop"),
        (["v=DMARC1;p=quarantine"], ["v=DMARC1; p=none"], "", "ok", "quarantine"),
        (["v=DMARC1; p=none"], [], "", "warn", "delivered as yours"),
        ([], ["v=DMARC1; p=reject"], "", "ok", "reject at _dmarc.x.example"),
        ([], ["v=DMARC1; p=reject; sp=none"], "", "warn", "p=none at _dmarc.x.example"),
        (["v=DMARC1; p=reject; sp=none"], [], "", "ok", "reject"),
        ([], [], "", "fail", "no record"),
        (["v=DMARC10; p=reject"], [], "", "fail", "no record"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], [], "", "fail", "2 records"),
        (["v=DMARC1; p=never"], [], "", "fail", "no such policy"),
        (["v=DMARC1; p=reject"], [], "x.example", "ok", "reject"),
        (["v=DMARC1; p=reject"], [], "SHOP.x.example", "ok", "reject"),
        (["v=DMARC1; p=reject; adkim=s"], [], "x.example", "fail", "not the sender's"),
        (["v=DMARC1; p=reject"], [], "mail.example", "fail", "not the sender's"),
    ],
)
def test_dmarc(own: list[str], above: list[str], signs: str, verdict: Verdict, said: str) -> None:
    found = dmarc([("shop.x.example", own), ("x.example", above)], signs)
    assert (found.verdict, said in found.said) == (verdict, True), found


def test_a_policy_is_looked_for_up_to_the_domain_below_the_last_label() -> None:
    assert places_of("a.shop.example") == ["a.shop.example", "shop.example"]
    assert places_of("shop.example") == ["shop.example"]
