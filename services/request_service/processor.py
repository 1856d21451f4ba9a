"""group-purchase-requests, definitions ─▶ desk ─▶ request-outcomes, group-purchases.

On the way an id is claimed, in a step keyed by the id itself, so that it is given once:
desk ─▶ id-claims ─▶ registrar ─▶ id-answers ─▶ desk. The organizer and the members get letters, and
their addresses are known by another topic: desk ─▶ notices, people.
"""

from runtime.processor import Processor, takes
from runtime.rows import tables
from schemas.groups import (
    DEFINITIONS,
    GROUP_PURCHASE_REQUESTS,
    GROUP_PURCHASES,
    ID_ANSWERS,
    ID_CLAIMS,
    REQUEST_OUTCOMES,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdClaimed,
    IdGranted,
    IdTaken,
    MembersListed,
)
from schemas.letters import NOTICES
from schemas.people import PEOPLE
from services.request_service import rows
from services.request_service.rules import requests

DESK = Processor(
    service="request_service",
    name="desk",
    inputs=(GROUP_PURCHASE_REQUESTS, ID_ANSWERS),
    outputs=(ID_CLAIMS, GROUP_PURCHASES, REQUEST_OUTCOMES, NOTICES, PEOPLE),
    reads_whole=(DEFINITIONS,),
    on=dict(
        [
            takes(GroupPurchaseRequested, requests.take_request),
            takes(MembersListed, requests.take_members),
            takes(GroupPurchaseWithdrawn, requests.withdraw),
            takes(IdGranted, requests.issue),
            takes(IdTaken, requests.claim_next),
        ]
    ),
    due={
        "definition": requests.recheck_definition,
        "parts": requests.give_up_on_parts,
        "shrink": requests.shrink,
    },
    chunks={"admit": requests.admit_members, "drop": requests.drop_parts},
    rows=tables(
        rows.ASKED,
        rows.GROUP,
        rows.CLAIM,
        rows.OUTCOME,
        rows.GATHERED,
        rows.EXPECTED,
        rows.PARTS,
        rows.LISTED,
        rows.TWICE,
        rows.CHUNKS,
    ),
)
REGISTRAR = Processor(
    service="request_service",
    name="registrar",
    inputs=(ID_CLAIMS,),
    outputs=(ID_ANSWERS,),
    on=dict([takes(IdClaimed, requests.answer_claim)]),
    rows=tables(
        rows.OWNER,
    ),
)
PROCESSORS = (DESK, REGISTRAR)
