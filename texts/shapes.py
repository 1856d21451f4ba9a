"""Wrong shapes as problems by code, never with what was given: pydantic's errors, and amounts."""

from collections.abc import Mapping
from typing import Any, Final

from domain.amounts import AmountReason
from domain.mailboxes import AddressError
from schemas.parts import Problem
from schemas.refusals import ProblemCode, ShapeError
from texts.reasons import problem

#: By pydantic's error types: the code, and pydantic's name of its one value as our text names it.
_CODES: Final[Mapping[str, tuple[ProblemCode, str, str]]] = {
    "missing": (ProblemCode.MISSING, "", ""),
    "extra_forbidden": (ProblemCode.FIELD_UNKNOWN, "", ""),
    "json_invalid": (ProblemCode.NOT_JSON, "", ""),
    "json_type": (ProblemCode.NOT_JSON, "", ""),
    "string_pattern_mismatch": (ProblemCode.ODD_CHARACTERS, "", ""),
    "string_unicode": (ProblemCode.ODD_CHARACTERS, "", ""),
    "string_too_short": (ProblemCode.TOO_SHORT, "min_length", "least"),
    "string_too_long": (ProblemCode.TOO_LONG, "max_length", "most"),
    "too_short": (ProblemCode.TOO_FEW_ITEMS, "min_length", "least"),
    "too_long": (ProblemCode.TOO_MANY_ITEMS, "max_length", "most"),
    "greater_than_equal": (ProblemCode.NOT_AT_LEAST, "ge", "least"),
    "less_than_equal": (ProblemCode.NOT_AT_MOST, "le", "most"),
    "int_type": (ProblemCode.NOT_WHOLE, "", ""),
    "int_from_float": (ProblemCode.NOT_WHOLE, "", ""),
    "int_parsing": (ProblemCode.NOT_WHOLE, "", ""),
    "int_parsing_size": (ProblemCode.NOT_WHOLE, "", ""),
    "float_type": (ProblemCode.NOT_A_NUMBER, "", ""),
    "float_parsing": (ProblemCode.NOT_A_NUMBER, "", ""),
    "finite_number": (ProblemCode.NOT_A_NUMBER, "", ""),
    "string_type": (ProblemCode.NOT_TEXT, "", ""),
    "bool_type": (ProblemCode.NOT_TRUE_OR_FALSE, "", ""),
    "bool_parsing": (ProblemCode.NOT_TRUE_OR_FALSE, "", ""),
    "list_type": (ProblemCode.NOT_A_LIST, "", ""),
    "tuple_type": (ProblemCode.NOT_A_LIST, "", ""),
    "dict_type": (ProblemCode.NOT_FIELDS, "", ""),
    "model_type": (ProblemCode.NOT_FIELDS, "", ""),
    "model_attributes_type": (ProblemCode.NOT_FIELDS, "", ""),
    "literal_error": (ProblemCode.NOT_OF_CHOICES, "expected", "choices"),
    "datetime_type": (ProblemCode.NOT_A_TIME, "", ""),
    "datetime_parsing": (ProblemCode.NOT_A_TIME, "", ""),
    "datetime_from_date_parsing": (ProblemCode.NOT_A_TIME, "", ""),
    "timezone_aware": (ProblemCode.NOT_A_TIME, "", ""),
}

#: Why a typed text is not an amount. The ``params`` of the ``AmountError`` fill the code's text.
AMOUNT_CODES: Final[Mapping[AmountReason, ProblemCode]] = {
    AmountReason.NOT_AN_AMOUNT: ProblemCode.NOT_AN_AMOUNT,
    AmountReason.TOO_MANY_DECIMALS: ProblemCode.TOO_MANY_DECIMALS,
    AmountReason.NO_DECIMALS: ProblemCode.NO_DECIMALS,
    AmountReason.TWO_AMOUNTS: ProblemCode.TWO_AMOUNTS,
}


def problem_of(field: str, error: Mapping[str, Any]) -> Problem:
    """The problem that an error of pydantic is; pydantic lists it with its context.

    An error of a kind that is not known here says only that the value is not as documented.
    """
    context = error.get("ctx") or {}
    match context.get("error"):
        case AddressError() as found:
            return problem(field, ProblemCode.ADDRESS, reason=found.reason)
        case ShapeError() as found:
            return problem(field, found.code, **found.params)
    code, theirs, ours = _CODES.get(str(error.get("type")), (ProblemCode.NOT_AS_DOCUMENTED, "", ""))
    if not ours:
        return problem(field, code)
    value = context.get(theirs)
    if not isinstance(value, int | float | str):
        return problem(field, ProblemCode.NOT_AS_DOCUMENTED)
    return problem(field, code, **{ours: value})
