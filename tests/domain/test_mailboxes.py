"""Which texts are addresses that a letter can go to, and how SMTP writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.addresses import canonical
from domain.mailboxes import AddressError, mailbox, usable
from texts.facts import ADDRESSES
from texts.reasons import reason as reason_text

#: As typed, as kept, and as SMTP writes it.
TAKEN = [
    ("ada@example.org", "ada@example.org", "ada@example.org"),
    # Blanks around it, and the full stop of a sentence.
    (" ada@example.org\t", "ada@example.org", "ada@example.org"),
    ("\u3000ada@example.org\u200b", "ada@example.org", "ada@example.org"),
    ("\ufeffada@example.org\u00a0", "ada@example.org", "ada@example.org"),
    ("ada@example.org.", "ada@example.org", "ada@example.org"),
    # Local parts of atoms.
    ("o'hara+tag/x=y@example.org", "o'hara+tag/x=y@example.org", "o'hara+tag/x=y@example.org"),
    ("a!#$%&*-^_`{|}~?@example.org", "a!#$%&*-^_`{|}~?@example.org", None),
    ("-@example.org", "-@example.org", None),
    ("ADA@example.org", "ADA@example.org", None),
    (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org", None),
    # Dots where no dot-atom has them, as Japanese carriers gave them out.
    ("a..b@docomo.ne.jp", "a..b@docomo.ne.jp", '"a..b"@docomo.ne.jp'),
    ("a.@docomo.ne.jp", "a.@docomo.ne.jp", '"a."@docomo.ne.jp'),
    (".a@ezweb.ne.jp", ".a@ezweb.ne.jp", '".a"@ezweb.ne.jp'),
    ("a...-._@docomo.ne.jp", "a...-._@docomo.ne.jp", '"a...-._"@docomo.ne.jp'),
    ('"a..b"@docomo.ne.jp', '"a..b"@docomo.ne.jp', '"a..b"@docomo.ne.jp'),
    # Quotes given.
    ('"ada lovelace"@example.org', '"ada lovelace"@example.org', None),
    ('"ada"@example.org', '"ada"@example.org', "ada@example.org"),
    (r'"a\"b\\c"@example.org', r'"a\"b\\c"@example.org', None),
    (r'"a\@b"@example.org', r'"a\@b"@example.org', '"a@b"@example.org'),
    ('"a,b;(c)<d>"@example.org', '"a,b;(c)<d>"@example.org', None),
    # Domains outside ASCII, and large ones.
    ("ann@bücher.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
    ("ann@BÜCHER.Example", "ann@BÜCHER.Example", "ann@xn--bcher-kva.example"),
    ("ann@bu\u0308cher.example", "ann@bu\u0308cher.example", "ann@xn--bcher-kva.example"),
    ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example", None),
    ("ann@straße.example", "ann@straße.example", "ann@xn--strae-oqa.example"),
    ("ann@例え。jp", "ann@例え.jp", "ann@xn--r8jz45g.jp"),
    ("ann@xn--i-7iq.ws", "ann@xn--i-7iq.ws", None),
    ("ann@EXAMPLE.Org", "ann@EXAMPLE.Org", "ann@example.org"),
    ("ann@a.b.c.d.e.f.g.h.i.example", "ann@a.b.c.d.e.f.g.h.i.example", None),
    ("ann@1.2.3.example", "ann@1.2.3.example", None),
    ("ann@localhost", "ann@localhost", None),
    (f"a@{'l' * 63}.example", f"a@{'l' * 63}.example", None),
    (f"aa@{'.'.join(['l' * 62] * 4)}", f"aa@{'.'.join(['l' * 62] * 4)}", None),
    # Local parts that need SMTPUTF8.
    ("jörg@example.com", "jörg@example.com", None),
    ("jo\u0308rg@example.com", "jo\u0308rg@example.com", "jörg@example.com"),
    ("会員@例え.jp", "会員@例え.jp", "会員@xn--r8jz45g.jp"),
    ("ö..b@example.com", "ö..b@example.com", '"ö..b"@example.com'),
    (f"{'ö' * 32}@example.org", f"{'ö' * 32}@example.org", None),
    # Wide characters of Japanese keyboards.
    ("ann\uff20example.org", "ann@example.org", "ann@example.org"),
    ("\uff41\uff4e\uff4e\uff20example\uff0eorg", "ann@example.org", "ann@example.org"),
    ("ann@example\uff61org", "ann@example.org", "ann@example.org"),
]  # fmt: skip
REFUSED = [
    (None, "missing", None),
    ("", "missing", None),
    (" \u200b", "missing", None),
    ("ada", "no_at", None),
    ("ada, bob", "no_at", None),
    ("@example.org", "local", None),
    ("ada@", "domain", None),
    ('""@example.org', "local", None),
    ("ada lovelace@example.org", "local", None),
    ('"a"b"@example.org', "local", None),
    ('"ada@example.org', "local", None),
    ("a\\b@example.org", "local", None),
    ("a:b@example.org", "local", None),
    ("a\ufe6bb@example.org", "local", None),
    ("a\xb8@example.org", "local", None),
    ("=?utf-8?q?mallory=40evil.example?=@example.org", "local", None),
    ('"=?utf-8?b?eA==?="@example.org', "local", None),
    ("ada @example.org", "blank", "ada@example.org"),
    ("ada@ example.org", "blank", "ada@example.org"),
    ("a@example.org, b@example.org", "several", None),
    ("a@example.org,b@example.org", "several", None),
    ("a@example.org;b@example.org", "several", None),
    ("a@example.org、b@example.org", "several", None),
    ("a@example.org b@example.org", "several", None),
    ("a\uff20b@example.org", "several", None),
    ("a@@example.org", "several", None),
    ("a@example.org,", "several", None),
    ("a@example,org", "several", None),
    ("Ada <a@example.org>", "named", "a@example.org"),
    ("\uff1ca@example.org\uff1e", "named", "a@example.org"),
    ("mailto:a@example.org", "named", "a@example.org"),
    ("Ada <a..b@docomo.ne.jp>", "named", "a..b@docomo.ne.jp"),
    ("a@example.org>", "domain", None),
    ("ada(her)@example.org", "comment", None),
    ("ada@example.org (Ada)", "comment", None),
    ("a@example.org\r\nBcc: b@example.org", "hidden", None),
    ("a\nb@example.org", "hidden", None),
    ("a\0@example.org", "hidden", None),
    ("a\x85@example.org", "hidden", None),
    ("a\u200b@example.org", "hidden", None),
    ("a\u202eb@example.org", "hidden", None),
    ("a\ud800@example.org", "hidden", None),
    ('"a\nb"@example.org', "hidden", None),
    ("a@example.org\n", "domain", None),
    ("a@exa\0mple.org", "domain", None),
    ("a@\u202eexample.org", "domain", None),
    ("a@-example.org", "domain", None),
    ("a@example-.org", "domain", None),
    ("a@exa_mple.org", "domain", None),
    ("a@example..org", "domain", None),
    ("a@.example.org", "domain", None),
    ("a@example.org..", "domain", None),
    ("a@i❤.example", "domain", None),
    (f"a@{'l' * 64}.example", "domain", None),
    ("a@example", "no_dot", None),
    ("a@bücher", "no_dot", None),
    ("a@127.0.0.1", "ip", None),
    ("a@[127.0.0.1]", "ip", None),
    ("a@[IPv6:::1]", "ip", None),
    ("a@2130706433", "ip", None),
    ("a@example.123", "ip", None),
    (f"{'a' * 65}@example.org", "long", None),
    (f"{'ö' * 33}@example.org", "long", None),
    (f"a..{'a' * 60}@example.org", "long", None),
    (f"a@{'.'.join(['l' * 60] * 5)}", "long", None),
    (f"{'a' * 60}@{'.'.join(['l' * 60] * 4)}", "long", None),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "written", "wire"), TAKEN)
def test_an_address_is_taken_and_written_for_smtp(
    typed: str, written: str, wire: str | None
) -> None:
    assert mailbox(typed) == (written, wire or written)


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "_written", "_wire"), TAKEN)
def test_an_address_stays_the_same_mailbox_when_it_is_read_again(
    typed: str, _written: str, _wire: str | None
) -> None:
    found = mailbox(typed)
    assert usable(found.written) == usable(found.wire) == found.wire
    assert canonical(typed) == canonical(found.written) == canonical(found.wire)


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "reason", "meant"), REFUSED)
def test_a_text_that_is_not_one_address_is_refused_with_the_reason(
    typed: str | None, reason: str, meant: str | None
) -> None:
    with pytest.raises(AddressError) as refused:
        mailbox(typed)
    assert (refused.value.reason, refused.value.meant) == (reason, meant)
    assert "ada@example.com" not in (typed or "")
    said = reason_text(ADDRESSES, refused.value.reason).replace("ada@example.com", "")
    assert not typed or "@" not in typed.strip("@") or typed not in said


@pytest.mark.slow
@given(st.emails())
def test_every_address_of_rfc_5322_with_a_domain_is_taken(email: str) -> None:
    assert mailbox(email).written == email


TEXTS = st.text(st.sampled_from('ab.@"\\ ,;()<>\r\n\0öß。\uff20\uff0e\u200b-1:[]=?'), max_size=30)


@given(st.one_of(st.text(), TEXTS, st.builds("{}@{}".format, TEXTS, st.just("bücher.example"))))
def test_what_is_taken_is_one_mailbox_in_all_its_spellings_and_ends_no_command(text: str) -> None:
    try:
        found = mailbox(text)
    except AddressError as error:
        if error.meant is None:
            return
        found = mailbox(text := error.meant)
        # The address that was meant is one as it stands.
        assert found.written == text
    assert found.wire.isprintable()
    local, _, domain = found.wire.rpartition("@")
    assert domain.isascii()
    assert local.startswith('"') or not set(local) & set(' "(),:;<>@[\\]')
    assert usable(found.wire) == found.wire
    assert canonical(text) == canonical(found.written) == canonical(found.wire)
    assert canonical(found.wire.lower()) == canonical(text)
