"""Two workers as processes, one of which is killed now and then; and people who insist on an answer."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx2

from embedded.process import Child
from settings import Settings

REPOSITORY = Path(__file__).parents[2]
QUICK_WORKER = Path(__file__).with_name("quick_worker.py")
PATIENCE = 60
SAY_IT_AGAIN = 503
_NAMES = count(1)


class Crew:
    """Whoever is killed is replaced at once; the replacement takes some seconds to begin."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._workers = [self._hire() for _ in range(2)]
        self.killed = 0

    def _hire(self) -> Child:
        environment = {**self._settings.environment(), "PYTHONPATH": str(REPOSITORY)}
        log = self._folder / f"worker-{next(_NAMES)}.log"
        return Child("worker", [sys.executable, QUICK_WORKER], log, environment=environment)

    def kill_one(self) -> None:
        """kill -9 of the elder of the two."""
        doomed = self._workers.pop(0)
        assert doomed.alive, doomed.log.read_text()
        doomed.kill()
        self.killed += 1
        self._workers.append(self._hire())

    @asynccontextmanager
    async def dying(self, after: float | None) -> AsyncIterator[None]:
        """One of them dies so many seconds after the block begins; None: nobody does."""
        if after is None:
            yield
            return
        killing = asyncio.get_running_loop().run_in_executor(None, self._kill_later, after)
        try:
            yield
        finally:
            await killing

    def _kill_later(self, after: float) -> None:
        time.sleep(after)
        self.kill_one()

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()


async def insists(ask: Callable[[], Awaitable[httpx2.Response]], *wait: int) -> httpx2.Response:
    """Repeat the very same request for as long as the answer asks for it.

    Args:
        ask: Sends it.
        wait: Answers that ask for it, besides 503.
    """
    async with asyncio.timeout(PATIENCE):
        while (answer := await ask()).status_code in (SAY_IT_AGAIN, *wait):  # noqa: ASYNC110 - what it says
            await asyncio.sleep(0.1)
    return answer
