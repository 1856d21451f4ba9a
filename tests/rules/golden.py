"""Writes golden letters and papers anew: ``make golden``; then read the diff as a reader would."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from papers.documents import As, document
from tests.rules import paper_samples
from tests.rules.letter_samples import Sample, golden, parts, read, samples, written
from texts.catalogue import languages

FOLDER = Path(__file__).parents[1] / "golden" / "letters"
PAPERS = FOLDER.parent / "papers"
#: Also kept whole, with the styles that golden files leave out, to be opened in a browser.
WHOLE = (("contract-concluded-applicant", "en"), ("invitation", "ja"))


def files() -> dict[str, Callable[[], str]]:
    """What makes every golden file's text, by the file's name."""
    letters = {
        f"{name}.{language}.txt": partial(_decoded, sample)
        for language in languages()
        for name, sample in samples(language).items()
    }
    whole = {
        f"{name}.{language}.html": partial(_html, samples(language)[name])
        for name, language in WHOLE
    }
    return letters | whole


def _decoded(sample: Sample) -> str:
    return golden(read(written(sample)))


def _html(sample: Sample) -> str:
    return parts(read(written(sample)))["text/html"]


def papers() -> dict[str, Callable[[], str]]:
    """The same of papers: each as text, one as a page."""
    texts = {
        f"{name}.{language}.txt": partial(_paper, name, language, "text")
        for language in languages()
        for name in paper_samples.CASES
    }
    return texts | {"invoice-in-part.en.html": partial(_paper, "invoice-in-part", "en", "html")}


def _paper(name: str, language: str, kind: As) -> str:
    return document(paper_samples.paper(name, language), kind).decode()


def main() -> None:
    """Write them, and delete those that no sample makes any more."""
    for folder, wanted in ((FOLDER, files()), (PAPERS, papers())):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.name not in wanted:
                path.unlink()
        for name, text in wanted.items():
            (folder / name).write_text(text(), encoding="utf-8", newline="\n")
        print(f"{len(wanted)} files in {folder}")


if __name__ == "__main__":
    main()
