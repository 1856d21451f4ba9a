"""One mailbox has one canonical address, and two mailboxes never share one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.addresses import canonical

ONE_MAILBOX = {
    "me@example.org": [
        "me@example.org",
        "ME@Example.ORG",
        "  me@example.org\n",
        "me+1@example.org",
        "me+a+b@example.org",
        "me@example.org.",
        '"me"@example.org',
        '"m\\e"@example.org',
        '"me+tag"@example.org',
        "\uff4d\uff45@example.org",
        "me\uff20example.org",
    ],
    "me@gmail.com": ["m.e@gmail.com", "M.E+shop@GoogleMail.com", "me.@gmail.com"],
    "me@icloud.com": ["me@me.com", "me+x@mac.com"],
    "annalee@proton.me": ["anna.lee@protonmail.com", "anna_lee+x@pm.me", "anna-lee@protonmail.ch"],
    "anna-lee@yandex.ru": ["anna.lee@ya.ru", "anna-lee@yandex.com"],
    "base-@yahoo.co.jp": ["base-shop@yahoo.co.jp", "base-bank@yahoo.co.jp", "base-a-b@yahoo.co.jp"],
    "base-@yahoo.com": ["base-shop@yahoo.com"],
    "me@fastmail.com": ["shop@me.fastmail.com", "me+shop@fastmail.com"],
    "me@xn--bcher-kva.example": ["me@bücher.example", "me@BU\u0308CHER.example"],
    "me@xn--strae-oqa.example": ["me@straße.example", "me@xn--strae-oqa.example"],
    "josé@example.org": ["José@example.org", "jose\u0301+1@example.org"],
    "松本@xn--wgv71a.jp": ["松本+x@日本.jp", "松本@日本。jp"],
    '"two words"@example.org': ['"Two Words"@example.org', '"two\\ words"@example.org'],
}
MAILBOXES = [
    # Elsewhere a dot or a hyphen makes another mailbox.
    ("m.e@example.org", "me@example.org"),
    ("m.e@outlook.com", "me@outlook.com"),
    ("me-a@example.org", "me-b@example.org"),
    ("me-a@gmail.com", "mea@gmail.com"),
    # The base of disposable addresses is not the account of that name.
    ("base@yahoo.com", "base-shop@yahoo.com"),
    ("base-x@yahoo.com", "base-x@yahoo.co.jp"),
    ("me@outlook.com", "me@hotmail.com"),
    ("me@strasse.example", "me@straße.example"),
    ("+1@example.org", "+2@example.org"),
    (".@gmail.com", "..@gmail.com"),
    ("me@a.fastmail.com", "me@b.fastmail.com"),
]
NO_ADDRESSES = [
    "",
    " ",
    "me",
    "@",
    "@example.org",
    "me@",
    "me@@",
    "a b@c",
    "M<e>@x",
    '"@x',
    "\x00@",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "expected"),
    [(written, expected) for expected, spelled in ONE_MAILBOX.items() for written in spelled],
)
def test_every_spelling_of_a_mailbox_has_one_canonical_address(written: str, expected: str) -> None:
    """The table's right side, in lower case and without what the provider ignores."""
    assert canonical(written) == expected


@pytest.mark.parametrize(("one", "other"), MAILBOXES)
def test_two_mailboxes_stay_two(one: str, other: str) -> None:
    """A rule of one provider is not applied to another's addresses."""
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_not_an_address_comes_back_stripped_and_in_lower_case(text: str) -> None:
    """Nothing is guessed."""
    assert canonical(text) == text.strip().lower()


ADDRESSES = st.builds(
    "{}@{}".format,
    st.text(st.sampled_from('abß.+-_"\\ İé\uff4d'), max_size=12),
    st.one_of(
        st.sampled_from([
            "gmail.com", "pm.me", "ya.ru", "yahoo.co.jp", "x.y.fastmail.com", "a+b.fastmail.fm",
        ]),
        st.text(st.sampled_from("abÄß.-。xn İ\u200d"), max_size=12),
    ),
)  # fmt: skip


@given(st.one_of(st.text(), ADDRESSES))
@example("me@xn--a-.example")
@example("0@0 .")
@example("0@a\u3002")
@example("me@" + "a" * 300 + "é.example")
@example("\ud800@\udfff.example")
def test_canonical_is_total_and_changes_nothing_the_second_time(text: str) -> None:
    """For any text at all, half a surrogate pair and endless labels included."""
    once = canonical(text)
    assert canonical(once) == once


@given(
    st.text(st.sampled_from("abß.-_é"), min_size=1, max_size=12),
    st.text(st.sampled_from("abc1.-+"), max_size=8),
    st.sampled_from(["gmail.com", "pm.me", "ya.ru", "yahoo.com", "fastmail.com", "bücher.example"]),
)
def test_a_tag_makes_no_other_mailbox(local: str, tag: str, domain: str) -> None:
    """Whatever the provider."""
    assert canonical(f"{local}+{tag}@{domain}") == canonical(f"{local}@{domain}")
