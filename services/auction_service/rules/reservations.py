"""Which applications count, and for how much: one for each applicant, the latest confirmed.

Two applications are one applicant's if they have the same id or the same mailbox, however its
address is written. Rows are found by both, so a message takes the same time in any auction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from domain.addresses import canonical
from runtime.rows import Name, Rows, drop
from schemas.auctions import ApplicationRefused, Applied
from schemas.parts import NUMBER_MAX, Contact, Message
from schemas.people import person_of
from schemas.reasons import ApplicationReason
from services.auction_service.rows import (
    ADDRESSES,
    APPLICANTS,
    APPLICATIONS,
    AUCTION,
    BIDDERS,
    EARLY,
    GONE,
    LIVE,
    MAILBOXES,
    Applicant,
    Application,
    Auction,
    Early,
    Gone,
    Live,
    Mailbox,
)
from services.auction_service.rules.letters import application_refused, confirm_application
from services.auction_service.rules.waiting import wait


def application_name(application_id: str) -> Name[Application]:
    """The name of an application's row."""
    return APPLICATIONS(application_id)


def wait_for_auction(message: Applied, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep an application for its auction, its address as a digest; the first of an id stands."""
    name = EARLY(message.application_id)
    if name in rows:
        return ()
    applicant = message.applicant
    rows[name] = Early(mailbox_of(applicant.email))
    without_address = Contact(**dict(applicant.party()))
    wait(message.model_copy(update={"applicant": without_address}), rows, now)
    return person_of(applicant, now)


def forget_early(application_id: str, rows: Rows) -> str | None:
    """The mailbox of an application that has waited for its auction; the row goes."""
    early = rows.get(EARLY(application_id))
    if early is None:
        return None
    del rows[EARLY(application_id)]
    return early.mailbox


def take_application(message: Applied, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a new application: it counts, waits for its confirmation, or is refused."""
    mailbox = forget_early(message.application_id, rows) or mailbox_of(message.applicant.email)
    name = application_name(message.application_id)
    known = rows.get(name)
    if known is not None and not known.state.endswith("-ahead"):
        if known.state == "refused":
            return (refused(message.application_id, known, rows),)
        return ()
    applicant = message.applicant
    if known is not None and known.state == "withdrawn-ahead":
        rows[name] = Application(
            state="withdrawn",
            applicant_id=applicant.id,
            quantity=message.quantity,
            applied_at=message.applied_at,
        )
        return ()
    application = Application(
        state="unconfirmed",
        applicant_id=applicant.id,
        quantity=message.quantity,
        applied_at=message.applied_at,
        person_id=applicant.reached_as,
        mailbox=mailbox,
    )
    # Each answer from here on has a letter or leads to one.
    person = person_of(applicant, now)
    auction = rows[AUCTION]
    reason = _reason_to_refuse(message, mailbox, auction, rows)
    if reason:
        is_too_much = reason == ApplicationReason.OVER_APPLICANT_LIMIT
        most = auction.quantity_max_per_applicant if is_too_much else None
        return (*person, *_refuse(message.application_id, application, reason, most, rows, now))
    _add_live(rows, 1)
    if known is not None:
        return (*person, *_count_vouched(message.application_id, application, rows, now))
    rows[name] = application
    replaced = sum(each.quantity for each in _counted(application, rows).values())
    return (*person, *confirm_application(message, auction, replaced, now))


def confirm(application_id: str, at: datetime, rows: Rows, now: datetime) -> Sequence[Message]:
    """Count an application that was confirmed in time, or keep that it is until it comes."""
    name = application_name(application_id)
    auction = rows[AUCTION]
    application = rows.get(name)
    if auction.status != "open" or at >= auction.closes_at:
        return ()
    if application is None:
        rows[name] = Application("confirmed-ahead")
        return ()
    if application.state != "unconfirmed":
        return ()
    return _count(application_id, application, rows, now)


def withdraw(application_id: str, rows: Rows) -> None:
    """Take an application out, or keep that it is void until it comes; a contract binds."""
    name = application_name(application_id)
    auction = rows[AUCTION]
    application = rows.get(name)
    if auction.status != "open":
        return
    if application is None or application.state == "confirmed-ahead":
        rows[name] = Application("withdrawn-ahead")
    elif application.state == "unconfirmed":
        _end(application_id, application, "withdrawn", rows)
    elif application.state == "counts":
        applicant = rows[APPLICANTS(application.applicant_id)]
        _take_out(application.applicant_id, applicant, rows)
        _end(application_id, application, "withdrawn", rows)
        rows[AUCTION] = replace(
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
        quantity_max=application.quantity_max,
    )


# --- applicants and sellers ----------------------------------------------------------------------


def competes(applicant_id: str, mailbox: str | None, rows: Rows) -> bool:
    """Whether an applicant is a seller of this auction, by id or by mailbox."""
    return BIDDERS(applicant_id) in rows or bool(mailbox and ADDRESSES(mailbox) in rows)


def has_applied(seller_id: str, mailbox: str | None, rows: Rows) -> bool:
    """Whether a seller's reservation counts in this auction, by id or by mailbox."""
    return APPLICANTS(seller_id) in rows or bool(mailbox and MAILBOXES(mailbox) in rows)


def mailbox_of(email: str | None) -> str | None:
    """A digest of the canonical address, as rows hold no address; ``None`` without an address."""
    address = canonical(email or "")
    return sha256(address.encode(errors="surrogatepass")).hexdigest()[:32] if address else None


def _names(applicant_id: str, mailbox: str | None) -> list[str]:
    """The names of an applicant: the id, and the mailbox's row if there is an address."""
    return [applicant_id, MAILBOXES(mailbox)] if mailbox else [applicant_id]


def _counted(application: Application, rows: Rows) -> dict[str, Applicant]:
    """The applicants who count under an application's id or its mailbox: two at most."""
    ids = [application.applicant_id]
    if application.mailbox and (mailbox := rows.get(MAILBOXES(application.mailbox))):
        ids.append(mailbox.applicant_id)
    found = {each: rows.get(APPLICANTS(each)) for each in ids}
    return {who: applicant for who, applicant in found.items() if applicant is not None}


# --- counting ------------------------------------------------------------------------------------


def _reason_to_refuse(
    message: Applied, mailbox: str | None, auction: Auction, rows: Rows
) -> ApplicationReason | None:
    if auction.status == "withdrawn":
        return ApplicationReason.AUCTION_WITHDRAWN
    if auction.status != "open" or message.applied_at >= auction.closes_at:
        return ApplicationReason.AFTER_TERM
    if competes(message.applicant.id, mailbox, rows):
        return ApplicationReason.OWN_AUCTION
    if message.quantity > auction.quantity_max_per_applicant:
        return ApplicationReason.OVER_APPLICANT_LIMIT
    return None


def _count_vouched(
    application_id: str, application: Application, rows: Rows, now: datetime
) -> Sequence[Message]:
    """Count an application that its front end vouches for.

    The mailbox's owner was not asked, so it replaces nothing that counts under another id.
    """
    if any(who != application.applicant_id for who in _counted(application, rows)):
        _add_live(rows, -1)
        reason = ApplicationReason.ALREADY_RESERVED
        return _refuse(application_id, application, reason, None, rows, now)
    return _count(application_id, application, rows, now)


def _count(
    application_id: str, application: Application, rows: Rows, now: datetime
) -> Sequence[Message]:
    """Let an application count in place of the applicant's earlier one."""
    who = application.applicant_id
    counting = _counted(application, rows)
    if _is_overtaken(application_id, application, counting.values(), rows):
        _end(application_id, application, "replaced", rows)
        _let_go(_names(who, application.mailbox), application_id, application.applied_at, rows)
        _replace(_older(application_id, application, counting), None, rows)
        return ()
    auction = rows[AUCTION]
    others = auction.reservations - sum(each.quantity for each in counting.values())
    reason: ApplicationReason | None = None
    if competes(who, application.mailbox, rows):
        reason = ApplicationReason.OWN_AUCTION
    elif others + application.quantity > NUMBER_MAX:
        reason = ApplicationReason.BEYOND_LIMITS
    if reason:
        _add_live(rows, -1)
        is_beyond = reason == ApplicationReason.BEYOND_LIMITS
        quantity_max = NUMBER_MAX - others if is_beyond else None
        return _refuse(application_id, application, reason, quantity_max, rows, now)
    _replace(counting, (application_id, application), rows)
    return ()


def _is_overtaken(
    application_id: str, application: Application, counting: Iterable[Applicant], rows: Rows
) -> bool:
    """Whether a later application of the same applicant was confirmed, even if it was withdrawn."""
    assert application.applied_at is not None
    names = _names(application.applicant_id, application.mailbox)
    gone: Iterable[Gone | None] = (rows.get(GONE(name)) for name in names)
    order = application.applied_at, application_id
    return any(
        each is not None and order < (each.applied_at, each.application_id)
        for each in (*counting, *gone)
    )


def _older(
    application_id: str, application: Application, counting: Mapping[str, Applicant]
) -> dict[str, Applicant]:
    """The earlier applications that this one replaces although it does not count itself.

    If its id is one applicant's and its mailbox another's, all three are one applicant.
    """
    assert application.applied_at is not None
    order = application.applied_at, application_id
    return {
        who: each
        for who, each in counting.items()
        if (each.applied_at, each.application_id) < order
    }


def _replace(
    counting: Mapping[str, Applicant], by: tuple[str, Application] | None, rows: Rows
) -> None:
    """Take out the applications that counted, and put in the one that replaces them, if any."""
    if not counting and by is None:
        return
    auction = rows[AUCTION]
    for who, applicant in counting.items():
        before = rows[application_name(applicant.application_id)]
        _take_out(who, applicant, rows)
        _end(applicant.application_id, before, "replaced", rows)
    if by is not None:
        _put_in(*by, rows)
    taken_out = sum(each.quantity for each in counting.values())
    rows[AUCTION] = replace(
        auction,
        version=auction.version + 1,
        reservations=auction.reservations - taken_out + (by[1].quantity if by else 0),
        applicants=auction.applicants - len(counting) + (1 if by else 0),
    )


def _put_in(application_id: str, application: Application, rows: Rows) -> None:
    """Keep the applicant of an application that counts, with person and mailbox in that row."""
    who = application.applicant_id
    assert application.applied_at is not None
    for name in _names(who, application.mailbox):
        drop(rows, GONE(name))
    rows[APPLICANTS(who)] = Applicant(
        application_id=application_id,
        applied_at=application.applied_at,
        quantity=application.quantity,
        person_id=application.person_id,
        mailbox=application.mailbox,
    )
    if application.mailbox:
        rows[MAILBOXES(application.mailbox)] = Mailbox(who)
    rows[application_name(application_id)] = Application(
        state="counts",
        applicant_id=who,
        quantity=application.quantity,
        applied_at=application.applied_at,
    )


def _take_out(applicant_id: str, applicant: Applicant, rows: Rows) -> None:
    """Delete the applicant's row, but keep the time of the application."""
    del rows[APPLICANTS(applicant_id)]
    if applicant.mailbox:
        del rows[MAILBOXES(applicant.mailbox)]
    names = _names(applicant_id, applicant.mailbox)
    _let_go(names, applicant.application_id, applicant.applied_at, rows)


def _let_go(
    names: Iterable[str], application_id: str, applied_at: datetime | None, rows: Rows
) -> None:
    """Keep the latest confirmed application of an id or a mailbox."""
    assert applied_at is not None
    for name in names:
        known = rows.get(GONE(name))
        if known is None or (known.applied_at, known.application_id) < (applied_at, application_id):
            rows[GONE(name)] = Gone(application_id=application_id, applied_at=applied_at)


def _end(application_id: str, application: Application, state: str, rows: Rows) -> None:
    rows[application_name(application_id)] = Application(
        state="replaced" if state == "replaced" else "withdrawn",
        applicant_id=application.applicant_id,
        quantity=application.quantity,
        applied_at=application.applied_at,
    )
    _add_live(rows, -1)


def _refuse(
    application_id: str,
    application: Application,
    reason: ApplicationReason,
    quantity_max: int | None,
    rows: Rows,
    now: datetime,
) -> Sequence[Message]:
    """Refuse an application, and tell the applicant."""
    kept = Application(
        state="refused",
        applicant_id=application.applicant_id,
        quantity=application.quantity,
        applied_at=application.applied_at,
        reason=reason,
        quantity_max=quantity_max,
    )
    rows[application_name(application_id)] = kept
    answer = refused(application_id, kept, rows)
    return (answer, *application_refused(answer, application, rows[AUCTION], now))


def _add_live(rows: Rows, number: int) -> None:
    rows[LIVE] = Live((rows.get(LIVE) or Live(0)).count + number)
