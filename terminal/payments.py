"""``jointbuy payment``: try a failed payment again; record payments by hand."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from schemas.api.payments import PaymentDetail, PaymentView
from terminal.answers import shown
from terminal.api import Api, connected, once_of, segment
from terminal.console import mistakes, money, print_json, say
from terminal.options import AsJson, Once, Url, given

commands = typer.Typer(
    no_args_is_help=True,
    help="Try failed payments again, and record payments that were made by hand.",
)
Named = Annotated[
    str, typer.Argument(metavar="PAYMENT", help="The payment's id, as in `jointbuy ledger GROUP`.")
]
TOLD_BY = {"reference": "--reference", "reason": "--reason", "payment_id": "PAYMENT"}


@commands.command("retry")
@mistakes()
def retry(payment: Named, url: Url = None, as_json: AsJson = False) -> None:
    """Try a failed payment again."""
    with connected(url, as_json=as_json) as api:
        _print(_asked(api, payment, "retry", None, None), as_json)


@commands.command("done")
@mistakes()
def done(
    payment: Named,
    reference: Annotated[
        str | None, typer.Option(help="The shop's or the bank's reference.")
    ] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Record that a payment was made by hand: a refund at the shop, a bank transfer."""
    body = {"state": "succeeded"} | given({"reference": reference})
    with connected(url, as_json=as_json) as api:
        _print(_asked(api, payment, "outcome", body, once_of(once)), as_json)


@commands.command("failed")
@mistakes()
def failed(
    payment: Named,
    reason: Annotated[str, typer.Option(help="The reason, for other people.")],
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Record that a payment by hand can't be made."""
    body = {"state": "failed", "reason": reason}
    with connected(url, as_json=as_json) as api:
        _print(_asked(api, payment, "outcome", body, once_of(once)), as_json)


def _asked(api: Api, payment: str, what: str, body: Any, once: str | None) -> Any:
    return tell(api, payment_of(api, payment), what, body, TOLD_BY, once)


def payment_of(api: Api, payment: str) -> PaymentDetail:
    """The payment of an id or number."""
    return shown(PaymentDetail, api.get(f"/payments/{segment(payment)}"))


def tell(
    api: Api,
    payment: PaymentDetail,
    what: str,
    body: Any,
    fields: Mapping[str, str],
    once: str | None,
) -> Any:
    """Send a command about a payment, and wait until it counts; ``fields`` has their options."""
    path = f"/payments/{segment(payment.payment_id)}"
    answer = api.post(f"{path}/{what}", body, fields, once=once)
    if answer.is_final:
        return answer.body
    late = "check with `jointbuy status` that payment_service runs"
    return api.until(path, lambda known: known["version"] > payment.version, late)


def _print(known: Any, as_json: bool) -> None:
    if as_json:
        print_json(known)
        return
    after = shown(PaymentView, known)
    amount = money(after.amount, after.currency)
    say(f"{after.payment_id}: {after.kind} of {amount}, {after.status}")
