"""Labels and names of kinds in both languages: words that stand alone in templates.

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
