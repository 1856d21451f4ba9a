"""A projector that keeps generations of the read model that were replaced for a second.

It does not look for a newer one: it goes over when it may not write to its own any more.
"""

from datetime import timedelta

from runtime.command_line import command_line
from runtime.settings import Settings
from services.storefront.projector import run
from services.storefront.readmodel import generations, projection
from services.storefront.settings import ModelSettings

generations.KEPT = timedelta(seconds=1)  # type: ignore[misc]
projection.SWEEP_SECONDS = 0.5  # type: ignore[misc]
projection.NEWER_SECONDS = 1_000_000.0  # type: ignore[misc]

if __name__ == "__main__":
    command_line(run, "storefront.projector", "A projector.", Settings, ModelSettings)
