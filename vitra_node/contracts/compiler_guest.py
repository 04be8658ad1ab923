"""The compiler's process: both stages, then it ends. Run by path, imports only the front pass.

Usage: ``python -I compiler_guest.py DUKTAPE_MODULE BABEL BABEL_SCRIPT [cover] < source > answer``.
The answer is JSON: ``{code, positions, coverable, methods, apply, process}``, or ``{refused, line,
column}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

# Babel, its copy in Duktape, and the tree of the largest source.
_MEMORY_BYTES = 1024 * 1024 * 1024
# Of processor time, which a busy machine does not eat up. The largest source takes a tenth of it.
_SECONDS = 120.0


class _Interpreter:
    """What the extension wants of its interpreter: one context, no functions."""

    def __init__(self, duktape: Any) -> None:
        self._ctx = duktape.create_context()

    def _check_exported_function_exists(self, name: bytes) -> bool:
        return False


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    # Rules call each other as deep as the program nests.
    sys.setrecursionlimit(20_000)
    front_pass = import_module("front_pass")
    confinement = import_module("confinement")

    duktape_path, babel, script = sys.argv[1:4]
    cover = sys.argv[4:] == ["cover"]
    loader = ExtensionFileLoader("_dukpy", duktape_path)
    spec = spec_from_file_location("_dukpy", duktape_path, loader=loader)
    assert spec is not None
    duktape = module_from_spec(spec)
    loader.exec_module(duktape)
    library = Path(babel).read_bytes()
    second_stage = Path(script).read_bytes()
    source = sys.stdin.buffer.read().decode()
    confinement.confine(_MEMORY_BYTES, 3)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        answer = _compile(front_pass, duktape, source, library, second_stage, cover=cover)
    except front_pass.Refusal as refusal:
        answer = {"refused": refusal.message, "line": refusal.line, "column": refusal.column}
    sys.stdout.buffer.write(json.dumps(answer).encode())
    sys.stdout.buffer.flush()
    os._exit(0)


def _compile(
    front_pass: Any, duktape: Any, source: str, library: bytes, second_stage: bytes, *, cover: bool
) -> dict[str, Any]:
    first = front_pass.run(source, cover=cover)
    interpreter = _Interpreter(duktape)
    duktape.eval_string(interpreter, library + b"\n;0", b"{}")
    variables = json.dumps({"code": first.code}).encode()
    second = json.loads(duktape.eval_string(interpreter, second_stage, variables))
    lines = front_pass.segments_of_lines(second.get("mappings", ""))
    if "error" in second:
        message = _first_line(second["error"])
        line, column = second.get("line") or 1, second.get("column") or 0
        if "compiledLine" in second:
            line, column = (lines[second["compiledLine"] - 1] or [(1, 0)])[0]
        raise first.refusal(message, line, column)
    return {
        "code": front_pass.finish(second["code"]),
        "positions": first.positions(lines),
        "coverable": sorted(first.marked_lines),
        "methods": first.methods,
        "apply": first.apply_operations,
        "process": first.has_process,
    }


def _first_line(text: str) -> str:
    """Babel's message without the file's name, the position and the excerpt of our text."""
    line = text.split("\n", 1)[0].removeprefix("unknown: ")
    head, bracket, tail = line.rpartition(" (")
    return head if bracket and tail.endswith(")") and ":" in tail else line


if __name__ == "__main__":
    main()
