"""``jointbuy payment``: have a failed one tried again; say what became of one that people make."""

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
    help="Payments: try failed ones again, and say what became of those that people make.",
)
Named = Annotated[
    str, typer.Argument(metavar="PAYMENT", help="Its id, as `jointbuy ledger GROUP` names it.")
]
TOLD_BY = {"reference": "--reference", "reason": "--reason", "payment_id": "PAYMENT"}


@commands.command("retry")
@mistakes()
def retry(payment: Named, url: Url = None, as_json: AsJson = False) -> None:
    """Have a payment that failed tried again."""
    with connected(url, as_json=as_json) as api:
        _print(_asked(api, payment, "retry", None, None), as_json)


@commands.command("done")
@mistakes()
def done(
    payment: Named,
    reference: Annotated[
        str | None, typer.Option(help="What the shop or the bank calls it.")
    ] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say that people made a payment: a shop's refund by hand, money sent back by the bank."""
    body = {"state": "succeeded"} | given({"reference": reference})
    with connected(url, as_json=as_json) as api:
        _print(_asked(api, payment, "outcome", body, once_of(once)), as_json)


@commands.command("failed")
@mistakes()
def failed(
    payment: Named,
    reason: Annotated[str, typer.Option(help="Why, for those who have to mend it.")],
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say that a payment that people make can't be made."""
    body = {"state": "failed", "reason": reason}
    with connected(url, as_json=as_json) as api:
        _print(_asked(api, payment, "outcome", body, once_of(once)), as_json)


def _asked(api: Api, payment: str, what: str, body: Any, once: str | None) -> Any:
    return tell(api, named(api, payment), what, body, TOLD_BY, once)


def named(api: Api, payment: str) -> PaymentDetail:
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
    """Say something of a payment, and wait until it counts; ``fields`` are how they were given."""
    path = f"/payments/{segment(payment.payment_id)}"
    answer = api.post(f"{path}/{what}", body, fields, once=once)
    if answer.is_final:
        return answer.body
    late = "see that payment_service runs with `jointbuy status`"
    return api.until(path, lambda known: known["version"] > payment.version, late)


def _print(known: Any, as_json: bool) -> None:
    if as_json:
        print_json(known)
        return
    after = shown(PaymentView, known)
    amount = money(after.amount, after.currency)
    say(f"{after.payment_id}: {after.kind} of {amount}, {after.status}")
