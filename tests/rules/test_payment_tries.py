"""A payment that is tried again: a report of an earlier try does not count for the present one."""

from dataclasses import replace

import pytest

from runtime.rows import Call, MemoryRows
from schemas.payments import PaymentRetried
from services.payment_service.rules import facts, provider, reports
from services.payment_service.rules.provider import Reply
from tests.rules.payment_world import GROUP, HOUR, T
from tests.rules.test_payment_rules import PAGE, asked, report, world


def _call(group: MemoryRows) -> str:
    (name,) = (name for name in group if name.startswith("call/"))
    return name


def retried(group: MemoryRows, payment_id: str) -> None:
    reports.retry(PaymentRetried(group_id=GROUP, payment_id=payment_id, at=T), group, T)


def test_a_late_word_that_an_old_page_has_expired_leaves_the_new_page_as_it_is() -> None:
    """The payer could pay the page after next, too, and would pay twice."""
    group, payment_id = asked(PAGE)
    provider.settle(_call(group), Reply("declined", "not-paid"), group, T)
    retried(group, payment_id)
    page = Reply("pending", session="cs_2", page="https://pay.example/cs_2")
    provider.settle(_call(group), page, group, T)
    late = report(payment_id, "failed", provider_reference="cs_1")
    reports.take_report(late, group, T)
    fact = facts.payment(f"payment/{payment_id}", group)
    assert (fact.status, fact.page) == ("pending", "https://pay.example/cs_2")
    reports.take_report(report(payment_id, "failed", 2, provider_reference="cs_2"), group, T)
    assert group[f"payment/{payment_id}"].status == "failed"


LATE_REPLIES = [
    ("how the old page stood", replace(PAGE), "pending", 1),
    ("that the old page has expired", Reply("declined", "not-paid"), "pending", 1),
    ("that the old page was paid", Reply("authorised", reference="pi_1"), "authorised", 0),
]


@pytest.mark.parametrize(
    ("what", "reply", "status", "calls"), LATE_REPLIES, ids=[each[0] for each in LATE_REPLIES]
)
def test_of_an_earlier_try_only_money_counts_and_the_present_one_is_asked_for_after_it(
    what: str, reply: Reply, status: str, calls: int
) -> None:
    group, payment_id = asked(PAGE)
    name = _call(group)
    key = provider.request(name, group, T).key
    group[name] = replace(group[name], owner="w")
    reports.take_report(report(payment_id, "failed", provider_reference="cs_1"), group, T)
    retried(group, payment_id)
    provider.settle(name, replace(reply, key=key), group, T)
    move = group[f"payment/{payment_id}"]
    assert (move.status, move.page) == (status, None)
    found = [group[each] for each in group if each.startswith("call/")]
    assert found == [Call(at=T, since=T)] * calls


def test_a_refund_that_the_bank_sent_back_and_that_is_made_again_succeeds() -> None:
    it = world(days=20)
    it.order("ann", 2)
    it.come_to_rest()
    (refund,) = (each for each in it.latest().values() if each.kind == "refund")
    for number, status in enumerate(("failed", "succeeded")):
        told = report(refund.payment_id, status, number, provider_reference=f"re_again_{number}")
        if status == "failed":
            told = told.model_copy(update={"provider_reference": refund.provider_reference})
        it.commands["payment-reports"].append(told)
        it.drain()
        assert it.latest()[refund.payment_id].status == status
        it.retry_failed()
        it.drain()
    assert it.latest()[refund.payment_id].provider_reference == "re_again_1"


def test_a_try_that_may_have_been_made_a_day_ago_is_looked_for_each_time() -> None:
    """A look whose reply is lost does not make the old key younger."""
    group, _ = asked()
    name, later = _call(group), T + 24 * HOUR
    group[name] = replace(group[name], ambiguous=True)
    assert provider.request(name, group, later).looks
    provider.settle(name, Reply("again", "no answer"), group, later)
    assert provider.request(name, group, later).looks


def test_a_refund_of_which_nothing_was_known_has_failed_once_the_provider_says_so() -> None:
    """So another sum can be refunded, and a late word of its success is not believed."""
    it = world(days=20)
    it.order("ann", 2)
    it.come_to_rest()
    (refund,) = (each for each in it.latest().values() if each.kind == "refund")
    rows, name = it.payments.rows, f"payment/{refund.payment_id}"
    rows[name] = replace(rows[name], status="failed", is_unsure=True, reference=None)
    for number, status in enumerate(("failed", "succeeded")):
        told = report(refund.payment_id, status, number, provider_reference="re_9")
        it.commands["payment-reports"].append(told)
        it.drain()
        assert rows[name].has_failed


def test_a_shop_s_words_name_what_it_did_each_time_it_was_told() -> None:
    """They are about the instruction, as shops have no pages of ours."""
    it = world(method="shop")
    it.order("ann", 2, paid=True)
    it.come_to_rest()
    (refund,) = it.latest().values()
    for number, status in enumerate(("failed", "succeeded")):
        told = report(refund.payment_id, status, number, provider_reference="R1")
        it.commands["payment-reports"].append(told)
        it.drain()
        fact = it.latest()[refund.payment_id]
        assert (fact.status, fact.provider_reference) == (status, "R1")
