"""The first sentence of ``jointbuy why`` about an auction."""

from schemas.auctions import Auction, AuctionOpened, Conclusion, OfferJudged, ShownOffer
from schemas.groups import IdIssued, RequestRefused
from terminal.console import when
from terminal.descriptions import of_count, of_shown, of_verdict
from terminal.story import Fact, Story


def summary(story: Story) -> str:
    """How an auction stands, and by which rule and which record."""
    found = story.last(Auction)
    page = found.message if found else None
    if found is None or not isinstance(page, Auction):
        return _not_open(story)
    so_far = of_count(page.reservations, page.shown.minimum_reservations, page.applicants)
    shown = f"{of_shown(page.shown, page.currency)}{_judged(story, page.shown)}"
    if page.status == "open":
        return f"open: {so_far} at {shown}; closes {when(page.closes_at)}"
    if page.status == "withdrawn":
        return f"withdrawn: {page.opened_by} withdrew it, decided{_made(found)}"
    end = story.last(Conclusion)
    at = when(end.message.at) if end and isinstance(end.message, Conclusion) else "its term's end"
    fired = f"when the term ended at {at}{f' ({end.rule})' if end and end.rule else ''}"
    return f"{page.status}: {so_far} {fired}; {shown}{_group_purchase(story, page)}"


def _not_open(story: Story) -> str:
    judged = [fact.message for fact in story.facts if isinstance(fact.message, OfferJudged)]
    openings = {
        fact.message.offer_id for fact in story.facts if isinstance(fact.message, AuctionOpened)
    }
    opening = next((each for each in reversed(judged) if each.offer_id in openings), None)
    if opening is not None:
        return f"not open: its opening {opening.offer_id} was {of_verdict(opening)}"
    if openings:
        return (
            "not open yet: its opening has no verdict. It waits a minute for a seller who is not in"
            " good standing; else see `jointbuy lag` and `jointbuy status`"
        )
    return "not open: nobody opened it; messages before an opening wait an hour for it"


def _judged(story: Story, shown: ShownOffer) -> str:
    """By which rule, from which record the shown offer came onto the page."""
    for fact in reversed(story.facts):
        if isinstance(fact.message, OfferJudged) and fact.message.offer_id == shown.offer_id:
            return f", judged{_made(fact)}"
    return ""


def _made(fact: Fact) -> str:
    because = f" from {fact.because}" if fact.because else ""
    return f" by {fact.rule}{because}" if fact.rule else because


def _group_purchase(story: Story, page: Auction) -> str:
    if page.group_request_id is None:
        return ""
    issued, refused = story.last(IdIssued), story.last(RequestRefused)
    if issued is not None and isinstance(issued.message, IdIssued):
        return f"; the group purchase that follows is {issued.message.group_id}"
    if refused is not None:
        return f"; its group purchase {page.group_request_id} was refused"
    return f"; its group purchase is requested as {page.group_request_id}"
