"""The projector of a later release, whose read model has other tables."""

from runtime.command_line import command_line
from runtime.settings import Settings
from services.storefront.projector import run
from services.storefront.readmodel import generations
from services.storefront.settings import ModelSettings

generations.MODEL = 2  # type: ignore[misc]

if __name__ == "__main__":
    command_line(run, "storefront.projector", "A projector.", Settings, ModelSettings)
