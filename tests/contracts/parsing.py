"""What the compiler says of the parser programs of test262, in a process of its own.

Usage: ``python -m tests.contracts.parsing DIRECTORY...``. Prints JSON: of each program, by its
directory and name, the refusal, or null. Each is made a contract by a last line. Those that the
standard forbids (``early``, ``fail``) go through both stages, the others through the first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from vitra_node.contracts import compiler, front_pass
from vitra_node.contracts.process import duktape_module
from vitra_node.contracts.runtime import babel_path

CONTRACT = "\nexport const apply = {}"


class _Interpreter:
    """As in the compiler's own process."""

    def __init__(self, duktape: Any) -> None:
        self._ctx = duktape.create_context()

    def _check_exported_function_exists(self, name: bytes) -> bool:
        return False


def second_stage() -> Callable[[str], str | None]:
    """A function from the first stage's code to the error of the second."""
    loader = ExtensionFileLoader("_dukpy", duktape_module())
    spec = spec_from_file_location("_dukpy", duktape_module(), loader=loader)
    assert spec is not None
    duktape = module_from_spec(spec)
    loader.exec_module(duktape)
    interpreter = _Interpreter(duktape)
    duktape.eval_string(interpreter, babel_path().read_bytes() + b"\n;0", b"{}")
    script = Path(compiler.__file__).with_name("babel.js").read_bytes()

    def run(code: str) -> str | None:
        answer = duktape.eval_string(interpreter, script, json.dumps({"code": code}).encode())
        error = json.loads(answer).get("error")
        return None if error is None else str(error)

    return run


def main(root: Path) -> None:
    """Print what is said of all programs."""
    sys.setrecursionlimit(20_000)
    compile_further = second_stage()
    said: dict[str, str | None] = {}
    for folder in ("early", "fail", "pass"):
        for path in sorted((root / folder).iterdir()):
            error: str | None = None
            try:
                code = front_pass.run(path.read_bytes().decode() + CONTRACT).code
            except front_pass.Refusal as refusal:
                error = refusal.message
            else:
                error = None if folder == "pass" else compile_further(code)
            said[f"{folder}/{path.name}"] = error
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
