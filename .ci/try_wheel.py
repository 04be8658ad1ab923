"""Builds sdist and wheel, and tries the wheel in an environment with nothing else in it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

STORY = """
import trio
from vitra_node import Database

SOURCE = '''
export function set ({ to }, emit) { emit({ op: 'SET', to }) }
export const apply = { SET (tx, op) { tx.put('/x', op.to) } }
'''

async def main():
    async with Database.sandbox(contract=SOURCE) as db:
        tx = await db.call("set", {"to": 7})
        await tx.results()
        print((await db.index.get("/x")).value, (await db.verify()).verdict)

trio.run(main)
"""


def run(*command: str | Path, **options: object) -> str:
    """Run to the end; its output, or an exception."""
    done = subprocess.run(
        [str(word) for word in command], text=True, stdout=subprocess.PIPE, check=True, **options
    )  # type: ignore[call-overload]
    return str(done.stdout).strip()


def main() -> None:
    """Build, look inside, install, use."""
    with tempfile.TemporaryDirectory() as name:
        there = Path(name)
        run(sys.executable, "-m", "build", "--outdir", there, ROOT)
        (wheel,) = there.glob("*.whl")
        assert list(there.glob("*.tar.gz")), "there is no sdist"
        with zipfile.ZipFile(wheel) as archive:
            files = archive.namelist()
        for wanted in (
            "protocol/py.typed",
            "vitra_node/py.typed",
            "vitra_node/contracts/prelude/90-runtime.js",
            "simulations/scenarios/dht_lookup.py",
        ):
            assert wanted in files, f"{wanted} is not in the wheel"
        strange = [each for each in files if each.startswith(("tests/", "specs/", ".ci/"))]
        assert not strange, strange
        run(sys.executable, "-m", "venv", there / "venv")
        run(there / "venv/bin/pip", "install", "--quiet", wheel)
        elsewhere = {"cwd": there}
        print(run(there / "venv/bin/vitra", "--version", **elsewhere))
        said = run(there / "venv/bin/python", "-I", "-c", STORY, **elsewhere)
        assert said == "7 verified", said
        print(f"{wheel.name}: {len(files)} files, {wheel.stat().st_size >> 10} KiB; it works")


if __name__ == "__main__":
    main()
