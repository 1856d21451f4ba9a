"""A short run of Schemathesis over the API's own document; ``make api-fuzz`` is the long one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.brokers import RunningBroker
from tests.system.api_fuzz import fuzz
from tests.system.api_stack import Api, api_on

pytestmark = pytest.mark.system
#: Another one may find something else; this one finds the same again.
SEED = 20_260_615
#: Streams are looked at in the long run: one that has nothing to say takes its time.
LIMITS = ("--max-examples", "3", "--max-time", "30", "--exclude-path-regex", "events$")


@pytest.fixture(scope="module")
def api(kafka: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_on(kafka, tmp_path_factory.mktemp("api"), ANSWER_SECONDS="1") as running:
        yield running


@pytest.mark.parametrize("who", ["admin", pytest.param("shop", marks=pytest.mark.long)])
def test_every_answer_is_as_documented(api: Api, tmp_path: Path, who: str) -> None:
    run = fuzz(api, tmp_path, who, SEED, *LIMITS)
    assert run.status == 0, run.output
