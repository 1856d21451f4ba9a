"""Writes the letter of a call, signs it and hands it to the mail server."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parseaddr

import structlog
from prometheus_client import Counter

from domain.mailboxes import AddressError
from papers.issuer import IssuerError, read_issuer
from papers.paper import Paper
from runtime.breaker import ServerDownError, Strained, Unasked
from runtime.caller import Lease
from runtime.calls import LEASE_MARGIN_SECONDS
from runtime.links import Links
from runtime.masking import without_addresses
from runtime.private_files import MAKE_A_SECRET, weakness_of
from runtime.settings import Settings, read_settings
from schemas.letters import Notice
from schemas.reasons import LetterReply
from services.notifier import rows
from services.notifier.edge.connections import Mailer, Reply
from services.notifier.edge.dialogue import SERVICE_CLOSING
from services.notifier.letters import (
    NoticeError,
    Sender,
    letter_of,
)
from services.notifier.letters.enclosed import Enclosed, enclosed, paper_for
from services.notifier.letters.links import SignedLinks
from services.notifier.rules.staleness import in_time
from services.notifier.rules.verdicts import status_of
from services.notifier.settings import MailSettings, MailSettingsError
from texts.facts import ADDRESSES
from texts.reasons import reason

LETTERS = Counter(
    "jointbuy_letters_total",
    "Tries to send a letter by outcome: sent, deferred, bounced, too-late if its date had passed,"
    " or unwanted if the recipient has unsubscribed. While the server is down, no tries are made.",
    ["kind", "outcome"],
)
REFUSALS = Counter(
    "jointbuy_mail_refusals_total",
    "Refusals and failures by the stage of the dialogue and by what they mean: gone (no such"
    " mailbox), refused (that letter alone), ours (our address, login, reputation or quota: see to"
    " it), later.",
    ["stage", "verdict"],
)
#: Pause after a server has refused more letters for now. Limits last for hours or a day, and
#: providers lengthen the ban of a client that continues.
LIMIT_SECONDS = 900.0
#: At most one log line in this many seconds says that servers refuse us.
ALARM_SECONDS = 60.0
_log = structlog.get_logger()


class LetterCaller:
    """Sends one letter for each call."""

    def __init__(self, settings: MailSettings, *, is_live: bool = True) -> None:
        """``is_live``: letters can come too late; in a replay they can't."""
        secret = settings.link_secret.get_secret_value()
        if weak := weakness_of(secret):
            raise MailSettingsError(
                f"LINK_SECRET {weak}, so links in letters could be forged: give the notifier and"
                f" the storefront the same random text; {MAKE_A_SECRET}"
            )
        self._settings = settings
        self._is_live = is_live
        after = settings.timeouts.after_begin
        before = settings.timeouts.before_content
        self.lease = Lease(before + after + LEASE_MARGIN_SECONDS, after)
        # Settings that can't work are told at the start, not with the first letter.
        Mailer(settings)
        _, address = parseaddr(settings.mail_from)
        try:
            self._sender = Sender(
                mail_from=address or settings.mail_from,
                name=settings.mail_from_name,
                page_url=settings.page_url.rstrip("/"),
                postal_address=settings.mail_postal_address,
                domain=(address or settings.mail_from).rpartition("@")[2] or "localhost",
            )
        except ValueError as error:
            raise MailSettingsError(f"MAIL_FROM can't be used: {error}") from None
        try:
            given = settings.invoice_issuer_file
            self._issuer = read_issuer(given) if given else None
        except IssuerError as error:
            raise MailSettingsError(str(error)) from None
        self._links = SignedLinks(self._sender.page_url, Links(secret))
        self._mailer: Mailer | None = None
        self._printer: ThreadPoolExecutor | None = None
        #: Refusals of us since the last line of log, and when the next may be written.
        self._refused = 0
        self._next_alarm = 0.0

    async def start(self) -> None:
        """Connections are opened when the first letter needs one."""
        self._mailer = Mailer(self._settings)
        # PDFs are made one after the other, beside the event loop.
        self._printer = ThreadPoolExecutor(1, thread_name_prefix="papers")

    async def stop(self) -> None:
        """Close the connections."""
        printer, self._printer = self._printer, None
        if printer is not None:
            printer.shutdown(wait=False, cancel_futures=True)
        mailer, self._mailer = self._mailer, None
        if mailer is not None:
            await mailer.stop()

    def missing(self, server: str) -> str:
        """``SMTP_HOST``, if it is."""
        return "" if self._settings.smtp_host else "SMTP_HOST"

    async def __call__(
        self, request: rows.Request | None, begin: Callable[[], None]
    ) -> rows.Reply | Strained | Unasked:
        """Write and send; a letter that can't be written says why, and is not tried again."""
        assert self._mailer is not None
        if request is None:
            return Unasked(rows.Reply("erased", "write", LetterReply.ERASED))
        notice = request.notices[0]
        if request.unwanted:
            LETTERS.labels(notice.kind, "unwanted").inc()
            return Unasked(rows.Reply("unwanted", "write", request.unwanted))
        useful, late = request.notices, ""
        if self._is_live:
            useful, late = in_time(request.notices, request.wanted_at, datetime.now(UTC))
        if not useful:
            LETTERS.labels(notice.kind, "too-late").inc()
            return Unasked(rows.Reply("too-late", "write", late))
        try:
            # No kind that is merged has a paper.
            paper = await self._enclosed(useful[0], request.person)
            more = (self._sender, self._links, request.sold_by, paper)
            written = letter_of(notice.notice_id, useful, request.person, *more)
        except (AddressError, NoticeError) as error:
            why = reason(ADDRESSES, error.reason) if isinstance(error, AddressError) else str(error)
            LETTERS.labels(notice.kind, "bounced").inc()
            return Unasked(rows.Reply("bounced", "write", why))
        except Exception as error:
            # A bug in a template is mended by a release; until then the letter waits.
            _log.exception("a letter could not be written", notice=notice.notice_id)
            LETTERS.labels(notice.kind, "deferred").inc()
            why = without_addresses(f"{type(error).__name__}: {error}")
            return Unasked(rows.Reply("deferred", "write", why))
        # Letters are written one after the other; between two of them the loop breathes.
        await asyncio.sleep(0)
        reply = await self._mailer.send(
            written.content, self._sender.mail_from, written.recipient, begin
        )
        text = f"{reply.code} {reply.text}" if reply.code else reply.text
        if reply.verdict is not None:
            REFUSALS.labels(reply.stage, reply.verdict).inc()
        if reply.stage in ("connect", "login"):
            rest = self._mailer.login_rest_seconds if reply.stage == "login" else 0.0
            raise ServerDownError(f"{reply.stage}: {text}", rest)
        LETTERS.labels(notice.kind, reply.outcome).inc()
        if reply.verdict == "ours":
            self._alarm(reply)
        told = rows.Reply(
            outcome=reply.outcome,
            stage=reply.stage,
            text=text,
            message_id=written.message_id,
            verdict=reply.verdict,
            is_open=reply.is_open,
            digest=request.person.digest,
        )
        return _with_word_of_server(reply, told)

    async def _enclosed(self, notice: Notice, person: rows.Person) -> Enclosed | None:
        """The paper that the letter encloses, if there is an issuer and a paper."""
        if self._issuer is None:
            return None
        paper = paper_for(notice, person, self._issuer, self._links.links.secret)
        if paper is None:
            return None
        loop = asyncio.get_running_loop()
        pdf = await loop.run_in_executor(self._printer, _pdf_of, paper)
        made = enclosed(notice, self._issuer, pdf)
        if not made.is_attached:
            _log.warning("a PDF is too large to attach", notice=notice.notice_id, bytes=len(pdf))
        return made

    def _alarm(self, reply: Reply) -> None:
        """Log that a server refuses us; letters wait until ops have fixed the cause."""
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now < self._next_alarm:
            return
        # The words may be a stranger's, so the log has only the code; the row has all of it.
        _log.error(
            "the mail server refuses us: see `jointbuy letters list --status deferred`",
            stage=reply.stage,
            code=reply.code,
            status=_status_of(reply.text),
            refusals=self._refused,
        )
        self._refused, self._next_alarm = 0, now + ALARM_SECONDS


def _pdf_of(paper: Paper) -> bytes:
    # A slow import, which notifiers without an issuer do not need.
    from papers.pdf import pdf_of

    return pdf_of(paper)


def _with_word_of_server(reply: Reply, told: rows.Reply) -> rows.Reply | Strained:
    """The finding about the server in a reply about a letter."""
    if reply.is_limit:
        return Strained(told, f"{reply.code} {_status_of(reply.text) or ''}".strip(), LIMIT_SECONDS)
    is_left_alone = reply.code is None and reply.outcome == "deferred"
    is_of_sender = reply.stage == "mail" and reply.outcome == "deferred"
    if is_left_alone or is_of_sender or reply.code == SERVICE_CLOSING:
        # The words may be a stranger's, so only the code is used.
        why = f"{reply.stage}: {reply.code or reply.text}"
        return Strained(told, why)
    return told


def _status_of(text: str) -> str | None:
    status = status_of(text)
    return ".".join(map(str, status)) if status else None


def callers() -> Mapping[str, LetterCaller]:
    """The caller of ``processor``. Raises ``ValueError`` if the settings can't send mail."""
    is_live = read_settings(Settings).clock == "wall"
    return {"letter": LetterCaller(read_settings(MailSettings), is_live=is_live)}
