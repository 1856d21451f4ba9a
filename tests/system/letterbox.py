"""Letters as their readers have them: found in Mailpit, opened in a browser, links and all."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.system.mail import Mailpit
from tests.system.stack import until

KIND = re.compile(rb"^X-Jointbuy-Kind: (\S+)\r?$", re.M)


@dataclass(frozen=True)
class Letterbox:
    """Everybody's, on one mail server."""

    mailpit: Mailpit

    def told(self, addresses: Iterable[str]) -> Counter[tuple[str, str]]:
        """How many letters of each kind have come to each of these addresses."""
        wanted = set(addresses)
        return Counter(
            (to, self._kind(each["ID"]))
            for each in self.mailpit.messages()
            for to in (each["To"][0]["Address"],)
            if to in wanted
        )

    def open(self, reader: Page, to: str, kind: str) -> None:
        """Wait for the letter of a kind to an address, and show it to its reader."""

        def arrived() -> str | None:
            found = (each["ID"] for each in self.mailpit.messages(to))
            return next((id for id in found if self._kind(id) == kind), None)

        id = until(f"a letter {kind} to {to}", arrived, 90)
        reader.goto(f"{self.mailpit.url}/view/{id}.html")

    def follow(self, reader: Page, to: str, kind: str, place: str) -> str:
        """Open the letter and the link in it that leads to a place; the link's address."""
        self.open(reader, to, kind)
        link = reader.locator(f'a[href*="{place}"]').first.get_attribute("href")
        assert link
        reader.goto(link)
        return link

    def _kind(self, id: str) -> str:
        (kind,) = KIND.findall(self.mailpit.raw(id))
        return str(kind.decode())
