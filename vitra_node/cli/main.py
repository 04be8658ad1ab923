"""Where ``vitra`` starts. Nothing heavy is imported before it is known to be needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .. import __version__

_INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit with its code."""
    code = run(sys.argv[1:])
    if code == _INTERRUPTED:
        # Python remembers an interrupt that came during some imports, and would end by the signal
        # in place of the code. Everything is closed by now, and what was to be said is said.
        os._exit(code)
    sys.exit(code)


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
    if failure.exit_code == 1 and "debug" in os.environ.get("VITRA_LOG", "").lower():
        import traceback

        traceback.print_exception(failure.__cause__ or error)
    return failure.exit_code


def _set_up_log() -> None:
    text = os.environ.get("VITRA_LOG", "")
    if text:
        from .log_format import log_to_terminal

        log_to_terminal(text)
