"""group-purchase-requests, definitions ─▶ desk ─▶ request-outcomes, group-purchases.

On the way an id is claimed, in a step keyed by the id itself, so that it is given once:
desk ─▶ id-claims ─▶ registrar ─▶ id-answers ─▶ desk. Who is named in the request is told by letter:
desk ─▶ notices.
"""

from schemas.messages import (
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdClaimed,
    IdGranted,
    IdTaken,
    MembersListed,
)
from schemas.topics import (
    DEFINITIONS,
    GROUP_PURCHASE_REQUESTS,
    GROUP_PURCHASES,
    ID_ANSWERS,
    ID_CLAIMS,
    NOTICES,
    REQUEST_OUTCOMES,
)
from services.request_service import rows, rules
from services.runtime.processor import Processor

DESK = Processor(
    service="request_service",
    name="desk",
    inputs=(GROUP_PURCHASE_REQUESTS, ID_ANSWERS),
    outputs=(ID_CLAIMS, GROUP_PURCHASES, REQUEST_OUTCOMES, NOTICES),
    reads_whole=(DEFINITIONS,),
    on={
        GroupPurchaseRequested: rules.take_request,
        MembersListed: rules.take_members,
        GroupPurchaseWithdrawn: rules.withdraw,
        IdGranted: rules.issue,
        IdTaken: rules.claim_next,
    },
    due={
        "definition": rules.recheck_definition,
        "parts": rules.give_up_on_parts,
        "shrink": rules.shrink,
    },
    chunks={"admit": rules.admit_members, "drop": rules.drop_parts},
    rows={
        "asked": rows.Asked,
        "group": rows.Group,
        "claim": rows.Claim,
        "outcome": rows.Outcome,
        "gathered": rows.Gathered,
        "expected": rows.Expected,
        "part": rows.Part,
        "listed": rows.Listed,
        "twice": rows.Listed,
        "chunk": rows.Cursor,
    },
)
REGISTRAR = Processor(
    service="request_service",
    name="registrar",
    inputs=(ID_CLAIMS,),
    outputs=(ID_ANSWERS,),
    on={IdClaimed: rules.answer_claim},
    rows={"owner": rows.Owner},
)
PROCESSORS = (DESK, REGISTRAR)
