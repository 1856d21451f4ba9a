"""A browser without JavaScript: follows redirects, keeps cookies, fills in a page's forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass
class PageForm:
    """A form as a page has it; ``values`` are those of its fields as they stand."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self.text: list[str] = []
        self._select = ""
        self._quiet = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name, value = has.get("name") or "", has.get("value") or ""
        if tag == "form":
            self.forms.append(PageForm(has.get("action") or "", has.get("method") or "get"))
        elif tag == "input" and name and self.forms:
            if has.get("type") != "checkbox" or "checked" in has:
                self.forms[-1].values[name] = value
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in has or self._select not in self.forms[-1].values):
            self.forms[-1].values[self._select] = value
        elif tag in ("script", "style"):
            self._quiet += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._quiet -= 1

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.text.append(data)


@dataclass(frozen=True)
class Seen:
    """A page."""

    url: str
    status: int
    html: str
    headers: httpx.Headers

    @property
    def text(self) -> str:
        """What is read, with single spaces."""
        return " ".join("".join(self._parsed().text).split())

    def form(self, action: str) -> PageForm:
        """The form that goes to an address with this in it."""
        (found,) = [each for each in self._parsed().forms if action in each.action]
        return found

    def _parsed(self) -> _Forms:
        parser = _Forms()
        parser.feed(self.html)
        return parser


class Reader:
    """Somebody at a browser."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.url = url
        self._client = httpx.Client(
            base_url=url,
            follow_redirects=True,
            timeout=90,
            headers={"Accept-Language": language, "Sec-Fetch-Site": "same-origin"},
        )

    def get(self, path: str, status: int = 200) -> Seen:
        """Open a page."""
        return self._seen(self._client.get(path), status)

    def status(self, path: str) -> int:
        """The status with which a page is answered."""
        return self._client.get(path).status_code

    def send(self, page: Seen, action: str, status: int = 200, **values: str) -> Seen:
        """Fill in a form of a page and send it."""
        form = page.form(action)
        unknown = set(values) - set(form.values) - {"sure", "stop", "unlisted"}
        assert not unknown, f"the form has no {unknown}"
        assert form.method == "post"
        return self._seen(self._client.post(form.action, data=form.values | values), status)

    def _seen(self, answer: httpx.Response, status: int) -> Seen:
        assert answer.status_code == status, (str(answer.url), answer.status_code, answer.text)
        return Seen(str(answer.url), answer.status_code, answer.text, answer.headers)

    def close(self) -> None:
        """End."""
        self._client.close()
