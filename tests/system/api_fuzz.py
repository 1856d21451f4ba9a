"""Schemathesis over the API's own document, as anyone, a shop, a seller and the admin.

``python -m tests.system.api_fuzz --minutes 5`` starts a broker and a stack of its own; ``--seed``
repeats a run.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from stack import brokers
from tests.system.api_stack import Api, api_on

#: 422 is the rules' refusal of what has the right shape, 400 that of what has not.
CONFIG = """
suppress-health-check = ["all"]
request-timeout = 6
max-stream-events = 1
[auth.openapi.bearer]
bearer = "${JOINTBUY_CREDENTIAL}"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 413, 415, 422, 429]
# Bytes may be an image by the schema and not by their decoder: 415.
[[operations]]
include-path = "/images"
include-method = "POST"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 415, 422, 429]
[output.truncation]
enabled = true
"""


@dataclass(frozen=True)
class Run:
    """What came of a run as somebody."""

    who: str
    status: int
    output: str


def fuzz(api: Api, folder: Path, who: str, seed: int, *limits: str) -> Run:
    """Run all checks as somebody, with these limits on the command line."""
    shop, (_, seller) = api.shop(), api.seller()
    definition = api.definition(shop)["definition_id"]
    api.nobody.post("/group-purchases", {"definition_id": definition, "number_of_products": 2})
    api.auction(seller)
    credential = {"admin": api.admin, "shop": shop, "seller": seller}[who].credential
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", str(config), "run", f"{api.nobody.url}/api/v1/openapi.json"),
            *("--checks", "all", "--seed", str(seed), "--no-shrink", *limits),
        ],
        env={
            **os.environ,
            "JOINTBUY_CREDENTIAL": str(credential),
            "NO_COLOR": "1",
            "SCHEMATHESIS_HOOKS": "tests.system.api_formats",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return Run(who, done.returncode, done.stdout + done.stderr)


def main() -> int:
    """The long run; 1 if it found anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--as", dest="who", action="append", choices=["admin", "shop", "seller"])
    asked = parser.parse_args()
    whos = asked.who or ["admin", "shop", "seller"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = brokers.start(brokers.choose(), home=folder / "broker")
        try:
            with api_on(broker, folder, ANSWER_SECONDS="2") as api:
                seconds = max(int(asked.minutes * 60 / len(whos)), 10)
                found = 0
                for who in whos:
                    run = fuzz(api, folder, who, asked.seed, "--max-time", str(seconds))
                    sys.stdout.write(f"=== as {who}, seed {asked.seed}\n{run.output}\n")
                    found |= run.status
                for worker in api.stack.workers:
                    alive = worker.process is not None and worker.process.poll() is None
                    faults = worker.log.read_text(errors="replace").count('"error"')
                    sys.stdout.write(f"{worker.module}: alive {alive}, errors logged {faults}\n")
                    found |= not alive
                return int(bool(found))
        finally:
            broker.stop()


if __name__ == "__main__":
    raise SystemExit(main())
