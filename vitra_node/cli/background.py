"""``vitra serve --background``: the node in a process of its own, which outlives the terminal.

The parent waits until the child has said that it is ready, or why it is not, over a pipe. Whether a
node runs is decided by the lock on its store alone, which the system lets go of however the process
dies; no file remembers a process id.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from ..api.control.error_bodies import error_body, failure_from_body_untrusted
from ..api.control.frames import decode_error_untrusted
from ..errors import InternalFault, VitraError
from .log_format import LOG_NAME, log_to_file

Ready = Callable[[dict[str, Any]], None]


def in_background(
    directories: Sequence[Path], run: Callable[[Ready, Path], None], ready: Ready
) -> None:
    """Run ``run`` in a child process, and return once it has been ready for each directory.

    ``run`` is given where to tell of each node that is ready, and the file it logs to, which is in
    the first directory; the others get a link to it. What the child tells is passed on to
    ``ready``.

    Raises VitraError: whatever kept the child from getting ready.
    """
    readable, writable = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(readable)
        _be_the_node(writable, directories, run)
    os.close(writable)
    try:
        with os.fdopen(readable) as lines:
            _await_ready(lines, len(directories), ready)
    except BaseException:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        raise


def _await_ready(lines: IO[str], count: int, ready: Ready) -> None:
    for _ in range(count):
        line = lines.readline()
        if not line:
            raise InternalFault(
                "The node ended before it was ready.", advice="See why with `vitra logs`."
            )
        told = json.loads(line)
        if "error" in told:
            raise failure_from_body_untrusted(decode_error_untrusted(told["error"]))
        ready(told)


def _be_the_node(
    writable: int, directories: Sequence[Path], run: Callable[[Ready, Path], None]
) -> NoReturn:
    """The child, which never returns into what its parent was doing."""
    code = 1
    with os.fdopen(writable, "w") as lines:

        def tell(value: dict[str, Any]) -> None:
            # The parent may be gone; the node goes on.
            try:
                lines.write(json.dumps(value) + "\n")
                lines.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), writable)

        try:
            os.setsid()
            file = _log_of(directories)
            run(tell, file)
            code = 0
        except BaseException as error:
            code = _fail(error, tell)
    os._exit(code)


def _fail(error: BaseException, tell: Ready) -> int:
    import logging

    from .exit_codes import failure_of

    failure = failure_of(error)
    logging.getLogger("vitra").error("%s", failure, exc_info=error)
    tell({"error": _as_json(failure)})
    return failure.exit_code


def _as_json(failure: VitraError) -> dict[str, Any]:
    body = error_body(failure)
    return {"code": body.code, "message": body.message, "data": body.data}


def _log_of(directories: Sequence[Path]) -> Path:
    """Open the log; everything the process would write to a terminal goes there too."""
    first, *others = (directory / LOG_NAME for directory in directories)
    if first.is_symlink():
        first.unlink()
    log_to_file(first, os.environ.get("VITRA_LOG", ""))
    for link in others:
        temporary = link.with_name(f".{LOG_NAME}.{os.getpid()}")
        temporary.symlink_to(first)
        temporary.replace(link)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    log = os.open(first, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    for descriptor, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
        os.close(descriptor) if descriptor == nothing else None
    os.close(log)
    return first
