"""Every failure that a user of the node is told about, on one page.

Each family is a verdict with its own exit code. Its text answers three questions, in this order:
what failed, what stayed unchanged, what to try. Lower layers raise errors of their own;
``api/failures.py`` turns those into these, and ``cli/exit_codes.py`` turns these into exit codes.
"""

# The names are verdicts, as in the table of exit codes; "Error" behind each would say nothing.

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import ClassVar, Final

DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk answers, or one that gives this user no more."""


class VitraError(Exception):
    """The root. ``exit_code`` 1 means that the fault is in this program, not in its use.

    Attributes:
      failed: one sentence, what failed.
      unchanged: one sentence, what stayed as it was; empty when there was nothing to change.
      advice: one sentence, what to try; empty when there is nothing to try.
      details: further facts for programs, JSON values only (for example ``proof`` or ``line``).
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, failed: str, *, unchanged: str = "", advice: str = "", **details: object
    ) -> None:
        super().__init__(failed)
        self.failed = failed
        self.unchanged = unchanged
        self.advice = advice
        self.details = details

    @property
    def family(self) -> str:
        """Name of the nearest class of this page: what programs tell failures apart by."""
        for kind in type(self).__mro__:
            if FAMILIES.get(kind.__name__) is kind:
                return kind.__name__
        return InternalFault.__name__

    def __str__(self) -> str:
        return " ".join(part for part in (self.failed, self.unchanged, self.advice) if part)


class InternalFault(VitraError):
    """A bug of ours, told in one sentence."""


class UsageProblem(VitraError):
    """The command, an argument or a file that was handed in is wrong as it stands."""

    exit_code = 2


class NotFound(VitraError):
    """The thing asked for is not there: a database, a path, a method, a transaction, a node."""

    exit_code = 3


class NotAllowed(VitraError):
    """The thing may not be done here: not our log, directory in use, refused by the contract."""

    exit_code = 4


class NetworkProblem(VitraError):
    """A peer or a node could not be reached, or something did not happen in time."""

    exit_code = 5


class CannotTellYet(VitraError):
    """There is no verdict: data is missing, or this runtime cannot replay the contract."""

    exit_code = 6


class StoreDamaged(VitraError):
    """Files are damaged, unreadable or of an unknown form, or the disk takes no more."""

    exit_code = 7


class ContractViolated(VitraError):
    """The index log holds something its contract does not produce; a proof was written."""

    exit_code = 20


class LogForked(VitraError):
    """The writer of a log signed two histories; a proof was written."""

    exit_code = 21


KEPT: Final = "What was reported as done is kept."


class Interrupted(VitraError):
    """The user stopped the command."""

    exit_code = 130


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that the disk is full: by its number, or in the system's own words."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return True
    return any(os.strerror(number) in str(error) for number in DISK_FULL)


def cannot_write(file: Path, error: OSError, unchanged: str) -> VitraError:
    """What to tell when a file that the user named could not be written."""
    failed = f"{file} cannot be written: {error.strerror or error}."
    if is_disk_full(error):
        advice = "Free some space and try again."
        return StoreDamaged(f"The disk is full: {failed}", unchanged=unchanged, advice=advice)
    return UsageProblem(failed, unchanged=unchanged, advice="Name a place that can be written.")


FAMILIES: dict[str, type[VitraError]] = {
    family.__name__: family
    for family in (
        InternalFault,
        UsageProblem,
        NotFound,
        NotAllowed,
        NetworkProblem,
        CannotTellYet,
        StoreDamaged,
        ContractViolated,
        LogForked,
        Interrupted,
    )
}
"""Families by name, as they travel through the control API."""
