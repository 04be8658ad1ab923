"""Builds the documentation: ``python specs/site/build.py`` writes ``build/site`` and ``build/man``.

The pages stay where they are read in the repository; here they are laid out once more, with the
references that are made from the code. Any warning of mkdocs, a broken link among them, fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("mkdocs.yml")
PAGES = ROOT / "build" / "site-pages"
MAN = ROOT / "build" / "man"

PYTHON_PAGE = """# Python

What `import vitra_node` gives. [Logs alone](../specs/00-library.md) shows the parts that need no
database.
"""

CLI_PAGE = """# Command line

Exit codes are verdicts: 0 done or verified, 1 a fault of the program, 2 wrong usage, 3 not found,
4 not allowed, 5 network or timeout, 6 cannot tell yet, 7 local store damaged or disk full,
20 contract violated (a proof was written), 21 log forked (a proof was written), 130 interrupted.

::: mkdocs-click
    :module: vitra_node.cli.application
    :command: application
    :prog_name: vitra
    :depth: 1
    :style: plain
    :list_subcommands: false
"""

# Links of the README that lead out of the site.
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:LICENSE|tests/[^)]*|vitra_node/[^)]*|\.\./[^)]*)\)")


def lay_out() -> None:
    """Copy every page to where its links lead, and write the pages made from code."""
    shutil.rmtree(PAGES, ignore_errors=True)
    pages = {"index.md": ROOT / "README.md"}
    for folder in ("specs", "protocol", "simulations"):
        for page in sorted((ROOT / folder).rglob("*.md")):
            pages[str(page.relative_to(ROOT))] = page
    for name, page in pages.items():
        target = PAGES / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_OUTSIDE.sub(r"\1", page.read_text()))
    reference = PAGES / "reference"
    reference.mkdir()
    (reference / "cli.md").write_text(CLI_PAGE)
    (reference / "python.md").write_text(PYTHON_PAGE + _public_names())


def _public_names() -> str:
    import vitra_node

    names = [name for name in vitra_node.__all__ if not name.startswith("__")]
    return "".join(f"\n::: vitra_node.{name}\n" for name in names)


def navigation() -> str:
    """The configuration with a line for each chapter, by number, and for what lies beside them."""
    chapters = sorted((ROOT / "specs").glob("[0-9]*.md"))
    entries = ["specs/README.md"]
    entries += [f"specs/{page.name}" for page in chapters if page.name != "00-library.md"]
    entries += ["protocol/README.md", "simulations/README.md"]
    listed = CONFIG.read_text()
    lines = "".join(f"\n      - {entry}" for entry in entries)
    return listed.replace(" SPECIFICATIONS", lines)


def write_manual() -> None:
    """One page for each command, in section 1."""
    import click
    from click_man.core import write_man_pages

    from vitra_node import __version__
    from vitra_node.cli.application import application

    # Our group imports a command when it is called; here all of them are wanted.
    context = click.Context(application, info_name="vitra")
    commands = {
        name: command
        for name in application.list_commands(context)
        if (command := application.get_command(context, name)) is not None
    }
    whole = click.Group("vitra", commands, params=application.params, help=application.help)
    shutil.rmtree(MAN, ignore_errors=True)
    MAN.mkdir(parents=True)
    write_man_pages("vitra", whole, version=__version__, target_dir=str(MAN))


def main() -> int:
    """Build; gives the exit code of mkdocs."""
    lay_out()
    write_manual()
    config = CONFIG.with_name(".mkdocs.built.yml")
    config.write_text(navigation())
    try:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
        # mkdocs-material advertises its successor otherwise.
        quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
        return subprocess.run([*command, "-f", str(config)], check=False, env=quiet).returncode
    finally:
        config.unlink()


if __name__ == "__main__":
    sys.exit(main())
