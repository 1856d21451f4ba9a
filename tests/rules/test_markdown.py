"""Descriptions: a safe part of Markdown, whatever is written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.storefront.wares.markdown import html_of

REL = 'rel="nofollow ugc noopener"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>"),
        ("# A\n## B\n###### C", "<h3>A</h3>\n<h3>B</h3>\n<h3>C</h3>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("a  \nb\nc", "<p>a<br>\nb\nc</p>"),
        ("[a](https://a.example/お茶)", None),
        ("[a](https://a.example)", f'<p><a href="https://a.example" {REL}>a</a></p>'),
        # What is left as text.
        ("<b onclick=x>a</b>", "<p>&lt;b onclick=x&gt;a&lt;/b&gt;</p>"),
        ("![a](https://a.example/a.png)", f'<p>!<a href="https://a.example/a.png" {REL}>a</a></p>'),
        ("https://a.example", "<p>https://a.example</p>"),
        ("[a](/seller/sign-out)", "<p>[a](/seller/sign-out)</p>"),
        ("[a](//evil.example)", "<p>[a](//evil.example)</p>"),
        ("[a](https://a@evil.example)", "<p>[a](https://a@evil.example)</p>"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](JaVaScRiPt:alert(1))", "<p>[a](JaVaScRiPt:alert(1))</p>"),
        ("[a](data:text/html;base64,eA==)", "<p>[a](data:text/html;base64,eA==)</p>"),
        ("[a](mailto:a@evil.example)", "<p>[a](mailto:a@evil.example)</p>"),
        ("[a][b]\n\n[b]: https://a.example", "<p>[a][b]</p>\n<p>[b]: https://a.example</p>"),
    ],
)
def test_a_description_becomes_safe_html(text: str, html: str | None) -> None:
    found = html_of(text, links=True).strip()
    if html is None:
        assert re.fullmatch(rf'<p><a href="https://[!-~]+" {REL}>a</a></p>', found)
    else:
        assert found == html


@pytest.mark.parametrize(
    "text", ["[a](https://a.example)", "<https://a.example>", "[a]: https://a.example"]
)
def test_without_links_the_address_stays_text(text: str) -> None:
    found = html_of(text, links=False)
    assert "<a" not in found
    assert "https://a.example" in found


PIECES = st.sampled_from(
    ["[a](", "javascript:", "https://a.example", ")", "<", ">", '"', "'", "onerror=", "\n", "# ",
     "- ", "> ", "*", "`", "~~", "&lt;", "&#106;", "\\", "![", "](", "<script>", "<img src=x>", " "]
)  # fmt: skip
TAGS = re.compile(
    r'</?(?:p|h3|ul|ol|li|blockquote|strong|em|s|code)>|<ol start="\d+">|<hr>|<br>|</a>'
    rf'|<a href="https?://[^"<>]+"(?: title="[^"<>]*")? {REL}>'
)


@given(st.lists(PIECES, max_size=30).map("".join), st.booleans())
def test_no_text_makes_a_tag_that_is_not_meant(text: str, links: bool) -> None:
    found = html_of(text, links=links)
    left = TAGS.sub("", found)
    assert "<" not in left
    assert ">" not in left
    if not links:
        assert "<a" not in found


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["[", "*a", "> ", "- ", "`", "[a](", "![", "*_", "\n- a", "<", "&"]
)
def test_a_long_text_of_one_piece_is_rendered(piece: str) -> None:
    assert html_of((piece * 10_000)[:10_000], links=True)
