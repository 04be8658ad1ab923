"""From a contract's source to what a worker can load."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .engine import CompiledContract


async def compile_contract(source: str, *, cache_dir: Path | None = None) -> CompiledContract:
    """Compile a contract.

    Raises:
        ContractSyntaxError: the source cannot be a contract.
        HostFault: the compiler's process failed.
    """
    raise NotImplementedError
