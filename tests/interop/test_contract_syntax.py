"""The parser programs of test262 (npm: test262-parser-tests): what Node refuses is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .js_peer import PEERS

ROOT = Path(__file__).parents[2]
PROGRAMS = PEERS / "node_modules" / "test262-parser-tests"


def test_no_program_that_node_refuses_is_accepted() -> None:
    ours = subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.parsing", str(PROGRAMS)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    script = ROOT / "tests" / "contracts" / "parsing.mjs"
    node = subprocess.run(
        ["node", "--experimental-vm-modules", str(script), str(PROGRAMS)],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    try:
        told, _ = ours.communicate(timeout=240)
    finally:
        ours.kill()
    found, expected = json.loads(told), json.loads(node.stdout)
    assert found.keys() == expected.keys()
    forbidden = [name for name in found if not name.startswith("pass/")]
    valid = [name for name in found if name.startswith("pass/") and expected[name] is None]
    refused = sum(found[name] is not None for name in forbidden)
    taken = sum(found[name] is None for name in valid)
    print(f"\nof {len(forbidden)} invalid programs {refused} are refused, "
          f"of {len(valid)} valid modules {taken} are taken")  # fmt: skip
    wrong = {name: expected[name] for name in forbidden if found[name] is None and expected[name]}
    assert wrong == {}
    assert (len(forbidden), len(valid)) == (1399, 1782)
    # Most of the others read names that nothing declares.
    assert taken >= 880
