"""An S3 server for tests: Versity's gateway on a folder, on 127.0.0.1, ends with us."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from runtime.ports import free_port
from stack.brokers import ends_with_this_process
from tests.system.go_tools import go_tool
from tests.system.stack import until

MODULE = Path(__file__).resolve().parents[1] / "s3"
PROGRAM = "github.com/versity/versitygw/cmd/versitygw"
REGION = "eu-central-1"
USER, KEY = "backup-user", "only-for-tests"


@dataclass
class S3Server:
    """One that runs. A bucket is a folder in ``buckets``, and an object a file in it."""

    url: str
    buckets: Path
    process: subprocess.Popen[bytes]

    @property
    def env(self) -> dict[str, str]:
        """How a client gets in."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": KEY,
        }

    def bucket(self, name: str) -> Path:
        """A new bucket; its folder."""
        folder = self.buckets / name
        folder.mkdir()
        return folder

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return httpx.get(f"{self.url}/health", timeout=2).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server without buckets. Raises ``GoToolError``."""
    binary, port = go_tool(MODULE, PROGRAM), free_port()
    (buckets := folder / "buckets").mkdir()
    (sidecar := folder / "sidecar").mkdir()
    listens = ["--port", f"127.0.0.1:{port}", "--region", REGION, "--health", "/health"]
    # Beside the files, as not every file system keeps attributes.
    keeps = ["posix", "--sidecar", str(sidecar), str(buckets)]
    with (folder / "s3.log").open("ab") as log:
        process = subprocess.Popen(
            [str(binary), *listens, *keeps],
            env={**os.environ, "ROOT_ACCESS_KEY": USER, "ROOT_SECRET_KEY": KEY},
            stdout=log,
            stderr=log,
            preexec_fn=ends_with_this_process(),  # noqa: PLW1509 - one call to the system, no more
        )
    server = S3Server(f"http://127.0.0.1:{port}", buckets, process)
    try:
        until(f"the S3 server, see {folder / 's3.log'}", server.answers)
        yield server
    finally:
        process.terminate()
        process.wait(10)
