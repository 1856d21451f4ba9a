"""Other people's stand-ins for Stripe, each in a process of its own on 127.0.0.1.

``StripeMock`` (Stripe's own, in Go) holds each request against Stripe's OpenAPI document, and keeps
nothing. ``Localstripe`` (GPL-3, so its process is all that is used of it) keeps objects and their
states; but it knows no Checkout Sessions, no idempotency keys, no codes of errors.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from runtime.ports import free_port
from stack.brokers import ends_with_this_process
from tests.system import plain_http
from tests.system.go_tools import go_sources, go_tool
from tests.system.stack import until

MODULE = Path(__file__).resolve().parents[1] / "stripe_mock"
STRIPE_MOCK = "github.com/stripe/stripe-mock"
KEY = "sk_test_123"
FORM = "application/x-www-form-urlencoded"
#: By itself it listens on all addresses of the machine, and keeps its objects in a file for all.
LOCALSTRIPE = """
import sys
from aiohttp import web
from localstripe.resources import store
from localstripe.server import app
store.dump_to_disk = lambda: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@dataclass
class StripeServer:
    """One that is running."""

    url: str
    process: subprocess.Popen[bytes]

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request as one who has a key."""
        return plain_http.request(method, self.url + path, auth=(KEY, ""), timeout=10, **more)

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    @classmethod
    def _run(cls, command: list[str], port: int, log: Path) -> Self:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                preexec_fn=ends_with_this_process(),  # noqa: PLW1509 - no threads yet
            )
        server = cls(f"http://127.0.0.1:{port}", process)
        try:
            until(f"{command[0]} answers, see {log}", server._answers)
        except BaseException:
            server.stop()
            raise
        return server

    def _answers(self) -> bool:
        try:
            return self.send("GET", "/v1/charges").is_success
        except httpx.HTTPError:
            return False


class StripeMock(StripeServer):
    """Shapes only."""

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Build it if need be, and return when it answers. Raises GoToolError."""
        binary, port = go_tool(MODULE, STRIPE_MOCK), free_port()
        spec = folder / "spec.json"
        spec.write_text(json.dumps(endive(json.loads(_spec_of_module().read_bytes()))))
        listening = ["-http-addr", f"127.0.0.1:{port}", "-https-addr", "127.0.0.1:0"]
        return cls._run(
            [str(binary), *listening, "-spec", str(spec)], port, folder / "stripe-mock.log"
        )


class Localstripe(StripeServer):
    """Objects and their states."""

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Return when it answers."""
        port = free_port()
        return cls._run(
            [sys.executable, "-c", LOCALSTRIPE, str(port)], port, folder / "localstripe.log"
        )


def _spec_of_module() -> Path:
    return go_sources(MODULE, STRIPE_MOCK) / "embedded" / "openapi" / "spec3.json"


def endive(spec: dict[str, Any]) -> dict[str, Any]:
    """Stripe's OpenAPI document as of ``dahlia``, with what ``endive`` changed of what we use.

    The latest stripe-mock (0.203.0) carries 2026-08-26.dahlia; our client speaks endive, where
    ``payment_method_types`` of a new Checkout Session is ``allowed_payment_method_types``
    (https://docs.stripe.com/changelog/endive/2026-09-30/remove-payment-method-types-checkout-sessions).
    Raises AssertionError for a document that has it already: then this is to go.
    """
    form = spec["paths"]["/v1/checkout/sessions"]["post"]["requestBody"]["content"][FORM]["schema"]
    known = form["properties"]
    assert "allowed_payment_method_types" not in known, "stripe-mock speaks endive: drop this"
    known["allowed_payment_method_types"] = known.pop("payment_method_types")
    return spec
