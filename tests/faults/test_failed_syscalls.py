"""A disk that fails once, at any write, sync or rename: nothing reported is lost.

Of the writes into the data file and the journal each third fails here;
``python -m tests.faults.fail_each_syscall`` tries every one, of more calls, with more errors.
"""

from __future__ import annotations

import pytest

from .fail_each_syscall import fail_each


@pytest.mark.parametrize(
    ("call", "step", "at_least"),
    [("pwrite64", 3, 3), ("write", 1, 2), ("fdatasync", 1, 2), ("rename", 1, 1)],
)
def test_each_that_fails_in_turn(call: str, step: int, at_least: int) -> None:
    runs = fail_each(call, "EIO", step)
    assert len(runs) >= sum(run.told for run in runs) >= at_least
