"""A projector that is killed after it closed a generation, before the next one is ready."""

import os
import signal

from runtime.command_line import command_line
from runtime.settings import Settings
from services.storefront.projector import run
from services.storefront.readmodel.generations import Generations
from services.storefront.settings import ModelSettings


async def _die(_: Generations, __: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


Generations.make_ready = _die  # type: ignore[method-assign]

if __name__ == "__main__":
    command_line(run, "storefront.projector", "A projector.", Settings, ModelSettings)
