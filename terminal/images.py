"""``jointbuy image``: store pictures of products and logos, and read products from options."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from terminal.api import Api, connected
from terminal.console import Mistake, mistakes, print_json, say
from terminal.options import AsJson, Url
from terminal.text_files import decoded

commands = typer.Typer(no_args_is_help=True, help="Store pictures of products and logos.")

_ID = re.compile("[0-9a-f]{64}")


@commands.command("add")
@mistakes()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="JPEG, PNG, WebP or GIF.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Store pictures and print the id of each. Needs a shop's, a seller's or the admin's key.

    A picture is stored without the place where it was taken. The same file again has the same id.
    """
    with connected(url, as_json=as_json) as api:
        stored = [_stored(api, file) for file in files]
    if as_json:
        print_json(stored)
        return
    for each in stored:
        say(each["image_id"])


def _stored(api: Api, file: Path) -> Any:
    try:
        picture = file.read_bytes()
    except OSError as error:
        raise Mistake(f"{file} can't be read: {error.strerror}", usage=True) from None
    return api.upload("/images", picture).body


def image_of(api: Api, file_or_id: str) -> str:
    """The id of an image: the given one, or that of a file, which is stored. Raises ``Mistake``."""
    if _ID.fullmatch(file_or_id):
        return file_or_id
    image_id: str = _stored(api, Path(file_or_id))["image_id"]
    return image_id


def with_images(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    """A body whose product names stored images, where it had files."""
    product = body.get("product")
    if not isinstance(product, dict) or not product.get("images"):
        return body
    images = [image_of(api, str(each)) for each in product["images"]]
    return body | {"product": product | {"images": images}}


def product_of(
    name: str | None,
    product_id: str | None,
    description: str | None,
    description_file: Path | None,
    page: str | None,
    images: list[str] | None,
    category: str | None,
    tags: list[str] | None,
) -> dict[str, Any]:
    """The product that the options describe; its images may be files. Raises ``Mistake``."""
    if description is not None and description_file is not None:
        raise Mistake("give --description or --description-file, not both", usage=True)
    if description_file is not None:
        try:
            description = decoded(description_file.read_bytes())
        except (OSError, ValueError) as error:
            raise Mistake(f"{description_file} can't be read: {error}", usage=True) from None
    return {
        "name": name,
        "id": product_id,
        "description": description,
        "url": page,
        "images": images or None,
        "category": category,
        "tags": tags or None,
    }
