"""Labels, names of kinds and reasons in both languages: words that stand alone in templates.

Every entry has both, so neither can lack one. Sentences of letters are in ``templates/``.
"""

from typing import Literal, NamedTuple

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
Room = Literal["groups", "auctions"]


class Both(NamedTuple):
    """The same in English and Japanese."""

    en: str
    ja: str

    def in_(self, language: Language) -> str:
        """In one of them."""
        return self.ja if language == "ja" else self.en


#: What a row of facts is called.
LABELS: dict[str, Both] = {
    "code": Both("Code", "コード"),
    "amount": Both("Amount", "金額"),
    "applicants": Both("Buyers", "購入希望者"),
    "before_minimum": Both("Minimum before", "これまでの最低数"),
    "before_price": Both("Price before", "これまでの価格"),
    "confirm_by": Both("Confirm before", "確認の期限"),
    "contract_sum": Both("Contract in all", "契約総額"),
    "deadline": Both("Closes", "締切"),
    "favor": Both("Your favor", "特典"),
    "favor_percent": Both("Percent off", "割引率"),
    "gift": Both("Gift", "プレゼント"),
    "goal": Both("Goal", "目標"),
    "group_id": Both("Group purchase ID", "共同購入ID"),
    "method": Both("Method", "お支払い方法"),
    "new_minimum": Both("Minimum now", "現在の最低数"),
    "new_price": Both("Price now", "現在の価格"),
    "on": Both("Date", "日付"),
    "opens": Both("Opens", "受付開始"),
    "order": Both("Order", "注文番号"),
    "own_minimum": Both("Your minimum", "貴店の最低数"),
    "own_price": Both("Your price", "貴店の価格"),
    "own_sum": Both("Yours in all", "お客様の合計"),
    "payment": Both("Payment", "支払番号"),
    "price": Both("Price each", "単価"),
    "product": Both("Product", "商品"),
    "progress": Both("So far", "現在の合計"),
    "quantity": Both("Your quantity", "お客様の数量"),
    "quantity_max": Both("At most", "上限"),
    "quantity_refused": Both("Quantity", "数量"),
    "reservations": Both("Reserved", "予約"),
    "return": Both("Return", "返品番号"),
    "shown_minimum": Both("Minimum", "最低数"),
    "shown_minimum_now": Both("Minimum shown", "掲載中の最低数"),
    "shown_price": Both("Price each", "単価"),
    "shown_price_now": Both("Price shown", "掲載中の価格"),
    "source": Both("Shop", "ショップ"),
    "step": Both("Smallest step", "最小の値下げ幅"),
    "value": Both("Order value", "ご注文金額"),
}

#: What letters of a kind are about, as in "letters about …".
KINDS: dict[str, Both] = {
    "id-issued": Both("new group purchases", "共同購入のID"),
    "confirm-order": Both("orders to confirm", "ご注文のご確認"),
    "order-counted": Both("orders that count", "ご注文の算入"),
    "order-refused": Both("orders that do not count", "ご注文の不算入"),
    "favor-given": Both("favors", "特典"),
    "payment-done": Both("payments", "お支払い"),
    "payment-failed": Both("failed payments", "お支払いのエラー"),
    "confirm-application": Both("reservations to confirm", "予約のご確認"),
    "application-refused": Both("reservations that do not count", "予約の不成立"),
    "right-intercepted": Both("better offers of others", "掲載権の移動"),
    "contract-concluded": Both("concluded contracts", "契約成立"),
    "contract-failed": Both("auctions without a contract", "契約不成立"),
    "condition-improved": Both("better terms", "条件の改善"),
    "invitation": Both("invitations to outbid", "対抗条件のご案内"),
    "offer-judged": Both("what becomes of offers", "条件の判定結果"),
    "deadline-reminder": Both("closing dates", "締切"),
}

#: Between a label and its value.
COLON = Both(": ", "：")  # noqa: RUF001 - Japanese

ROOMS: dict[Room, Both] = {
    "groups": Both("the group purchase", "共同購入"),
    "auctions": Both("the auction", "オークション"),
}

