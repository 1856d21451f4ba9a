"""docker-compose.yml as Docker Compose's own parser reads it, and its services as plain processes.

There is no engine on the machines that run the tests. So a service's command and environment are
those of its container, and only what a container has to itself is another thing here: the hosts'
names, the ports, and the folder of its rows.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.make_secrets import NAMES
from runtime.ports import free_port
from tests.system.go_tools import go_tool
from tests.system.stack import Worker

MODULE = Path(__file__).resolve().parents[1] / "compose"
PARSER = "github.com/compose-spec/compose-go/v2"
#: For a parse alone: no process sees them.
SOME_SECRETS = dict.fromkeys(NAMES, "0123456789abcdef" * 3)


class ComposeError(ValueError):
    """The file is refused; the message is the parser's."""


def composed(file: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """The file with an environment filled in, as Docker Compose has it. Raises ComposeError.

    Raises GoToolError where the parser can't be built.
    """
    parser = go_tool(MODULE, PARSER, "compose-parser")
    read = subprocess.run(
        [parser, file], env=dict(given), capture_output=True, text=True, check=False, timeout=60
    )
    if read.returncode:
        raise ComposeError(read.stderr)
    found: dict[str, Any] = json.loads(read.stdout)
    return found


def of_image(dockerfile: Path) -> dict[str, str]:
    """The variables that the image sets."""
    lines = re.findall(r"^ENV (.+)$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    told = dict(each.split("=", 1) for line in lines for each in line.split())
    # How the image runs Python is not how the tests do.
    return {name: value for name, value in told.items() if not name.startswith(("PATH", "PYTHON"))}


@dataclass(frozen=True)
class Here:
    """Where on this machine is what containers find by name."""

    broker: str
    database: str
    mail_port: int
    folder: Path

    def process(self, name: str, service: Mapping[str, Any], image: Mapping[str, str]) -> Worker:
        """A container's command with its environment, as a process that is not started yet."""
        python, dash_m, module, *arguments = service["command"]
        assert (python, dash_m) == ("python", "-m")
        told = {**image, **service["environment"]}
        elsewhere = {"kafka:19092": self.broker, "@postgres/": f"@{self.database}/"}
        for at, here in elsewhere.items():
            told = {key: value.replace(at, here) for key, value in told.items()}
        if told.get("SMTP_HOST") == "mailpit":
            told |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.mail_port)}
        port, ops_port = free_port(), free_port()
        here = {
            "STATE_DIR": str(self.folder / name),
            "WEB_HOST": "127.0.0.1",
            "WEB_PORT": str(port),
            "OPS_HOST": "127.0.0.1",
            "OPS_PORT": str(ops_port),
        }
        assert set(here) <= set(told), "a variable that containers do not have"
        # What any process has, and the tests' own: nothing else of this machine's environment.
        kept = ("PATH", "HOME", "LANG", "LD_", "PYTHON", "SSL_", "JOINTBUY_")
        around = {key: value for key, value in os.environ.items() if key.startswith(kept)}
        log = self.folder / f"{name}.log"
        return Worker(module, port, ops_port, {**around, **told, **here}, log, tuple(arguments))
