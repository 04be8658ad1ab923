"""Every exception of the contracts package, on one page.

``ContractError`` is the root. A *verdict* about the contract (it does not compile, its method
threw) is the same on every machine. A *host fault* (a timeout, a lack of memory, a dead worker)
says nothing about the contract: no ack may be written for it, and a monitor answers "cannot tell".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import ConsoleLine


class ContractError(Exception):
    """The root of all of them."""


class ContractSyntaxError(ContractError):
    """The source cannot be a contract; ``line`` and ``column``, from 1, point at the reason."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column


class ContractCallError(ContractError):
    """The called method threw, or there is no such method; the text is the contract's own.

    ``position`` is line and column (from 1) of the statement that the error came from, None when
    nobody knows; ``printed`` is what the contract wrote to its console.
    """

    def __init__(
        self,
        message: str,
        *,
        position: tuple[int, int] | None = None,
        printed: tuple[ConsoleLine, ...] = (),
    ) -> None:
        super().__init__(message)
        self.position = position
        self.printed = printed


class ContractValueError(ContractError):
    """A parameter or operation holds something that contracts cannot be given."""


class HostFault(ContractError):
    """The machine, not the contract, made the run fail: nothing may be concluded from it."""


class ContractTimeout(HostFault):
    """The contract ran longer than the wall clock allows, and its worker was killed."""


class RuntimeMissing(HostFault):
    """The contract was made for another runtime than the one here; says what to install."""


class WorkerFault(HostFault):
    """The worker died, ran out of memory, or broke the frame protocol; it was killed."""