METHODS: dict[str, Both] = {
    "shop": Both("at the shop", "ショップでのお支払い"),
    "card": Both("card", "カード"),
    "invoice": Both("invoice", "請求書"),
}

#: Why an order does not count, or a return exceeds what there is; codes of order_service.
ORDER_REASONS: dict[str, Both] = {
    "not-a-member": Both(
        "This group purchase is for listed members only, and you are not on its list. Please ask"
        " the organizer.",
        "この共同購入は登録された方のみが対象で、お客様のお名前が見当たりません。主催者にお問い合わせください。",
    ),
    "not-this-shop": Both(
        "The order was made at a shop that does not take part in this group purchase. Please order"
        " at a shop that does. The organizer can tell you which one.",
        "ご注文のショップは、この共同購入の対象ではありません。対象のショップでご注文いただくか、主催者にお問い合わせください。",
    ),
    "before-period": Both(
        "The order was made before the group purchase opened. Orders count from its opening on.",
        "ご注文が共同購入の受付開始前でした。受付開始後のご注文が対象です。",
    ),
    "after-period": Both(
        "The order was made after the group purchase closed.",
        "ご注文が共同購入の締切後でした。",
    ),
    "other-currency": Both(
        "The order is in another currency than the group purchase.",
        "ご注文の通貨が共同購入の通貨と異なります。",
    ),
    "withdrawn": Both(
        "The group purchase was withdrawn, so no order counts in it any more.",
        "この共同購入は取り下げられたため、ご注文は対象になりません。",
    ),
    "too-late": Both(
        "The order was made in time, but reached us more than 72 hours after the group purchase"
        " closed.",
        "ご注文は期間内でしたが、締切から72時間を過ぎて届きました。",
    ),
    "beyond-limits": Both(
        "With this order the group purchase would exceed what it can hold.",
        "このご注文を加えると、共同購入で扱える上限を超えます。",
    ),
    "expired": Both(
        "The order was not confirmed within 48 hours.",
        "48時間以内にご注文が確定されませんでした。",
    ),
    "unknown-group": Both(
        "We know no group purchase with this ID. Please check the ID: perhaps a character is"
        " mistyped.",
        "このIDの共同購入が見つかりません。入力の誤りがないか、IDをご確認ください。",
    ),
    "exceeds-orders": Both(
        "That is more than you have left of your orders in this group purchase.",
        "この共同購入でのご注文の残りを超えています。",
    ),
}

