"""What the doctor says about keys, before and after they were tried."""

import pytest

from domain.findings import Verdict
from services.payment_service.rules.key_shapes import key, webhook_secrets
from services.shop_bridge.rules.looks import Look, judged


@pytest.mark.parametrize(
    ("text", "is_public", "verdict", "said"),
    [
        ("sk_live_abc123", True, "ok", "secret key, live mode"),
        ("rk_live_abc123", True, "ok", "restricted key, live mode"),
        ("sk_test_abc123", False, "ok", "secret key, test mode"),
        ("sk_test_abc123", True, "warn", "no money moves"),
        ("sk_live_abc123", False, "warn", "not public"),
        ("pk_live_abc123", True, "fail", "publishable"),
        ("whsec_abc123", True, "fail", "STRIPE_WEBHOOK_SECRETS"),
        ("sk_live_abc 123", True, "fail", "does not look like"),
        ("abc123", True, "fail", "does not look like"),
    ],
)
def test_a_stripe_key_by_its_shape(text: str, is_public: bool, verdict: Verdict, said: str) -> None:
    found = key(text, is_public=is_public)
    assert (found.verdict, said in found.said) == (verdict, True), found
    assert "abc" not in f"{found.said}{found.remedy}", "no key is shown"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("whsec_one", "ok"),
        ("whsec_one, whsec_two", "ok"),
        ("", "warn"),
        ("whsec_one,sk_live_two", "fail"),
    ],
)
def test_secrets_of_webhooks(text: str, verdict: Verdict) -> None:
    assert webhook_secrets(text).verdict == verdict


SCOPES = frozenset({"read_orders", "write_orders"})


@pytest.mark.parametrize(
    ("look", "domain", "favors", "verdict"),
    [
        (Look(), None, "refund", "ok"),
        (Look("x.myshopify.com", SCOPES), "X.myshopify.com", "refund", "ok"),
        (Look("x.myshopify.com", SCOPES), None, None, "ok"),
        (Look("y.myshopify.com", SCOPES), "x.myshopify.com", None, "fail"),
        (Look("x.myshopify.com", SCOPES), "x.myshopify.com", "code", "fail"),
        (Look("x.myshopify.com", SCOPES | {"write_discounts"}), None, "code", "ok"),
        (Look("x.myshopify.com", frozenset()), None, "refund", "fail"),
    ],
)
def test_a_shop_s_key_is_of_the_shop_and_may_do_enough(
    look: Look, domain: str | None, favors: str | None, verdict: Verdict
) -> None:
    assert judged("shop", look, domain, favors).verdict == verdict  # type: ignore[arg-type]
