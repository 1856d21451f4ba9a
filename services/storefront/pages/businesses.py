"""The form of a shop or a seller, as people see it."""

from collections.abc import Sequence

from fastapi import Request

from schemas.api.parts import BusinessGiven
from schemas.parts import Business
from services.storefront.access.callers import Actor
from services.storefront.pages.forms import Form
from services.storefront.pages.visits import Visit
from services.storefront.pages.wares import with_stored

#: Fields of the form with a text; the logo is a file.
TEXTS = tuple(name for name in BusinessGiven.model_fields if name != "logo")


def filled_in(visit: Visit, said: Business | None, **more: str | None) -> Form:
    """The form with what was said before."""
    values = {name: getattr(said, name) for name in (*TEXTS, "logo")} if said else {}
    return Form(visit, {name: each for name, each in (values | more).items() if each})


async def fields_of(
    request: Request, actor: Actor, form: Form, files: Sequence[bytes]
) -> dict[str, str]:
    """What the form says, without what is empty; its logo is stored, and the newest one counts."""
    fields = {name: form.text(name, required=False) for name in TEXTS}
    logos = await with_stored(request, actor, form, "logo", files)
    fields["logo"] = form.values["logo"] = logos[-1] if logos else ""
    return {name: each for name, each in fields.items() if each}
