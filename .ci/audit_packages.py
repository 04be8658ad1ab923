"""Asks pip-audit whether a vulnerability is known in any installed package that the project names.

Fails when one is known. pip-audit asks the package index, and counts a package of which the index
tells nothing as a clean one; a mirror of an index tells nothing of any. So this says for how many
packages an answer came, and that nothing was audited when none did. It does not fail for that.
What else is given goes to pip-audit: ``--vulnerability-service osv`` asks another service.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_USAGE = 2
_SHOWN_CHARACTERS = 2000


def installed() -> str:
    """The packages of this environment, one ``name==version`` a line, without pip and ourselves."""
    command = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=True)
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if "==" in line)


def asked(packages: str, *options: str) -> list[dict[str, Any]] | None:
    """What pip-audit found for each package; None when it could not ask at all."""
    with tempfile.TemporaryDirectory() as name:
        listed, answer = Path(name, "packages.txt"), Path(name, "answer.json")
        listed.write_text(packages)
        command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip"]
        command += ["--progress-spinner", "off", "--format", "json", *options]
        done = subprocess.run(
            [*command, "--requirement", str(listed), "--output", str(answer)],
            text=True,
            stderr=subprocess.PIPE,
            check=False,
        )
        if answer.exists():
            return list(json.loads(answer.read_text())["dependencies"])
    if done.returncode == _USAGE:
        raise SystemExit(f"pip-audit was called wrongly:\n{done.stderr}")
    # No answer at all: a service that is down or out of reach says nothing about the packages.
    print(done.stderr[-_SHOWN_CHARACTERS:], file=sys.stderr)
    return None


def verdict(found: list[dict[str, Any]] | None) -> tuple[int, str]:
    """The exit code, and what to tell people."""
    if found is None:
        return 0, "CANNOT TELL: the vulnerability service gave no answer; nothing was audited."
    flaws = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw['fix_versions']) or 'no release yet'}"
        for package in found
        for flaw in package.get("vulns", ())
    ]
    if flaws:
        return 1, "KNOWN VULNERABILITIES:\n" + "\n".join(flaws)
    silent = [package["name"] for package in found if "skip_reason" in package]
    if len(silent) == len(found):
        return 0, f"CANNOT TELL: the index says nothing of {len(found)} packages; none was audited."
    told = f"no vulnerability is known in {len(found) - len(silent)} packages"
    return 0, told + (f"; the index says nothing of {', '.join(silent)}" if silent else "")


def main() -> int:
    """Ask and tell; 1 when a vulnerability is known."""
    code, words = verdict(asked(installed(), *sys.argv[1:]))
    print(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
