"""Whether an answer to an attack is as it should be. Pure."""

import json
import re
from collections.abc import Iterator

from services.storefront.api.document import PREFIX
from services.storefront.problems import MEDIA_TYPE, TYPE_PREFIX
from tests.attack.attacks import Attack
from tests.attack.targets import Answer
from tests.attack.words import MARK

#: What the server answers in plain text: to what is not HTTP, and to a head that is too large.
OF_THE_SERVER = frozenset({400, 431})
_ACTIVE = re.compile(rf"<script>alert|\son\w+=[\"']?alert\(.?{MARK}", re.IGNORECASE)


def problems_of(attack: Attack, answer: Answer) -> list[str]:
    """All that is wrong, with what was asked."""
    return [f"{attack.label}: {each}" for each in _problems(attack, answer)]


def _problems(attack: Attack, answer: Answer) -> Iterator[str]:
    if answer.status >= 500 or answer.status < 200:
        yield f"{answer.status}: {answer.body[:200]!r}"
        return
    if answer.status in OF_THE_SERVER and answer.header("content-type").startswith("text/plain"):
        return
    if attack.wants and answer.status not in attack.wants:
        yield f"{answer.status}, and not {sorted(attack.wants)}"
    if answer.status >= 400 and answer.sent:
        yield f"{answer.status}, and yet {answer.sent} messages were sent"
    yield from _in_headers(answer)
    is_api = attack.target.startswith(PREFIX)
    if is_api and answer.status >= 400:
        yield from _of_problem(answer)
    if "text/html" in answer.header("content-type"):
        text = answer.body.decode()
        if _ACTIVE.search(text) or text.count("<script") > 1:
            yield "a script of somebody else's"


def _in_headers(answer: Answer) -> Iterator[str]:
    for name, value in answer.headers:
        if re.search(r"[\r\n\0]", name + value) or name.lower() == MARK:
            yield f"a broken header {name!r}"
        if name.lower() == "set-cookie" and MARK in value:
            yield "a cookie of somebody else's"
    place = answer.header("location")
    if place and not re.match(r"/(?![/\\])", place):
        yield f"leads elsewhere: {place[:80]}"
    if "unsafe" in answer.header("content-security-policy"):
        yield "a policy that allows what it should not"
    if answer.header("x-content-type-options") != "nosniff":
        yield "no protecting headers"


def _of_problem(answer: Answer) -> Iterator[str]:
    """The problem document (RFC 9457) that a refusal of the API is."""
    if answer.header("content-type").partition(";")[0] != MEDIA_TYPE:
        yield f"no problem, but {answer.header('content-type')}"
        return
    document = json.loads(answer.body)
    if document["status"] != answer.status or not document["type"].startswith(TYPE_PREFIX):
        yield f"another problem: {document['type']} {document['status']}"
    if not document["detail"]:
        yield "it does not say what to do"
