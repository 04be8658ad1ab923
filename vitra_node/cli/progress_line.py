"""A line on the terminal that shows how far long work is, with its rate; gone when it is done."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

from ..progress import Progress, Step
from ..safe_text import safe_text

if TYPE_CHECKING:
    from tqdm import tqdm

# What is done sooner needs no bar.
DELAY_SECONDS = 1.0
LOOK_SECONDS = 0.2


class ProgressLine:
    """Shows steps on a stream, if that is a terminal and it is ``wanted``.

    Whoever else writes to the terminal calls ``clear`` before.
    """

    def __init__(self, stream: TextIO, *, wanted: bool = True) -> None:
        self._stream = stream
        self._shows = wanted and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._begun: float | None = None
        self._bar: tqdm[Any] | None = None
        self._step: tuple[str, int | None] | None = None

    def show(self, step: Step) -> None:
        """How far it is now; may be called as often as one likes."""
        if not self._shows:
            return
        if self._bar is None or self._step != (step.what, step.total):
            self.clear()
            self._step = (step.what, step.total)
            now = monotonic()
            if self._begun is None:
                self._begun = now
            self._bar = _bar(step, self._stream, max(0.0, self._begun + DELAY_SECONDS - now))
        self._bar.update(step.done - self._bar.n)

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    @contextmanager
    def following(self) -> Iterator[Progress]:
        """A progress for work in the block that waits for nothing; another thread looks at it."""
        progress, ended = Progress(), threading.Event()

        def look() -> None:
            while not ended.wait(LOOK_SECONDS):
                step = progress.now()
                if step is not None:
                    self.show(step)

        thread = threading.Thread(target=look, name="progress", daemon=True)
        if self._shows:
            thread.start()
        try:
            yield progress
        finally:
            ended.set()
            if self._shows:
                thread.join()
            self.clear()


def _bar(step: Step, stream: TextIO, delay_seconds: float) -> tqdm[Any]:
    # Loaded here: commands that are quick never draw.
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]  # generic in its stubs only
        # No thread that watches over bars: ours are updated all the time, or gone.
        monitor_interval = 0

    return Bar(
        desc=safe_text(step.what),
        total=step.total,
        unit=f" {step.unit}",
        unit_scale=True,
        file=stream,
        leave=False,
        delay=delay_seconds,
        dynamic_ncols=True,
    )
