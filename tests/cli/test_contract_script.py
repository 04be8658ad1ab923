"""``vitra test CONTRACT.js --script FILE``: a contract's own tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

VITRA = str(Path(sys.executable).with_name("vitra"))
CONTRACT = """import { index } from 'contract'
export async function get () {
  return (await index.get('/n'))?.value ?? 0
}
export function add ({ by }, emit) {
  if (typeof by !== 'number') {
\tthrow new TypeError('by is a number')
  }
  emit({ op: 'ADD', by })
}
export const apply = {
  async ADD (tx, op) {
    console.log('adding', op.by)
    const sum = await get() + op.by
    if (sum > 10) throw new RangeError('at most 10')
    tx.put('/n', sum)
  }
}
export function never () {
  return 1
}
"""


def play(directory: Path, script: str) -> subprocess.CompletedProcess[str]:
    (directory / "adder.js").write_text(CONTRACT)
    (directory / "adder.test").write_text(script)
    return subprocess.run(
        [VITRA, "test", "adder.js", "--script", "adder.test"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_script_that_holds(tmp_path: Path) -> None:
    done = play(
        tmp_path,
        '# adds\nget\n= 0\nadd {"by": 3}\nget\n= 3.0\n\nadd {"by": "x"}\n! by is a number\n'
        'add {"by": 30}\n! at most 10\n.get /n\n= 3\n.ls /\n= ["/.sys", "/n"]\n',
    )
    assert done.returncode == 0, done.stderr
    assert "console: adding 3\n" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == "7 lines passed, 0 failed; 8 of 9 lines of the contract ran (88 %), but not 20"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("get\n= 1\n", "line 1: get gives 0, not = 1\n"),
        ("get\n= true\n", "line 1: get gives 0, not = true\n"),
        ("get\n! bad\n", "line 1: get does not fail, not ! bad\n"),
        ('add {"by": 30}\n! at most 11\n', "fails with RangeError: at most 10, not ! at most 11\n"),
        ("add {}\n! nothing\n", "fails with The contract refused the call: TypeError: by is"),
        ('add {"by": 30}\n', "adder.js:15:5\n      if (sum > 10) throw new RangeError("),
        ("add {}\n", "adder.js:7:2\n  \tthrow new TypeError('by is a number')\n  \t^\n"),
    ],
)
def test_a_script_that_does_not_hold(tmp_path: Path, script: str, told: str) -> None:
    done = play(tmp_path, script)
    assert done.returncode == 4
    assert told in done.stderr
    assert "0 lines passed, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", ["= 1\n", "get\n= 1\n= 2\n", "get\n= {\n", "get {\n"])
def test_a_script_that_is_none(tmp_path: Path, script: str) -> None:
    done = play(tmp_path, script)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
