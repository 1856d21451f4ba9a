"""purchases ─▶ favors ─▶ favors, notices: what each member of a closed group gets, and is told."""

from schemas.messages import PurchaseOpened, PurchaseRow, PurchaseState
from schemas.topics import FAVORS, NOTICES, PURCHASES
from services.favor_service import rows, rules
from services.runtime.processor import Processor

FAVORS_PROCESSOR = Processor(
    service="favor_service",
    name="favors",
    inputs=(PURCHASES,),
    outputs=(FAVORS, NOTICES),
    on={
        PurchaseOpened: rules.remember_terms,
        PurchaseRow: rules.take_row,
        PurchaseState: rules.close,
    },
    due={"shrink": rules.begin_shrinking},
    chunks={"decide": rules.decide, "shrink": rules.shrink},
    rows={
        "terms": rows.Terms,
        "member": rows.Purchaser,
        "sums": rows.Sums,
        "remainder": rows.Share,
        "decision": rows.Decision,
        "chunk": rows.Cursor,
    },
)
PROCESSORS = (FAVORS_PROCESSOR,)
