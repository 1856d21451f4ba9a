"""Which invoices an entry of a bank statement names, and in which of its fields. Pure.

The number may stand in any field that a payer or a bank writes (``OCA/bank-statement-import#1006``,
``#187``). Fields are read in this order: structured references, the payer's text, the payer's ids,
the bank's words. A certain number in one field explains a shortened one in another field. If no
field names all the numbers of the other fields, the fields are contradictory.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from domain.references import Mention, mentions_in

#: What banks write where a payer gave no reference.
NOTHING_GIVEN = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF", "NOREF"})
_STRUCTURED = ("CdtrRefInf/Ref", "RfrdDocInf/Nb", "RfrdDocInf/LineDtls/Id/Nb")
_IDS = ("Refs/EndToEndId", "Refs/InstrId", "Refs/PmtInfId", "Refs/Prtry/Ref", "RltdRmtInf/RmtId")
_PAYERS = ("Dbtr/Nm", "Dbtr/Pty/Nm", "UltmtDbtr/Nm", "UltmtDbtr/Pty/Nm")


@dataclass(frozen=True, slots=True)
class Named:
    """The numbers that an entry names, each once."""

    mentions: tuple[Mention, ...] = ()
    is_contradictory: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of an entry in the bank's lines; each id and structured field is a line."""

    payer: str
    end_to_end: str
    structured: tuple[str, ...]
    lines: tuple[str, ...]
    ids: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.structured, *self.lines, *self.ids, *self.words)

    @property
    def shown(self) -> str:
        """The text for people: the payer's words, or else the bank's."""
        said = (*self.structured, *self.lines) or self.words or self.ids
        return " ".join(" ".join(said).split())

    def named(self) -> Named:
        """The numbers that are named, in the order of the fields."""
        sources = [
            [mention for each in self.structured for mention in mentions_in([each])],
            mentions_in(self.lines),
            [mention for each in self.ids for mention in mentions_in([each])],
            [mention for each in self.words for mention in mentions_in([each])],
        ]
        found: dict[str, Mention] = {}
        for each in (mention for source in sources for mention in source):
            known = found.get(each.number)
            if known is None or (each.is_certain and not known.is_certain):
                found[each.number] = each
        certain = [each.number for each in found.values() if each.is_certain]
        kept = {
            number: each
            for number, each in found.items()
            if each.is_certain or not _is_explained(each, certain)
        }
        sets = [{each.number for each in source} & set(kept) for source in sources]
        is_contradictory = bool(kept) and all(each != set(kept) for each in sets)
        return Named(tuple(kept.values()), is_contradictory)


def _is_explained(cut: Mention, certain: list[str]) -> bool:
    return any(each.startswith(cut.number) and each != cut.number for each in certain)


def texts_of(entry: Element, part: Element, *, is_alone: bool) -> Texts:
    """The texts of a transaction, and of its entry if it is the entry's only transaction."""
    related = part.find("RltdPties")
    payers = () if related is None else tuple(_all(related, *_PAYERS))
    remitted = part.findall("RmtInf/Strd")
    structured = [text for each in remitted for text in _all(each, *_STRUCTURED)]
    lines = _all(part, "RmtInf/Ustrd")
    lines += [text for each in remitted for text in _all(each, "AddtlRmtInf")]
    words = _all(part, "AddtlTxInf")
    ids = _all(part, *_IDS)
    if is_alone:
        ids += _all(entry, "NtryDtls/Btch/PmtInfId")
        words += _all(entry, "AddtlNtryInf")
    return Texts(
        payer=" ".join(payers[0].split()) if payers else "",
        end_to_end=" ".join((*_all(part, "Refs/EndToEndId"), "")).strip(),
        structured=tuple(structured),
        lines=tuple(lines),
        ids=tuple(ids),
        words=tuple(words),
    )


def _all(of: Element, *paths: str) -> list[str]:
    """The texts of elements; those that say that nothing was given are left out."""
    texts = (each.text or "" for path in paths for each in of.findall(path))
    return [each for each in texts if each.strip() and each.strip().upper() not in NOTHING_GIVEN]
