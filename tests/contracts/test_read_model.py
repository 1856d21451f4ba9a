"""The read model's tables change only with the version by which projectors build another one."""

from hashlib import sha256

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from services.storefront.readmodel.tables import MODEL, READ_MODEL

#: The tables of each version that was released or is about to be.
TABLES_OF = {1: "6b6cc6dd850345a4"}


def tables_now() -> str:
    """A digest of how the tables and their indexes are made."""
    made = []
    for table in sorted(READ_MODEL, key=lambda each: each.name):
        indexes = sorted(table.indexes, key=lambda each: str(each.name))
        for step in (CreateTable(table), *map(CreateIndex, indexes)):
            made.append(str(step.compile(dialect=postgresql.dialect())))
    return sha256("\n".join(made).encode()).hexdigest()[:16]


def test_other_tables_are_another_model() -> None:
    assert TABLES_OF.get(MODEL) == tables_now(), (
        "the read model's tables are not those of MODEL: raise MODEL in readmodel/tables.py, and"
        f" add to TABLES_OF here: {{{MODEL + 1}: {tables_now()!r}}}"
    )
    assert max(TABLES_OF) == MODEL