#: What became of an offer or a withdrawal, and why; codes of auction_service.
OFFER_REASONS: dict[str, Both] = {
    "opened": Both(
        "The auction is open on this condition, and buyers can reserve from now on.",
        "この条件でオークションを開始しました。予約の受付が始まっています。",
    ),
    "better": Both(
        "It betters the condition shown before, so it has taken over the auction's page.",
        "これまでの条件を上回るため、オークションのページに掲載しました。",
    ),
    "higher-minimum": Both(
        "It asks for more reservations than the condition shown, which would make those who have"
        " reserved worse off.",
        "掲載中の条件より多くの予約数を必要とするため、予約済みの方に不利になります。",
    ),
    "price-not-lower": Both(
        "Its price is not below the one shown.",
        "価格が掲載中の価格を下回っていません。",
    ),
    "step-too-small": Both(
        "Its price is below the one shown, but by less than the auction's smallest step.",
        "価格は掲載中の価格を下回っていますが、差がオークションの最小の値下げ幅に足りません。",
    ),
    "auction-exists": Both(
        "Another offer has already opened an auction with this number. Please choose another one.",
        "この番号のオークションはすでに始まっています。別の番号をお選びください。",
    ),
    "auction-withdrawn": Both(
        "The auction was taken back.",
        "このオークションは取り下げられました。",
    ),
    "after-term": Both(
        "The auction's term has ended.",
        "オークションの期間が終了しています。",
    ),
    "impossible-terms": Both(
        "Its terms can't be met. Please correct them and offer again:",
        "条件に誤りがあります。修正のうえ、もう一度お出しください。",
    ),
    "other-product": Both(
        "It is for another product than the auction.",
        "商品がオークションの商品と異なります。",
    ),
    "other-currency": Both(
        "It is in another currency than the auction.",
        "通貨がオークションの通貨と異なります。",
    ),
    "unknown-seller": Both(
        "You were not registered as a seller when you made it. Please register, then offer again.",
        "条件を出された時点で、販売者としての登録がありませんでした。登録後にもう一度お出しください。",
    ),
    "pending-seller": Both(
        "You were not approved as a seller yet when you made it. Please offer again once you are.",
        "条件を出された時点で、販売者としての承認が済んでいませんでした。承認後にもう一度お出しください。",
    ),
    "suspended-seller": Both(
        "You were suspended as a seller when you made it.",
        "条件を出された時点で、販売者としての資格が停止されていました。",
    ),
    "has-applied": Both(
        "You have reserved in this auction as a buyer. Please withdraw the reservation first.",
        "このオークションで購入の予約をされています。先に予約を取り消してください。",
    ),
    "unknown-auction": Both(
        "No such auction opened within an hour of your offer.",
        "条件を出されてから1時間以内に、該当するオークションが始まりませんでした。",
    ),
    "not-the-opener": Both(
        "Only the seller who opened the auction can take it back.",
        "オークションを取り下げられるのは、開始した販売者だけです。",
    ),
    "has-better-offer": Both(
        "A better offer has taken over the page.",
        "より良い条件がすでに掲載されています。",
    ),
    "has-applications": Both(
        "Buyers have reserved, and rely on it.",
        "すでに予約された方がいらっしゃいます。",
    ),
}

#: Why a reservation does not count, by auction_service's codes.
APPLICATION_REASONS: dict[str, Both] = {
    "auction-withdrawn": Both(
        "The seller has taken the auction back.",
        "このオークションは、販売者により取り下げられました。",
    ),
    "after-term": Both(
        "It reached us after the auction's term had ended.",
        "オークションの期間が終了した後のお申し込みでした。",
    ),
    "own-auction": Both(
        "This address belongs to a seller who has made an offer in this auction. Such a seller"
        " can't reserve in it.",
        "このメールアドレスは、このオークションに条件を出している販売者のものです。"
        "販売者は、ご自身が参加するオークションでは予約できません。",
    ),
    "over-applicant-limit": Both(
        "It is for more units than one buyer may reserve in this auction.",
        "このオークションでお一人様が予約できる数を超えています。",
    ),
    "already-reserved": Both(
        "You already have a reservation in this auction, made elsewhere. It still counts. To"
        " change it, take it back first.",
        "このオークションでは、ほかの窓口からのご予約がすでに成立しており、そのまま有効です。"
        "変更なさる場合は、先にそのご予約を取り消してください。",
    ),
    "beyond-limits": Both(
        "With this reservation the auction would exceed what it can hold.",
        "この予約を加えると、オークションで扱える上限を超えます。",
    ),
}

#: A code that has no words yet, as of a later version of a service.
UNKNOWN_REASON = Both("The reason given is “{}”.", "理由は「{}」です。")

