"""The guide's story of two machines, played on two machines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "specs" / "guide" / "networks.md"
# The story takes about ten seconds on two quiet cores.
SECONDS = 300


def test_two_people_follow_the_page(tmp_path: Path) -> None:
    for tool in ("unshare", "ip"):
        assert shutil.which(tool), f"{tool} is missing: run .ci/prepare"
    command = ["unshare", "--map-root-user", "--mount", "--net", sys.executable]
    done = subprocess.run(
        [*command, "-m", "tests.cli.two_machines", str(PAGE), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8
