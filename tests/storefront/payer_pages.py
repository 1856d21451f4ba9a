"""The pages and papers of a payer, as the storefront serves them without a broker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from papers.issuer import Issuer
from runtime.links import Links
from schemas.payments import Payment
from tests.rules.paper_samples import GROUP_ID
from tests.storefront.pages_app import SECRET, Answer, Storefront, storefront_on

CLIENT = "192.0.2.1"


def as_toml(issuer: Issuer) -> str:
    """The issuer's file."""
    said = issuer.model_dump(exclude_none=True, exclude_defaults=True)
    return "\n".join(
        f"{name} = {list(value) if isinstance(value, tuple) else value!r}"
        for name, value in said.items()
    )


@dataclass
class PayerPages:
    """What the payer of a group sees by the link of a letter."""

    storefront: Storefront
    payer_id: str
    only: str = ""
    group_id: str = GROUP_ID

    @property
    def path(self) -> str:
        token = Links(SECRET).token("payer", self.group_id, self.payer_id, self.only)
        return f"/groups/{self.group_id}/payments/{token}"

    async def page(self, language: str = "en") -> str:
        return (await self._answer(self.path, language)).text

    async def paper(self, payment: Payment, language: str = "en", kind: str = "pdf") -> Answer:
        return await self._answer(f"{self.path}/{payment.payment_id}?as={kind}", language)

    async def _answer(self, path: str, language: str) -> Answer:
        accepted = {"accept-language": language}
        answer = await self.storefront.ask("GET", path, CLIENT, headers=accepted)
        assert answer.status == 200, answer.text
        return answer


@contextmanager
def payer_pages(
    url: str,
    folder: Path,
    issuer: Issuer,
    payer_id: str = "ann",
    only: str = "",
    group_id: str = GROUP_ID,
) -> Iterator[PayerPages]:
    """The pages of a storefront with this issuer; facts are written by ``write``."""
    file = folder / "issuer.toml"
    file.write_text(as_toml(issuer), encoding="utf-8")
    with storefront_on(url, invoice_issuer_file=file) as storefront:
        yield PayerPages(storefront, payer_id, only, group_id)
