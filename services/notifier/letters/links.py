"""The links in letters: pages of the storefront, signed where they let someone do something."""

from dataclasses import dataclass
from urllib.parse import quote

from domain.people import of_seller
from domain.pseudonyms import pseudonym, short_number
from runtime.links import ANOTHER_S, Links, mark_of_holder
from schemas.letters import Notice, mailbox_of
from services.notifier.rules.labels import Room


@dataclass(frozen=True, slots=True)
class SignedLinks:
    """Links under ``page_url``, which has no slash at its end; tokens are dated, so they differ."""

    page_url: str
    links: Links

    def unsubscribe(self, recipient_id: str, email: str, kind: str) -> str:
        """The link that ends letters of a kind to this address; answers RFC 8058's POST too."""
        mailbox = mailbox_of(recipient_id, email)
        token = self.links.token("unsubscribe", recipient_id, kind, mailbox)
        return f"{self.page_url}/unsubscribe/{token}"

    def confirm(self, auction_id: str, application_id: str, quantity: int) -> str:
        """Where an applicant confirms a reservation of so many units."""
        what = (auction_id, application_id, str(quantity))
        token = self.links.token("confirm-application", *what)
        return f"{self.page_url}/confirm/{token}"

    def confirm_order(self, notice: Notice) -> str:
        """The link by which a purchaser confirms the order of a letter."""
        says = notice.says
        until = says.confirm_by.isoformat() if says.confirm_by else ""
        what = (says.source or "", says.order_id or "", str(says.quantity or 0), until)
        token = self.links.token("confirm-order", notice.about, says.party_id, *what)
        return f"{self.page_url}/confirm-order/{token}"

    def counter_offer(self, auction_id: str, seller_id: str) -> str:
        """The form in which a seller outbids."""
        token = self.links.token("counter-offer", auction_id, seller_id)
        return f"{self.page_url}/counter-offer/{token}"

    def payments(self, group_id: str, payer_id: str, order_id: str, person_id: str) -> str:
        """Where a payer sees the payments of a group, and their papers.

        With an order it is where another person, who made that order, sees it alone.
        """
        alone = f"{order_id}{ANOTHER_S}" if order_id else mark_of_holder(person_id)
        token = self.links.token("payer", group_id, payer_id, alone)
        return f"{self.page('groups', group_id)}/payments/{token}"

    def organizer(self, group_id: str, party_id: str) -> str:
        """The page from which the organizer, known by this id, runs a group."""
        token = self.links.token("group", group_id, party_id)
        return f"{self.page('groups', group_id)}/manage/{token}"

    def payer(self, group_id: str, payer_id: str, person_id: str) -> str:
        """Where a payer sees all own payments of a group."""
        return self.payments(group_id, payer_id, "", person_id)

    def order(self, group_id: str, member_id: str) -> str:
        """Where a member orders."""
        token = self.links.token("order", group_id, member_id)
        return f"{self.page('groups', group_id)}/order/{token}"

    def application(self, auction_id: str, application_id: str) -> str:
        """Where an applicant takes a reservation back."""
        token = self.links.token("application", auction_id, application_id)
        return f"{self.page_url}/applications/{token}"

    def seller(self, seller_id: str, email: str) -> str:
        """Where a seller signs in without a key: a page with a button, as scanners open links.

        It works once, for an hour, and only as long as this is the seller's address.
        """
        mailbox = mailbox_of(of_seller(seller_id), email)
        token = self.links.token("seller", seller_id, mailbox)
        return f"{self.page_url}/seller/sign-in/{token}"

    def data(self, person_id: str, email: str) -> str:
        """Where a person sees, downloads and erases what is kept; valid for an hour.

        It works only as long as this is the person's address, and not after the erasure.
        """
        token = self.links.token("person", person_id, mailbox_of(person_id, email))
        return f"{self.page_url}/my-data/{token}"

    def buyer_number(self, group_id: str, party_id: str) -> str | None:
        """The number by which the organizer knows a buyer of a group; none of a shop's ids."""
        return short_number(pseudonym(self.links.secret, group_id, party_id))

    def desk(self) -> str:
        """The page from which a seller, once signed in, makes offers."""
        return f"{self.page_url}/seller"

    def page(self, room: Room, about: str) -> str:
        """The public page of a group or an auction."""
        return f"{self.page_url}/{room}/{quote(about, safe='')}"
