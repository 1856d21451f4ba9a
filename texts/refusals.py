"""Why something is refused, by code: ``detail`` of the API's answers, and what pages say."""

from collections.abc import Mapping
from typing import Final

from schemas.refusals import RefusalCode
from texts.catalogue import mark

REFUSALS: Final[Mapping[str, str]] = {
    # of links and keys
    RefusalCode.CREDENTIAL_FORM: mark(
        "give the key or the link's token as 'Authorization: Bearer …'"
    ),
    RefusalCode.KEY_UNKNOWN: mark("the key is unknown or no longer valid: ask for a new one"),
    RefusalCode.CREDENTIAL_UNKNOWN: mark(
        "the credential is neither a key nor a link's token that works here"
    ),
    RefusalCode.LINK_EXPIRED: mark("the link of {made_on} has expired: ask for a new one"),
    RefusalCode.LINK_INCOMPLETE: mark("the link is incomplete: copy the whole link from the email"),
    RefusalCode.LINK_OF_OTHER_GROUP: mark("the link belongs to another group purchase"),
    RefusalCode.LINK_USED: mark("this link was used already: ask for a new one"),
    RefusalCode.LINK_OF_OTHER_RESERVATION: mark("the link belongs to another reservation"),
    RefusalCode.INVITED_ELSEWHERE: mark("the invitation is for another auction"),
    RefusalCode.TOKEN_OF_OTHER_REQUEST: mark("the token belongs to another request"),
    RefusalCode.OTHER_KEY: mark("this is a {kind}'s key: sign in with another key"),
    RefusalCode.NEEDS: mark("this needs {wanted:credentials}"),
    RefusalCode.NEEDS_OTHER: mark("this needs {wanted:credentials}, not {held:credentials}"),
    RefusalCode.OTHER_SITE: mark(
        "this request came from another site: open our page and try again there"
    ),
    # of what is asked for
    RefusalCode.NO_ADDRESS: mark("there is nothing at this address"),
    RefusalCode.NO_METHOD: mark("this address does not support this method"),
    RefusalCode.NO_FILE: mark("this file does not exist"),
    RefusalCode.NO_GROUP: mark("no group purchase has the id {id}: check whether it is mistyped"),
    RefusalCode.NO_GROUP_HERE: mark("no group purchase has this id"),
    RefusalCode.NO_AUCTION: mark("no auction has the id {id}: check whether it is mistyped"),
    RefusalCode.NO_AUCTION_HERE: mark("no auction has this id"),
    RefusalCode.NO_DEFINITION: mark("no definition has the id {id}: check whether it is mistyped"),
    RefusalCode.NO_DEFINITION_YET: mark(
        "no definition has the id {id}: leave it out for a new one"
    ),
    RefusalCode.NO_SELLER: mark("no seller has the id {id}, or not yet"),
    RefusalCode.NO_SHOP: mark("no shop has the id {id}, or it has not described itself yet"),
    RefusalCode.NO_IMAGE: mark("no picture has this id"),
    RefusalCode.NO_PAYMENT: mark(
        "no payment has the id or number {id}: check whether it is mistyped"
    ),
    RefusalCode.NO_TASK: mark("no task and no payment has the id {id}: see `jointbuy todo`"),
    RefusalCode.NO_LETTER: mark("no letter has the id {id}: check whether it is mistyped"),
    RefusalCode.NO_OFFER_OF_YOURS: mark("you have no offer with this id"),
    RefusalCode.NO_KEY_OF_YOURS: mark("you have no key with this id"),
    RefusalCode.NO_DOCUMENT: mark("a payment of the kind {kind} has no document"),
    RefusalCode.NO_SUCH_NAME: mark(
        "names can't contain control characters: check whether it is mistyped"
    ),
    RefusalCode.NOT_A_CURSOR: mark("this is not a cursor: take `cursor` from the page before"),
    RefusalCode.CURSOR_OF_OTHER_LIST: mark(
        "the cursor belongs to another list: take `cursor` from the page before"
    ),
    RefusalCode.CURSOR_OF_OTHER_ORDER: mark(
        "the cursor belongs to the list sorted by {order!r}: begin without a cursor"
    ),
    RefusalCode.CURSOR_OF_OTHER_GROUP: mark(
        "the cursor belongs to another group: begin without a cursor"
    ),
    # of how it is asked
    RefusalCode.INVALID_FIELD: mark(
        "one field is not as documented: correct it and send the request again"
    ),
    RefusalCode.INVALID_FIELDS: mark(
        "{number} fields are not as documented: correct them and send the request again"
    ),
    RefusalCode.UNREADABLE: mark("the request can't be read"),
    RefusalCode.NOT_JSON: mark("send the body as application/json"),
    RefusalCode.NOT_OUR_FORM: mark(
        "this form was not sent by our page: open the page and send it from there"
    ),
    RefusalCode.TOO_LARGE: mark("the request is too large"),
    RefusalCode.BODY_TOO_LARGE: mark("a request may hold {most} bytes: send less at once"),
    RefusalCode.TOO_MANY_WATCHED: mark("at most {most} can be watched at once: leave some out"),
    RefusalCode.KEY_REUSED: mark(
        "this Idempotency-Key was used for a different request: choose a new key"
    ),
    RefusalCode.TOO_OFTEN: mark("try again in {seconds} s"),
    RefusalCode.TOO_MANY_LETTERS: mark(
        "this would send {number} emails: at most {most} an hour are allowed"
    ),
    RefusalCode.MESSAGES_USED_UP: mark(
        "the group purchase has had its messages for today: write again tomorrow"
    ),
    RefusalCode.TOO_MANY_PAGES: mark(
        "too many pages are open: counts do not update by themselves right now"
    ),
    RefusalCode.TOO_MANY_PDFS: mark(
        "too many PDFs are being made: try again in a minute, or open the HTML version"
    ),
    RefusalCode.TOO_MANY_CARDS: mark("too many pictures are being made: try again in a minute"),
    RefusalCode.TOO_MANY_IMAGES: mark("too many pictures are being stored: try again in a minute"),
    RefusalCode.IMAGE_MISSING: mark(
        "there is no picture: send the file as the body, or as a field of a form"
    ),
    RefusalCode.NOT_AN_IMAGE: mark(
        "the file is not a picture that we can read: send a JPEG, PNG, WebP or GIF"
    ),
    RefusalCode.IMAGE_BROKEN: mark(
        "the picture is damaged or incomplete: open it and save it again, then send it"
    ),
    RefusalCode.IMAGE_TOO_MANY_PIXELS: mark(
        "the picture has too many pixels: make it smaller, at most {most} megapixels"
    ),
    RefusalCode.NOT_NOW: mark("this can't be done just now: try again in a minute"),
    RefusalCode.BEING_BUILT: mark("the pages are being prepared: try again in a few minutes"),
    RefusalCode.BROKEN: mark(
        "something went wrong on our side, and we have recorded it: try again later"
    ),
    # of who may
    RefusalCode.DEFINITION_OF_OTHER: mark("the definition belongs to another shop"),
    RefusalCode.DEFINITION_TERMS_OF_OTHER: mark(
        "the definition belongs to another shop: leave its terms as they are"
    ),
    RefusalCode.GROUP_OF_OTHER: mark("{held:credentials} does not belong to this group purchase"),
    RefusalCode.PERSON_OF_OTHER: mark("{held:credentials} is not for this person"),
    RefusalCode.OWN_TERMS: mark(
        "a request with its own terms ({fields}) needs a shop's key: without one, name a "
        "definition_id"
    ),
    RefusalCode.OWN_TERMS_NO_DEFINITION: mark(
        "a request without a definition_id needs a shop's key: without one, name a definition_id"
    ),
    RefusalCode.SELLER_OF_OTHER: mark("the key belongs to another seller"),
    RefusalCode.SELLER_NOT_INVITED: mark("seller_id is not the invited seller's: leave it out"),
    RefusalCode.PAYMENT_OF_OTHER: mark("the payment belongs to somebody else"),
    RefusalCode.KEY_OF_OTHER_SHOP: mark("the key belongs to another shop: leave out shop"),
    RefusalCode.TASK_OF_OTHER_SHOP: mark("the task belongs to another shop"),
    RefusalCode.OFFER_OF_OTHER: mark("the offer belongs to another seller"),
    RefusalCode.NOT_THE_OPENER: mark("only the seller who opened the auction can withdraw it"),
    RefusalCode.RESERVATION_OF_OTHER: mark("the reservation was not made by this shop"),
    RefusalCode.NOT_THE_KEYS: mark("{field} differs from the key's: leave it out"),
    RefusalCode.NOT_A_SHOPS_ID: mark("{id} is not a shop's id"),
    RefusalCode.SHOP_OF_OTHER: mark("the key is of another shop: use that shop's key"),
    RefusalCode.IMAGES_OF_UNAPPROVED: mark(
        "a seller can store pictures once the registration is approved: wait for the approval"
    ),
    # of how things stand
    RefusalCode.GROUP_ENDED: mark(
        "the group purchase is {status:word}: it can't be withdrawn any more"
    ),
    RefusalCode.GROUP_LONG_ENDED: mark(
        "the group purchase ended too long ago: its members can't be written to any more"
    ),
    RefusalCode.NOBODY_TO_WRITE_TO: mark("nobody in this group can get an email yet"),
    RefusalCode.AUCTION_ENDED: mark("the auction is {status:word}: it can't be withdrawn any more"),
    RefusalCode.AUCTION_RELIED_ON: mark(
        "somebody has reserved or made a better offer: the auction can't be withdrawn any more"
    ),
    RefusalCode.AUCTION_TAKES_NONE: mark(
        "the auction is {status:word}: it takes no reservations any more"
    ),
    RefusalCode.RESERVATIONS_STAND: mark(
        "the auction is {status:word}: reservations stand as they are"
    ),
    RefusalCode.ORDER_EXPIRED: mark("the order was not confirmed in time: order again"),
    RefusalCode.KEY_WAS_SAID: mark(
        "this form has issued a key, which was shown then: open the page again to issue another"
    ),
    RefusalCode.LETTER_CHANGED: mark(
        "the letter was sent again or has changed since you read it: look at it again"
    ),
    RefusalCode.LETTER_TOO_OLD: mark(
        "the letter is older than {days} days, so its content is no longer kept: contact the"
        " person another way"
    ),
    RefusalCode.TASK_CLOSED: mark("the task is already closed: reload the list"),
    RefusalCode.NO_ISSUER: mark(
        "the issuer of invoices is not configured: set INVOICE_ISSUER_FILE"
    ),
    RefusalCode.SELLER_SUSPENDED: mark("the seller is suspended: reinstate instead"),
    RefusalCode.SELLER_NEVER_APPROVED: mark("the seller was never approved: approve instead"),
    RefusalCode.SHOP_ID_RESERVED: mark(
        "this can't be a shop's id: choose one that has no colon, does not begin with a dot, and is"
        " not storefront, admin or seller"
    ),
    # with problems
    RefusalCode.DEFINITION_REFUSED: mark("the definition can't be published"),
    RefusalCode.MEMBERS_REFUSED: mark("too many members are listed"),
    RefusalCode.MESSAGE_REFUSED: mark("the message can't be sent"),
    RefusalCode.PERSON_ID_REFUSED: mark("only a shop's or the admin's key may give a person's id"),
    RefusalCode.MEMBER_UNKNOWN: mark("a member can't be identified"),
    RefusalCode.REQUEST_REFUSED: mark("the request can't be accepted: correct the fields named"),
    RefusalCode.SELLER_REFUSED: mark("the seller can't be registered"),
    RefusalCode.SHOP_REFUSED: mark("the shop's or seller's description can't be stored"),
    RefusalCode.AUCTION_REFUSED: mark("the auction can't be opened"),
    RefusalCode.OFFER_DOUBTED: mark("the price may be a slip, so no offer was made"),
    RefusalCode.RECEIPT_REFUSED: mark("the money can't be recorded"),
    RefusalCode.RETRY_REFUSED: mark("the payment can't be tried again"),
    RefusalCode.OUTCOME_REFUSED: mark("the outcome can't be recorded"),
    RefusalCode.CLOSING_REFUSED: mark("the task can't be closed by hand"),
    RefusalCode.APPLICANT_ID_REFUSED: mark("a shop's key is needed to name the applicant's id"),
    RefusalCode.APPLICANT_ADDRESS_MISSING: mark("we need an address for the email"),
    RefusalCode.NOBODY_NAMED: mark("the admin's key acts for somebody else: name them"),
    RefusalCode.ORDER_NOT_TAKEN: mark("the order can't be taken"),
    RefusalCode.ORDER_UNKNOWN: mark("the order can't be identified"),
    RefusalCode.ORDER_HOPELESS: mark("the order can't count"),
    RefusalCode.ORDER_REFUSED: mark("the order does not count"),
    RefusalCode.OFFER_REFUSED: mark("{reason:offer}"),
    RefusalCode.APPLICATION_REFUSED: mark("{reason:application}"),
}
