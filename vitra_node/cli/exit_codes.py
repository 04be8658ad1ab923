"""Exit codes are verdicts: this table, and from any exception to its row.

The families of ``errors.py`` carry their code; ``api/failures.py`` sorts errors of lower layers
into families. What is left is what only a command line meets.
"""

from __future__ import annotations

import logging
from typing import Final

from ..errors import KEPT, InternalFault, Interrupted, UsageProblem, VitraError

EXIT_CODES: Final = {
    0: "done, or verified",
    1: "a fault of this program",
    2: "the command or its input is wrong",
    3: "not found",
    4: "not allowed here",
    5: "network trouble, or not in time",
    6: "cannot tell (yet)",
    7: "the local store is damaged, or its disk is full",
    20: "the contract is violated; a proof was written",
    21: "a log was forked; a proof was written",
    130: "interrupted",
}

DONE: Final = 0
REJECTED: Final = 4
CANNOT_TELL: Final = 6
DAMAGED: Final = 7
VIOLATED: Final = 20
FORKED: Final = 21

VERDICTS: Final = {"verified": DONE, "cannot tell": CANNOT_TELL, "violated": VIOLATED}
"""Exit codes of the verdicts of an audit; see ``violation_code`` for which violation it is."""


def violation_code(kind: str) -> int:
    """The exit code of a violation by the kind of its proof."""
    return VIOLATED if kind == "ContractFraudProof" else FORKED


_log = logging.getLogger(__name__)


def failure_of(error: BaseException) -> VitraError:
    """What to tell the user of an exception that ended a command."""
    import click

    if isinstance(error, VitraError):
        return error
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return _interrupted()
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "vitra"
        return UsageProblem(
            _sentence(error.format_message()),
            unchanged="Nothing was changed.",
            advice=f"See `{command} --help`.",
        )
    if isinstance(error, click.ClickException):
        return UsageProblem(_sentence(error.format_message()), unchanged="Nothing was changed.")
    return _lower_failure(error)


def _lower_failure(error: BaseException) -> VitraError:
    if isinstance(error, BaseExceptionGroup) and error.subgroup(KeyboardInterrupt) is not None:
        return _interrupted()
    try:
        from ..api import failures
    except ImportError as missing:
        return InternalFault(
            f"The installation is incomplete: {missing}.", advice="Install vitra-node again."
        )
    failure = failures.failure_of(error)
    return failure if failure is not None else InternalFault(f"Ended by {type(error).__name__}.")


def _interrupted() -> VitraError:
    return Interrupted("Interrupted.", unchanged=KEPT)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
