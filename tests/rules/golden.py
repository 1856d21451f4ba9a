"""Writes the golden letters anew: ``make golden``; then read the diff as a recipient would."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from schemas.messages import Notice
from services.notifier.letters.wording import LANGUAGES
from tests.rules.letter_samples import golden, parts, read, samples, written

FOLDER = Path(__file__).parents[1] / "golden" / "letters"
#: Also kept whole, with the styles that golden files leave out, to be opened in a browser.
WHOLE = (("contract-concluded-applicant", "en"), ("invitation", "ja"))


def files() -> dict[str, Callable[[], str]]:
    """What makes every golden file's text, by the file's name."""
    letters = {
        f"{name}.{language}.txt": partial(_decoded, notice)
        for language in LANGUAGES
        for name, notice in samples(language).items()
    }
    whole = {
        f"{name}.{language}.html": partial(_html, samples(language)[name])
        for name, language in WHOLE
    }
    return letters | whole


def _decoded(notice: Notice) -> str:
    return golden(read(written(notice)))


def _html(notice: Notice) -> str:
    return parts(read(written(notice)))["text/html"]


def main() -> None:
    """Write them, and delete those that no sample makes any more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = files()
    for path in FOLDER.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text(), encoding="utf-8", newline="\n")
    print(f"{len(wanted)} files in {FOLDER}")


if __name__ == "__main__":
    main()
