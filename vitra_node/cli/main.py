"""Where ``vitra`` starts. Nothing heavy is imported before it is known to be needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .. import __version__


def main() -> None:
    """Run the command line of this process and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. No exception leaves it but SystemExit."""
    if list(arguments) == ["--version"]:
        # Scripts ask for it often; click alone takes longer than all of this.
        sys.stdout.write(f"vitra {__version__}\n")
        return 0
    # Imported here so that an interrupt, or a broken installation, is told like any other failure.
    try:
        from .application import application

        _set_up_log()
        code = application.main(list(arguments), prog_name="vitra", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        return _report(error, as_json="--json" in arguments)


def _report(error: BaseException, *, as_json: bool) -> int:
    from .exit_codes import failure_of
    from .output import Output

    failure = failure_of(error)
    Output(as_json=as_json).failure(failure)
    if failure.exit_code == 1 and os.environ.get("VITRA_LOG", "").lower() == "debug":
        import traceback

        traceback.print_exception(failure.__cause__ or error)
    return failure.exit_code


def _set_up_log() -> None:
    level = os.environ.get("VITRA_LOG", "")
    if not level:
        return
    import logging

    from ..errors import UsageProblem

    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise UsageProblem(
            f"VITRA_LOG={level} names no level.",
            unchanged="Nothing was changed.",
            advice="Use error, warning, info or debug.",
        )
    logging.basicConfig(
        level=number, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
