"""From a contract's source to what a worker can load.

The work is done in a process of its own (``compiler_guest.py``), because a contract may come from
strangers and its compiler is a large program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import trio
from blake3 import blake3

from .engine import CompiledContract, Method
from .errors import ContractSyntaxError, WorkerFault
from .process import duktape_module
from .runtime import RUNTIME_ID, babel_path

_PACKAGE = Path(__file__).parent
_ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C"}


async def compile_contract(
    source: str, *, cache_dir: Path | None = None, blocking: bool = False, cover: bool = False
) -> CompiledContract:
    """Compile a contract.

    Args:
      source: text of an ECMAScript module.
      cache_dir: directory for compiled contracts, named by the hash of source and compiler.
      blocking: whether the whole thread waits for the compiler, so that a virtual clock stands
        still.
      cover: let the contract tell which of its lines ran; for tests of contracts, never cached.

    Raises:
      ContractSyntaxError: the source cannot be a contract.
      HostFault: the compiler's process failed.
    """
    path = None if cache_dir is None or cover else cache_dir / _cache_name(source)
    answer = None if path is None else _read_cache(path)
    if answer is None:
        answer = await _run_compiler(source, blocking, cover)
        if path is not None and "refused" not in answer:
            _write_cache(path, answer)
    if "refused" in answer:
        raise ContractSyntaxError(answer["refused"], answer["line"], answer["column"])
    operations = answer["apply"]
    return CompiledContract(
        source=source,
        code=answer["code"],
        methods=tuple(Method(name, tuple(params)) for name, params in answer["methods"]),
        apply_operations=None if operations is None else tuple(operations),
        has_process=answer["process"],
        runtime_id=RUNTIME_ID,
        positions=tuple(None if at is None else (at[0], at[1]) for at in answer["positions"]),
        coverable_lines=frozenset(answer["coverable"]),
    )


async def _run_compiler(source: str, blocking: bool, cover: bool) -> dict[str, Any]:
    try:
        data = source.encode()
    except UnicodeEncodeError:
        raise ContractSyntaxError("the source has half a character in it", 1, 1) from None
    command = [*_command(), *(["cover"] if cover else [])]
    done = _compile_now(command, data) if blocking else await _compile(command, data)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise WorkerFault(f"the compiler ended with code {done.returncode}") from None
    if not isinstance(answer, dict):
        raise WorkerFault("the compiler gave no answer")
    return answer


async def _compile(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    return await trio.run_process(
        command,
        stdin=data,
        capture_stdout=True,
        stderr=subprocess.DEVNULL,
        check=False,
        env=_ENVIRONMENT,
        cwd="/",
    )


def _compile_now(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        env=_ENVIRONMENT,
        cwd="/",
    )


@cache
def _command() -> list[str]:
    guest = str(_PACKAGE / "compiler_guest.py")
    script = str(_PACKAGE / "babel.js")
    return [sys.executable, "-I", "-B", guest, duktape_module(), str(babel_path()), script]


def _cache_name(source: str) -> str:
    digest = blake3(RUNTIME_ID.encode())
    digest.update(source.encode(errors="replace"))
    return digest.hexdigest()[:40] + ".json"


def _read_cache(path: Path) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    # The first line is the hash of the rest: a torn file is no contract.
    digest, _, body = data.partition(b"\n")
    if blake3(body).hexdigest().encode() != digest:
        return None
    answer = json.loads(body)
    return answer if isinstance(answer, dict) else None


def _make_private(directory: Path) -> None:
    """Make a directory and those above it that are missing, for this user alone."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _write_cache(path: Path, answer: dict[str, Any]) -> None:
    """Write by a temporary name, so that a reader sees all of it or nothing."""
    body = json.dumps(answer).encode()
    _make_private(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(blake3(body).hexdigest().encode() + b"\n" + body)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
