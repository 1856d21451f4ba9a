"""purchases ─▶ favors ─▶ favors, notices: what each member of a closed group gets, and is told."""

from runtime.processor import Processor, takes
from runtime.rows import tables
from schemas.favors import FAVORS
from schemas.letters import NOTICES
from schemas.orders import PURCHASES, PurchaseOpened, PurchaseRow, PurchaseState
from services.favor_service import rows
from services.favor_service.rules import favors

FAVORS_PROCESSOR = Processor(
    service="favor_service",
    name="favors",
    inputs=(PURCHASES,),
    outputs=(FAVORS, NOTICES),
    on=dict(
        [
            takes(PurchaseOpened, favors.remember_terms),
            takes(PurchaseRow, favors.take_row),
            takes(PurchaseState, favors.close),
        ]
    ),
    due={"shrink": favors.begin_shrinking},
    chunks={"decide": favors.decide, "shrink": favors.shrink},
    rows=tables(
        rows.TERMS,
        rows.MEMBERS,
        rows.SUMS,
        rows.REMAINDERS,
        rows.DECISION,
        rows.CHUNKS,
    ),
)
PROCESSORS = (FAVORS_PROCESSOR,)
