"""The runtime a contract is compiled for and run by, and its name.

Everything that could change a result is in the name: the engine, the prelude, the compiler's two
stages, the fuel limit (a constant of the prelude). A verifier without the runtime that a database
was made for cannot tell anything about it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from blake3 import blake3

_PACKAGE = Path(__file__).parent

# The release of vitra-node that this runtime came with first: what to install to have it. A release
# that changes the runtime puts its own version here.
FIRST_RELEASE: Final = "0.1.0"

# Duktape.version of the engine inside dukpy.
_ENGINE: Final = "duktape-29999"


@cache
def prelude_script() -> bytes:
    """The script that a worker runs: the prelude's files in one function scope."""
    files = sorted((_PACKAGE / "prelude").glob("*.js"))
    parts = [f"// {path.name}\n{path.read_text()}" for path in files]
    return ("(function () {\n'use strict'\n" + "\n".join(parts) + "\n})()").encode()


@cache
def babel_path() -> Path:
    """The second stage of the compiler, a file of the dukpy package."""
    path = distribution("dukpy").locate_file("dukpy/jsmodules/babel-6.26.0.min.js")
    return Path(str(path))


def _runtime_id() -> str:
    digest = blake3()
    parts = [prelude_script(), babel_path().read_bytes()]
    for path in sorted((_PACKAGE / "front_pass").glob("*.py")):
        parts.append(path.read_bytes())
    parts.append((_PACKAGE / "babel.js").read_bytes())
    for name in ("tree-sitter", "tree-sitter-javascript"):
        parts.append(f"{name} {distribution(name).version}".encode())
    for part in parts:
        # Lengths keep the parts apart.
        digest.update(len(part).to_bytes(8, "big") + part)
    dukpy = distribution("dukpy").version
    return f"vitra-{FIRST_RELEASE}/{_ENGINE}/dukpy-{dukpy}/{digest.hexdigest()[:32]}"


RUNTIME_ID: Final = _runtime_id()

_RELEASE = re.compile(r"vitra-([0-9]{1,4}(?:\.[0-9]{1,4}){2})/[!-~]{1,200}")


def missing_runtime(runtime_id: str) -> str:
    """Why a contract made for another runtime is not run, and what to install; part of a sentence.

    The name comes from whoever executes a database, so nothing else of it is shown as a command.
    """
    found = _RELEASE.fullmatch(runtime_id)
    if found is None:
        return f"it was made for the runtime {runtime_id[:200]!r}, and here is {RUNTIME_ID}"
    text = f"it was made for the runtime {runtime_id}, and here is {RUNTIME_ID}"
    if found[1] == FIRST_RELEASE:
        return f"{text}: both say that they are of release {found[1]}, so one of them was changed"
    return f"{text}; `pip install vitra-node=={found[1]}` brings that one"
