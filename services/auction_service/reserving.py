"""Which applications count, and for how much: one for each applicant, the latest confirmed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schemas.messages import ApplicationRefused, Applied, Message
from schemas.parts import BEYOND_LIMITS, NUMBER_MAX
from services.auction_service.letters import confirm_application
from services.auction_service.rows import Applicant, Application, Auction, Gone, Live
from services.runtime.rows import Rows


def application_name(application_id: str) -> str:
    """The name of an application's row."""
    return f"application/{application_id}"


def take_application(message: Applied, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a new application: it counts, waits for its confirmation, or is refused."""
    name = application_name(message.application_id)
    known: Application | None = rows.get(name)
    if known is not None and not known.state.endswith("-ahead"):
        if known.state == "refused":
            return (refused(message.application_id, known, rows),)
        return ()
    person = message.applicant
    application = Application(
        "unconfirmed", person.id, message.quantity, message.applied_at,
        email=person.email, name=person.name, locale=person.locale, time_zone=person.time_zone,
    )  # fmt: skip
    if known is not None and known.state == "withdrawn-ahead":
        rows[name] = Application("withdrawn", person.id, message.quantity, message.applied_at)
        return ()
    auction: Auction = rows["auction"]
    reason = _reason_to_refuse(message, auction, rows)
    if reason:
        return (_refuse(message.application_id, application, reason, rows),)
    _add_live(rows, 1)
    if known is not None:
        return _count(message.application_id, application, rows)
    rows[name] = application
    return confirm_application(message, auction, now)


def confirm(application_id: str, at: datetime, rows: Rows) -> Sequence[Message]:
    """Count an application that was confirmed in time, or keep that it is until it comes."""
    name = application_name(application_id)
    auction: Auction = rows["auction"]
    application: Application | None = rows.get(name)
    if auction.status != "open" or at >= auction.closes_at:
        return ()
    if application is None:
        rows[name] = Application("confirmed-ahead")
        return ()
    if application.state != "unconfirmed":
        return ()
    return _count(application_id, application, rows)


def withdraw(application_id: str, rows: Rows) -> None:
    """Take an application out, or keep that it is void until it comes; a contract binds."""
    name = application_name(application_id)
    auction: Auction = rows["auction"]
    application: Application | None = rows.get(name)
    if auction.status != "open":
        return
    if application is None or application.state == "confirmed-ahead":
        rows[name] = Application("withdrawn-ahead")
    elif application.state == "unconfirmed":
        _end(application_id, application, "withdrawn", rows)
    elif application.state == "counts":
        applicant: Applicant = rows[f"applicant/{application.applicant_id}"]
        del rows[f"applicant/{application.applicant_id}"]
        rows[f"gone/{application.applicant_id}"] = Gone(application_id, applicant.applied_at)
        _end(application_id, application, "withdrawn", rows)
        rows["auction"] = replace(
            auction,
            version=auction.version + 1,
            reservations=auction.reservations - applicant.quantity,
            applicants=auction.applicants - 1,
        )


def refused(application_id: str, application: Application, rows: Rows) -> ApplicationRefused:
    """The answer to an application that can't count."""
    return ApplicationRefused(
        application_id=application_id,
        auction_id=rows.key,
        applicant_id=application.applicant_id or None,
        quantity=application.quantity,
        reason=application.reason,
    )


def is_own_auction(applicant_id: str, email: str | None, rows: Rows) -> bool:
    """Whether an applicant competes in the auction as a seller."""
    return f"bidder/{applicant_id}" in rows or bool(email and address_name(email) in rows)


def address_name(email: str) -> str:
    """The name of the row that marks a seller's address."""
    return f"address/{email.casefold()}"


def _reason_to_refuse(message: Applied, auction: Auction, rows: Rows) -> str:
    if auction.status == "withdrawn":
        return "auction-withdrawn"
    if auction.status != "open" or message.applied_at >= auction.closes_at:
        return "after-term"
    if is_own_auction(message.applicant.id, message.applicant.email, rows):
        return "own-auction"
    return ""


def _count(application_id: str, application: Application, rows: Rows) -> Sequence[Message]:
    """Let an application count in place of the applicant's earlier one."""
    who = application.applicant_id
    counting: Applicant | None = rows.get(f"applicant/{who}")
    latest: Applicant | Gone | None = counting or rows.get(f"gone/{who}")
    assert application.applied_at is not None
    if latest and (application.applied_at, application_id) < (
        latest.applied_at, latest.application_id,
    ):  # fmt: skip
        _end(application_id, application, "replaced", rows)
        return ()
    auction: Auction = rows["auction"]
    reservations = auction.reservations + application.quantity
    if counting:
        reservations -= counting.quantity
    reason = ""
    if is_own_auction(who, application.email, rows):
        reason = "own-auction"
    elif reservations > NUMBER_MAX:
        reason = BEYOND_LIMITS
    if reason:
        _add_live(rows, -1)
        return (_refuse(application_id, application, reason, rows),)
    if counting:
        before: Application = rows[application_name(counting.application_id)]
        _end(counting.application_id, before, "replaced", rows)
    elif latest:
        del rows[f"gone/{who}"]
    rows[f"applicant/{who}"] = Applicant(
        application_id, application.applied_at, application.quantity,
        application.email, application.name, application.locale, application.time_zone,
    )  # fmt: skip
    # The address has moved to the applicant's row.
    rows[application_name(application_id)] = Application(
        "counts", who, application.quantity, application.applied_at
    )
    rows["auction"] = replace(
        auction,
        version=auction.version + 1,
        reservations=reservations,
        applicants=auction.applicants + (0 if counting else 1),
    )
    return ()


def _end(application_id: str, application: Application, state: str, rows: Rows) -> None:
    rows[application_name(application_id)] = Application(
        "replaced" if state == "replaced" else "withdrawn",
        application.applicant_id,
        application.quantity,
        application.applied_at,
    )
    _add_live(rows, -1)


def _refuse(application_id: str, application: Application, reason: str, rows: Rows) -> Message:
    kept = Application(
        "refused", application.applicant_id, application.quantity, application.applied_at, reason
    )
    rows[application_name(application_id)] = kept
    return refused(application_id, kept, rows)


def _add_live(rows: Rows, number: int) -> None:
    rows["live"] = Live(rows.get("live", Live(0)).count + number)
