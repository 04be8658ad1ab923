"""Exit codes, and what is shown to a person."""

from __future__ import annotations

import click
import pytest
import trio

from protocol.errors import DecodeError, PathError
from vitra_node.cli.exit_codes import EXIT_CODES, failure_of
from vitra_node.cli.output import compact_json, safe_text
from vitra_node.contracts.errors import (
    ContractCallError,
    ContractSyntaxError,
    ContractTimeout,
    WorkerFault,
)
from vitra_node.errors import FAMILIES, NotFound, VitraError
from vitra_node.net.errors import ConnectionFailed
from vitra_node.storage import errors as storage


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("Nothing there."), 3),
        (click.UsageError("x"), 2),
        (click.ClickException("x"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), 130),
        (ContractSyntaxError("unexpected token", 3, 5), 2),
        (ContractCallError("it threw"), 4),
        (ContractTimeout("2 s"), 5),
        (WorkerFault("died"), 6),
        (storage.StoreInUse("in use"), 4),
        (storage.NotWritable("not ours"), 4),
        (storage.StoreDamaged("a record"), 7),
        (storage.StoreVersionError("9"), 7),
        (storage.KeyFileError("0644"), 7),
        (storage.BlockNotAvailable("7"), 5),
        (storage.BlockOutOfRange("7"), 3),
        (storage.BlockTooLarge("7"), 2),
        (storage.WriterConflict("two"), 4),
        (storage.StoreClosed("closed"), 7),
        (ConnectionFailed("refused"), 5),
        (PathError("no slash"), 2),
        (DecodeError("cut"), 5),
        (trio.TooSlowError(), 5),
        (ConnectionRefusedError(111, "Connection refused"), 5),
        (PermissionError(13, "Permission denied", "/x"), 4),
        (FileNotFoundError(2, "No such file", "/x"), 3),
        (OSError(28, "No space left on device"), 7),
        (ExceptionGroup("", [ExceptionGroup("", [storage.StoreInUse("in use")])]), 4),
        (ExceptionGroup("", [ZeroDivisionError(), NotFound("Nothing there.")]), 3),
        (ZeroDivisionError("bug"), 1),
        (AssertionError(), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_exit_code_of_each_failure(error: BaseException, code: int) -> None:
    failure = failure_of(error)
    assert failure.exit_code == code
    assert failure.failed.endswith(".")
    assert "\n" not in str(failure)


def test_a_syntax_error_tells_line_and_column() -> None:
    failure = failure_of(ContractSyntaxError("unexpected token", 3, 5))
    assert "line 3, column 5: unexpected token." in failure.failed
    assert failure.unchanged == "Nothing was created or changed."
    assert failure.details == {"line": 3, "column": 5}


def test_every_storage_error_is_known() -> None:
    for name, kind in vars(storage).items():
        if isinstance(kind, type) and issubclass(kind, storage.StorageError):
            assert failure_of(kind("reason")).exit_code != 1, name


def test_the_table_lists_exactly_the_codes_of_the_families() -> None:
    assert {0, *(family.exit_code for family in FAMILIES.values())} == set(EXIT_CODES)


def test_the_text_of_a_failure_is_its_sentences() -> None:
    failure = VitraError("It failed.", unchanged="Nothing changed.", advice="Try again.")
    assert str(failure) == "It failed. Nothing changed. Try again."


def test_hostile_characters_are_shown_as_escapes() -> None:
    assert safe_text("a\tb\nc\x7f\x9b\u2066\ud800é🙂") == "a\\x09b\\x0ac\\x7f\\x9b\\u2066\\ud800é🙂"
    assert safe_text("a\tb\n", keep_lines=True) == "a\tb\n"
    assert compact_json({"a": "\u202e\x1b"}) == '{"a": "\\u202e\\u001b"}'