#: What is wrong with an offer's terms, by field and by how auction_service begins to say it.
PROBLEMS: dict[tuple[str, str], Both] = {
    ("minimum_reservations", "give 1 to"): Both(
        "the minimum of reservations is 1 to 1,000,000,000",
        "最低予約数は1から1,000,000,000までです",
    ),
    ("unit_price", "give 1 to"): Both(
        "the price is 1 to 1,000,000,000,000 of the currency's smallest unit",
        "価格は通貨の最小単位で1から1,000,000,000,000までです",
    ),
    ("minimum_step", "give 1 to"): Both(
        "the smallest step is 1 to 1,000,000,000,000 of the currency's smallest unit",
        "最小の値下げ幅は通貨の最小単位で1から1,000,000,000,000までです",
    ),
    ("currency", "'"): Both(
        "the currency is not an ISO 4217 code such as EUR or JPY",
        "通貨はEURやJPYなどのISO 4217コードで指定してください",
    ),
    ("offered_at", "give a time of the years"): Both(
        "the time of the offer is not in the years 1970 to 8999",
        "条件の日時は1970年から8999年までです",
    ),
    ("closes_at", "give a time of the years"): Both(
        "the end of the term is not in the years 1970 to 8999",
        "期間の終了は1970年から8999年までです",
    ),
    ("closes_at", "is not after offered_at"): Both(
        "the term ends before it begins; give a later end",
        "期間の終了が開始より前です。より遅い日時を指定してください",
    ),
    ("invites_at", "is not between"): Both(
        "the date of the invitations is not between the offer and the end of the term",
        "案内の日時は、条件を出した時点から期間の終了までの間で指定してください",
    ),
}


#: Why a payment by card failed; codes of payment_service.
PAYMENT_REASONS: dict[str, Both] = {
    "card-declined": Both("The card was declined.", "カードが承認されませんでした。"),
    "not-paid": Both(
        "The page to pay on was left without a payment.", "お支払いが完了しませんでした。"
    ),
    "refused": Both("The provider of payments refused it.", "決済会社に拒否されました。"),
    "no-answer": Both(
        "The provider of payments did not answer.", "決済会社から応答がありませんでした。"
    ),
    "not-accepted": Both(
        "The provider of payments did not accept it.", "決済会社に受け付けられませんでした。"
    ),
    "expired": Both(
        "The page to pay on was not used in time.", "お支払いページの有効期限が切れました。"
    ),
    "disputed": Both(
        "It waits, as a payment is disputed at the payer's bank.",
        "決済に対する異議申し立て（チャージバック）の結果を待っています。",  # noqa: RUF001 - Japanese
    ),
    "dispute-lost": Both(
        "The payer's bank took the money back in a dispute.",
        "お支払いは、カード会社により取り消されました（チャージバック）。",  # noqa: RUF001 - Japanese
    ),
}


def reason(kind: str, code: str, language: Language) -> str:
    """A reason as a sentence; a code that is not known is quoted."""
    known = {
        "order-refused": ORDER_REASONS,
        "offer-judged": OFFER_REASONS,
        "application-refused": APPLICATION_REASONS,
        "payment-failed": PAYMENT_REASONS,
    }.get(kind, {})
    if code in known:
        return known[code].in_(language)
    return UNKNOWN_REASON.in_(language).format(code)


def problem(field: str, text: str, language: Language) -> str:
    """What is wrong with a field, as part of a list; what is not known stays as it is."""
    for (name, begins), words in PROBLEMS.items():
        if field == name and text.startswith(begins):
            return words.in_(language)
    return f"{field} {text}"


def units(number: int, written: str, language: Language) -> str:
    """``3 units``; ``written`` is the number as the recipient writes it."""
    if language == "ja":
        return f"{written} 点"
    return f"{written} unit{'' if number == 1 else 's'}"


def buyers(number: int, written: str, language: Language) -> str:
    """``41 buyers``."""
    if language == "ja":
        return f"{written} 名"
    return f"{written} buyer{'' if number == 1 else 's'}"


def progress(total: str, goal: str, language: Language, *, is_reached: bool) -> str:
    """``62 of 100 units``, or ``104 units (goal 100)``; one of the two numbers has the unit."""
    if language == "ja":
        return f"{total}（目標 {goal}）" if is_reached else f"{total} / {goal}"  # noqa: RUF001 - Japanese
    return f"{total} (goal {goal})" if is_reached else f"{total} of {goal}"


def minor_units(written: str, currency: str, language: Language) -> str:
    """An amount whose currency is not known well enough to place the decimal point."""
    if language == "ja":
        return f"{written}（{currency or '通貨'}の最小単位）"  # noqa: RUF001 - Japanese
    return f"{written} of the smallest unit{f' of {currency}' if currency else ''}"
