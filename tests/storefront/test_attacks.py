"""A short run of every attack on the storefront in this process; ``make attack`` is the whole."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel

from services.storefront.api.parameters import SHAPES
from tests.attack import attacks
from tests.attack.attacks import FORMS, KINDS, Attack, page_routes, shape_paths, some_of
from tests.attack.judging import problems_of
from tests.attack.targets import in_process
from tests.system.test_credentials import who_of

SEED = 20_261_129
#: So many of each kind; few kinds have fewer.
SOME = 150
#: What once broke something is never left out.
ALWAYS = (": exponent", ": NUL", ": half a pair", "in unicode_escape", "in punycode")
WHO_OF = who_of()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pydantic serializer")
@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_comes_of_what_is_refused_and_nothing_breaks(
    kind: str, tmp_path: Path
) -> None:
    async with in_process(tmp_path) as target:
        there_are = attacks.attacks_of(kind, target.means, WHO_OF)
        chosen = some_of(there_are, SOME, SEED)
        if kind.startswith("fields"):
            chosen += [each for each in there_are if each.label.endswith(ALWAYS)]
        found: list[str] = []
        statuses: Counter[int] = Counter()
        for each in chosen:
            answer = await target.ask(each)
            statuses[answer.status] += 1
            found += problems_of(each, answer)
    assert not found, "\n".join(found[:40])
    assert len(chosen) >= SOME
    if kind.startswith("fields"):
        assert any(status < 400 for status in statuses), "good ones among them, so it is reached"


@pytest.mark.slow
async def test_there_are_thousands_and_they_are_the_same_each_time(tmp_path: Path) -> None:
    async with in_process(tmp_path) as target:
        fields = [
            [
                each.label
                for kind in ("fields of the API", "fields of forms", "tokens")
                for each in attacks.attacks_of(kind, target.means, WHO_OF)
            ]
            for _ in range(2)
        ]
    assert fields[0] == fields[1]
    assert len(fields[0]) > 4_444


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_field_of_every_body_is_attacked(shape: type[BaseModel]) -> None:
    body = attacks.BODIES[shape.__name__]
    for path in shape_paths(shape):
        attacks._value_at(body, path)


def test_every_form_is_attacked() -> None:
    assert set(FORMS) == {name for name in page_routes() if name.startswith("POST")}


ODD_NUMBERS = (
    *("1_0", "1e1", "0x1", "%D9%A1", "%EF%BC%91", "+1", "-1", "1.0", "%201", "", "inf", "1%00"),
    *("0", "101", "9" * 5_000),
)


@pytest.mark.parametrize("path", ["auctions", "group-purchases", "definitions"])
async def test_a_number_in_an_address_is_digits(path: str, tmp_path: Path) -> None:
    async with in_process(tmp_path) as target:
        for odd in ODD_NUMBERS:
            answer = await target.ask(Attack("", "GET", f"/api/v1/{path}?limit={odd}"))
            assert answer.status == 400, odd
            assert b'"field":"query.limit"' in answer.body
        assert (await target.ask(Attack("", "GET", f"/api/v1/{path}?limit=10"))).status == 200
