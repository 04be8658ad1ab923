"""The parent's side of a contract worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import ApplyRequest, ApplyResult, CallResult, CompiledContract, Host, Value


class ContractWorker:
    """Runs one compiled contract in sandboxed processes of its own."""

    def __init__(self, compiled: CompiledContract) -> None:
        self._compiled = compiled

    @classmethod
    @asynccontextmanager
    async def open(cls, compiled: CompiledContract) -> AsyncIterator[ContractWorker]:
        """A worker for ``compiled``; its processes start with the first use and end with the block.

        Raises:
            WorkerFault: the compiled contract is of another runtime than this one.
        """
        yield cls(compiled)

    async def call(self, method: str, params: Value, host: Host) -> CallResult:
        """Call an exported method with ``(params, emit)``.

        Raises:
            ContractCallError: it threw, or there is no such method.
            ContractTimeout, WorkerFault: host faults; the next call gets a fresh process.
        """
        raise NotImplementedError

    async def apply(self, requests: Sequence[ApplyRequest], host: Host) -> list[ApplyResult]:
        """Apply operations in order, each seeing the changes of those before it.

        May return fewer results than requests: it stops after an operation that changed the source
        or the membership, so that the caller can react before the next.

        Raises:
            ContractTimeout, WorkerFault: after one retry in a fresh process; nothing is decided.
        """
        raise NotImplementedError
