"""What a Stripe key is by its shape, and whether it fits the deployment."""

import re
from typing import Final

from domain.findings import Finding

_KEY: Final = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]{3,}")
#: Other things that Stripe gives, by how they begin.
_OTHERS: Final = {
    "pk_": "a publishable key, which is for browsers",
    "whsec_": "a webhook's secret, which belongs into STRIPE_WEBHOOK_SECRETS",
    "acct_": "an account's id",
}
_WHERE: Final = "Copy a secret or restricted key (sk_… or rk_…) from Stripe's dashboard."


def key(text: str, *, is_public: bool) -> Finding:
    """Whether it is a key for our requests; ``is_public``: buyers from everywhere come here.

    The finding never shows the key.
    """
    about = ("payments", "STRIPE_API_KEY")
    for begin, what in _OTHERS.items():
        if text.startswith(begin):
            return Finding(*about, "fail", f"is {what}", _WHERE)
    if (found := _KEY.fullmatch(text)) is None:
        return Finding(*about, "fail", "does not look like a key of Stripe", _WHERE)
    kind, mode = found.groups()
    said = f"{'secret' if kind == 'sk' else 'restricted'} key, {mode} mode"
    if mode == "test" and is_public:
        remedy = "Use a live key once payments are to be real."
        return Finding(*about, "warn", f"{said}, on public pages: no money moves", remedy)
    if mode == "live" and not is_public:
        remedy = "Use a test key here, or set PAGE_URL to the public address."
        return Finding(*about, "warn", f"{said}, but PAGE_URL is not public", remedy)
    return Finding(*about, "ok", said)


def webhook_secrets(text: str) -> Finding:
    """Whether the secrets of webhooks are ones; ``text`` has one, or two with a comma between."""
    about = ("payments", "STRIPE_WEBHOOK_SECRETS")
    secrets = [each.strip() for each in text.split(",") if each.strip()]
    if not secrets:
        said = "not set here, so disputes are not heard of, and payments only after a day"
        remedy = "Set up the endpoint, docs/stripe.md, or run the doctor where the secret is."
        return Finding(*about, "warn", said, remedy)
    wrong = sum(not each.startswith("whsec_") for each in secrets)
    if wrong:
        remedy = "Copy the signing secret of the endpoint from Stripe's dashboard."
        return Finding(
            *about, "fail", f"{wrong} of {len(secrets)} do not begin with whsec_", remedy
        )
    return Finding(*about, "ok", f"{len(secrets)}, by their shape")
