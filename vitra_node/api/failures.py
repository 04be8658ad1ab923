"""From whatever was raised to what the user is told.

This is the one place that knows which error of a lower layer belongs to which family of
``errors.py``. Nothing else in the API or the command line names errors of lower layers. An error
that no line of the table fits is a bug of ours and becomes an InternalFault; its traceback goes to
the log at level DEBUG.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import trio

from protocol import errors as protocol

from ..contracts import errors as contracts
from ..errors import (
    KEPT,
    CannotTellYet,
    InternalFault,
    LogForked,
    NetworkProblem,
    NotAllowed,
    NotFound,
    StoreDamaged,
    UsageProblem,
    VitraError,
    is_disk_full,
)
from ..net import errors as net
from ..storage import errors as storage
from ..storage.keys.sealing import WrongPassphrase
from .control.frames import FrameError

_log = logging.getLogger(__name__)

_NOTHING = "Nothing was changed."


def failure_of(error: BaseException) -> VitraError | None:
    """The failure that ``error`` means to a user, or None when it is not for telling.

    Not for telling are cancellation, interrupts and exits. Of a group, the first that the table
    knows counts; a group with nothing but unknown errors is a bug like any of them.
    """
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, VitraError):
            return leaf
    for leaf in leaves:
        for kind, tell in _TABLE:
            if isinstance(leaf, kind):
                return tell(leaf)
    for leaf in leaves:
        if isinstance(leaf, Exception):
            return _bug(leaf)
    return None


@contextmanager
def telling() -> Iterator[None]:
    """Let only VitraErrors, cancellation, interrupts and exits out of the block."""
    try:
        yield
    except VitraError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception | BaseExceptionGroup):
            raise
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _bug(error: BaseException) -> VitraError:
    _log.debug("unexpected error", exc_info=error)
    text = " ".join(str(error).split())[:200]
    return InternalFault(
        f"This is a fault of the program: {type(error).__name__}{': ' if text else ''}{text}.",
        advice="Run it again with VITRA_LOG=debug and report what it prints.",
    )


def _syntax(error: contracts.ContractSyntaxError) -> VitraError:
    return UsageProblem(
        f"The contract cannot be used: line {error.line}, column {error.column}: "
        f"{_sentence(error.message)}",
        unchanged="Nothing was created or changed.",
        advice="Correct that place and run the command again.",
        line=error.line,
        column=error.column,
    )


def _timeout(_error: contracts.ContractTimeout) -> VitraError:
    return NetworkProblem(
        "The contract ran longer than is allowed, and was stopped.",
        unchanged=_NOTHING,
        advice="Other calls still work; look for a loop without an end in this method.",
    )


def _host_fault(error: contracts.HostFault) -> VitraError:
    return CannotTellYet(
        f"The contract could not be run to its end: {_sentence(error)}",
        unchanged=_NOTHING,
        advice="Try again; if it stays so, it needs more memory than a contract may have.",
    )


def _contract(error: contracts.ContractError) -> VitraError:
    return NotAllowed(f"The contract refused the call: {_sentence(error)}", unchanged=_NOTHING)


def _path(error: protocol.PathError) -> VitraError:
    return UsageProblem(
        f"This is not a path of the index: {_sentence(error)}",
        unchanged=_NOTHING,
        advice="Write it as /name/name.",
    )


def _in_use(error: storage.StoreInUse) -> VitraError:
    return NotAllowed(
        _sentence(error),
        unchanged=_NOTHING,
        advice="Wait for that process to end, or stop its node with `vitra stop`.",
    )


def _store_version(error: storage.StoreVersionError) -> VitraError:
    return StoreDamaged(
        f"The store was written by another version: {_sentence(error)}",
        unchanged=_NOTHING,
        advice="Upgrade vitra-node.",
    )


def _key_file(error: storage.KeyFileError) -> VitraError:
    if is_disk_full(error):
        return _disk_full(error)
    return StoreDamaged(
        f"A key file cannot be used: {_sentence(error)}",
        unchanged=_NOTHING,
        advice="Put that right, or restore a backup that holds the keys into a new directory.",
    )


def _damaged(error: storage.StoreDamaged) -> VitraError:
    return StoreDamaged(
        f"The store is damaged: {_sentence(error)}",
        unchanged="What is stored was left as it is.",
        advice="Restore a backup into a new directory, or join again into one.",
    )


def _storage(error: storage.StorageError) -> VitraError:
    if is_disk_full(error):
        return _disk_full(error)
    return StoreDamaged(f"The store cannot do this: {_sentence(error)}", unchanged=_NOTHING)


def _not_writable(error: storage.NotWritable) -> VitraError:
    return NotAllowed(
        f"This log cannot be written here: {_sentence(error)}",
        unchanged=_NOTHING,
        advice="Only the directory that made a log can write to it.",
    )


def _out_of_range(error: storage.BlockOutOfRange) -> VitraError:
    return NotFound(f"The log has no such block: {_sentence(error)}")


def _not_available(error: storage.BlockNotAvailable) -> VitraError:
    return NetworkProblem(
        f"Data is missing here: {_sentence(error)}",
        unchanged=_NOTHING,
        advice="See who is connected with `vitra peers`; reach one that has it with "
        "`vitra serve --peer host:port`.",
    )


def _passphrase(error: WrongPassphrase) -> VitraError:
    return NotAllowed(
        f"The keys cannot be opened: {_sentence(error)}",
        unchanged="They are as they were.",
        advice="Try again with the passphrase they were sealed with.",
    )


def _too_large(error: storage.StorageError) -> VitraError:
    return UsageProblem(f"The value is too large: {_sentence(error)}", unchanged=_NOTHING)


def _frame(error: FrameError) -> VitraError:
    return UsageProblem(
        f"The answer cannot be sent: {_sentence(error)}",
        unchanged=_NOTHING,
        advice="Ask for a part of it, with a limit.",
    )


def _local_protocol(error: protocol.LocalProtocolError) -> VitraError:
    return UsageProblem(f"This cannot be done: {_sentence(error)}", unchanged=_NOTHING)


def _remote_protocol(error: protocol.RemoteProtocolError) -> VitraError:
    return NetworkProblem(
        f"The peer broke the protocol and was dropped: {_sentence(error)}",
        advice="Check its address, or connect to another peer.",
    )


def _connection(error: net.ConnectionFailed) -> VitraError:
    return NetworkProblem(
        _sentence(error), unchanged=_NOTHING, advice="Check the address, and what runs there."
    )


def _writer_conflict(error: storage.WriterConflict) -> VitraError:
    return NotAllowed(
        f"This log is written elsewhere too: {_sentence(error)}",
        unchanged="Nothing was written.",
        advice="Use one copy of a directory only; a second writer forks its logs.",
    )


def _violated(error: storage.LogViolated) -> VitraError:
    return LogForked(
        f"Nothing is written to this log any more: {_sentence(error)}",
        unchanged="Nothing was written.",
        advice="See the proof with `vitra fraud ls`; another copy of this directory was used.",
    )


def _too_slow(error: trio.TooSlowError) -> VitraError:
    return NetworkProblem(
        "It did not happen in time.", advice="Look at `vitra status` for peers, and try again."
    )


def _operating_system(error: OSError) -> VitraError:
    reason = error.strerror or str(error) or type(error).__name__
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    if is_disk_full(error):
        return _disk_full(f"{where}{reason}")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{where}{reason}.", unchanged=_NOTHING)
    if isinstance(error, PermissionError):
        return NotAllowed(f"{where}{reason}.", unchanged=_NOTHING)
    if error.filename is not None or error.errno in (errno.EIO, errno.EROFS):
        return StoreDamaged(f"{where}{reason}.", unchanged=_NOTHING)
    return NetworkProblem(f"The network refused: {reason}.", unchanged=_NOTHING)


def _disk_full(reason: object) -> VitraError:
    return StoreDamaged(
        f"The disk is full: {_sentence(reason)}",
        unchanged=KEPT,
        advice="Free some space and try again; a node that runs has to be started again.",
    )


# The first line that fits decides, so the special stands before the general.
_TABLE: tuple[tuple[type[BaseException], Callable[[Any], VitraError]], ...] = (
    (contracts.ContractSyntaxError, _syntax),
    (contracts.ContractTimeout, _timeout),
    (contracts.HostFault, _host_fault),
    (contracts.ContractError, _contract),
    (storage.StoreInUse, _in_use),
    (storage.StoreVersionError, _store_version),
    (WrongPassphrase, _passphrase),
    (storage.KeyFileError, _key_file),
    (storage.NotWritable, _not_writable),
    (storage.WriterConflict, _writer_conflict),
    (storage.LogViolated, _violated),
    (storage.BlockOutOfRange, _out_of_range),
    (storage.BlockNotAvailable, _not_available),
    (storage.BlockTooLarge, _too_large),
    (storage.RecordTooLarge, _too_large),
    (storage.StoreDamaged, _damaged),
    (storage.StorageError, _storage),
    (FrameError, _frame),
    (protocol.PathError, _path),
    (protocol.LocalProtocolError, _local_protocol),
    (protocol.RemoteProtocolError, _remote_protocol),
    (net.ConnectionFailed, _connection),
    (trio.TooSlowError, _too_slow),
    (OSError, _operating_system),
)


def _sentence(error: object) -> str:
    """An error's text as one line that ends in one full stop."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text}." if text else "no reason was given."
