"""The worker process: Duktape, one script, and a pipe. Run by path, imports nothing of ours.

Usage: ``python -I -S guest.py DUKTAPE_MODULE CONFINEMENT MEMORY_BYTES < frames > frames``. The
first frame is the script; the answer is ``{"t": "confined", "walls": [...]}``, the walls that stand
around this process (``confinement.py``). The next frame, whatever is in it, starts the script.
From then on it asks for every frame itself and answers with one, and what is in those is its
business.

A frame is a length (four bytes, big endian) and as many bytes; those from the parent have four
bytes more before the body: the milliseconds of processor time until this process must have
answered, or zero to go on with what is left. Neither waiting for the parent counts nor for a
processor. When they are used up the kernel ends the process with SIGPROF.

Exit codes: 0 the parent closed the pipe, 70 out of memory, 71 the script ended or failed.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

# The parent bounds what it accepts; this only keeps a broken parent from filling memory.
_MAX_FRAME_BYTES = 64 * 1024 * 1024

_EXIT_OUT_OF_MEMORY = 70
_EXIT_BROKEN = 71


def _read_exactly(count: int) -> bytes:
    parts = []
    while count:
        part = os.read(0, min(count, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_frame() -> bytes:
    """Wait for the parent, which costs no processor time."""
    header = _read_exactly(8)
    length = int.from_bytes(header[:4], "big")
    milliseconds = int.from_bytes(header[4:], "big")
    if length > _MAX_FRAME_BYTES:
        os._exit(_EXIT_BROKEN)
    body = _read_exactly(length)
    if milliseconds:
        signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
    return body


def _write_frame(body: bytes) -> None:
    data = memoryview(len(body).to_bytes(4, "big") + body)
    while data:
        data = data[os.write(1, data) :]


class _Interpreter:
    """What the extension wants of its interpreter: one context and one function."""

    def __init__(self, duktape: ModuleType) -> None:
        self._ctx = duktape.create_context()

    def _check_exported_function_exists(self, name: bytes) -> bool:
        return name == b"frame"

    def _call_python(self, name: bytes, arguments: bytes) -> bytes:
        # ``arguments`` is a JSON list with one item. An error here must not become one that a
        # contract could catch.
        try:
            _write_frame(arguments[1:-1])
            return _read_frame()
        except MemoryError:
            os._exit(_EXIT_OUT_OF_MEMORY)
        except BaseException:
            os._exit(_EXIT_BROKEN)


def main() -> None:
    duktape_path, confinement_path, memory_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    duktape = _load("_dukpy", duktape_path, ExtensionFileLoader("_dukpy", duktape_path))
    confinement = _load("confinement", confinement_path)
    prelude = _read_frame()
    # The three descriptors are open already; none can be added.
    walls = confinement.confine(memory_bytes, 3)
    _write_frame(f'{{"t":"confined","walls":[{",".join(map(_quote_name, walls))}]}}'.encode())
    _read_frame()
    try:
        duktape.eval_string(_Interpreter(duktape), prelude, b"{}")
    except MemoryError:
        os._exit(_EXIT_OUT_OF_MEMORY)
    except BaseException as error:
        # The prelude never ends by itself; the parent shows this to developers.
        _write_frame(b'{"t":"broken","e":' + _quote(str(error)) + b"}")
    os._exit(_EXIT_BROKEN)


def _load(name: str, path: str, loader: ExtensionFileLoader | None = None) -> ModuleType:
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _quote_name(name: str) -> str:
    return f'"{name}"'


def _quote(text: str) -> bytes:
    safe = "".join(c if " " <= c <= "~" and c not in '"\\' else " " for c in text[:1000])
    return b'"' + safe.encode() + b'"'


if __name__ == "__main__":
    main()
