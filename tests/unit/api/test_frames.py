"""Frames, parameters, and values as JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.encoding.msgpack import UNDEFINED, Date
from vitra_node.api.control.error_bodies import error_body, failure_from_body_untrusted
from vitra_node.api.control.frames import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorBody,
    Frame,
    FrameError,
    FrameReader,
    OversizeError,
    RequestFrame,
    ResponseFrame,
    decode_frame_untrusted,
    encode_frame,
)
from vitra_node.api.control.parameters import bind
from vitra_node.api.json_values import to_json
from vitra_node.api.methods import METHODS
from vitra_node.errors import FAMILIES, ContractViolated, InternalFault, UsageProblem

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
IDS = st.integers() | st.text()
PARAMS = st.dictionaries(st.text(), JSON, max_size=4)
FRAMES = st.one_of(
    st.builds(RequestFrame, st.text(), PARAMS, IDS | st.none()),
    st.builds(ResponseFrame, IDS, JSON),
    st.builds(
        ResponseFrame,
        IDS | st.none(),
        st.none(),
        st.builds(ErrorBody, st.integers(), st.text(), PARAMS),
    ),
)


def read_all(data: bytes, sizes: list[int]) -> list[Frame]:
    """The frames in ``data``, fed in pieces of the given sizes, over and over."""
    reader, frames, position, step = FrameReader(), [], 0, 0
    while True:
        frame = reader.next_frame_untrusted()
        if frame is not None:
            frames.append(frame)
        elif position >= len(data):
            return frames
        else:
            size = sizes[step % len(sizes)]
            reader.receive_data_untrusted(data[position : position + size])
            position, step = position + size, step + 1


@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(1, 50), min_size=1))
def test_frames_survive_any_chunking(frames: list[Frame], sizes: list[int]) -> None:
    assert read_all(b"".join(map(encode_frame, frames)), sizes) == frames


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_frame_or_a_frame_error(line: bytes) -> None:
    reader = FrameReader()
    reader.receive_data_untrusted(line.replace(b"\n", b"") + b"\n")
    with suppress(FrameError):
        assert reader.next_frame_untrusted() is not None


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", PARSE_ERROR),
        (b"{", PARSE_ERROR),
        (b"\xff", PARSE_ERROR),
        (b"[" * 200_000, PARSE_ERROR),
        (b'{"jsonrpc":"2.0","method":"a","params":{"x":NaN}}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b"}", PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b'"text"', INVALID_REQUEST),
        (b'{"method":"a"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":7}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"a","id":true}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"a","id":[]}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"a","params":[]}', INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"error":"no"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"error":{}}', INVALID_REQUEST),
    ],
)
def test_what_is_no_frame(line: bytes, code: int) -> None:
    with pytest.raises(FrameError) as raised:
        decode_frame_untrusted(line)
    assert raised.value.code == code


def test_the_reader_goes_on_after_a_bad_line() -> None:
    reader = FrameReader()
    reader.receive_data_untrusted(b"nonsense\n" + encode_frame(RequestFrame("a", {}, 1)))
    with pytest.raises(FrameError):
        reader.next_frame_untrusted()
    assert reader.next_frame_untrusted() == RequestFrame("a", {}, 1)


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_line_over_the_bound_ends_the_stream(ending: bytes) -> None:
    reader = FrameReader(max_frame_bytes=100)
    reader.receive_data_untrusted(b"x" * 101 + ending)
    for _ in range(2):
        with pytest.raises(OversizeError):
            reader.next_frame_untrusted()


def test_frames_are_single_lines_of_ascii() -> None:
    line = encode_frame(ResponseFrame(1, {"text": "a\n\u2028é\ud800"}))
    assert line.isascii()
    assert line.count(b"\n") == 1


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_frame(ResponseFrame(1, float("nan")))


@pytest.mark.parametrize("family", FAMILIES.values())
def test_failures_come_out_as_they_went_in(family: type[UsageProblem]) -> None:
    failure = family("It failed.", unchanged="Nothing.", advice="Retry.", line=3)
    back = failure_from_body_untrusted(error_body(failure))
    assert type(back) is family
    assert str(back) == str(failure)
    assert back.details == {"line": 3}


def test_subclasses_travel_as_their_family() -> None:
    class Special(ContractViolated):
        """A lower layer's own."""

    back = failure_from_body_untrusted(error_body(Special("It is violated.")))
    assert type(back) is ContractViolated


@given(st.integers(), st.text(), PARAMS)
def test_any_error_body_becomes_a_failure(code: int, message: str, data: dict[str, Any]) -> None:
    failure_from_body_untrusted(ErrorBody(code, message, data))


def test_an_error_of_an_unknown_kind_is_a_fault() -> None:
    failure = failure_from_body_untrusted(ErrorBody(-1, "Strange.", {"kind": "Strange"}))
    assert type(failure) is InternalFault
    assert failure.failed == "Strange."


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\x00\xff", "AP8="),
        (UNDEFINED, None),
        (float("nan"), None),
        (float("-inf"), None),
        (1.5, 1.5),
        (2**60, 2**60),
        ({"a": [b"", {"b": UNDEFINED}]}, {"a": ["", {"b": None}]}),
        (Date(1_767_323_045_006), "2026-01-02T03:04:05.006Z"),
        (Date(-1), "1969-12-31T23:59:59.999Z"),
        (Date(8_640_000_000_000_000), None),
        (("a", True), ["a", True]),
    ],
)
def test_values_as_json(value: object, shown: object) -> None:
    assert to_json(value) == shown


@pytest.mark.parametrize(
    ("method", "params", "bound"),
    [
        ("index.get", {"path": "/a"}, {"path": "/a"}),
        ("index.list", {}, {}),
        ("index.list", {"limit": None, "offset": 3}, {"limit": None, "offset": 3}),
        ("oplog.use", {"key": "ab" * 32}, {"key": b"\xab" * 32}),
        ("oplog.use", {"key": None}, {"key": None}),
        ("contract.call", {"method": "a", "params": None}, {"method": "a", "params": None}),
        ("contract.call", {"method": "a", "wait_seconds": 1}, {"method": "a", "wait_seconds": 1.0}),
        (
            "index.dangerous_batch",
            {"changes": [{"type": "put", "path": "/a", "value": 1}]},
            {"changes": [{"type": "put", "path": "/a", "value": 1}]},
        ),
    ],
)
def test_parameters_are_converted(
    method: str, params: dict[str, Any], bound: dict[str, Any]
) -> None:
    assert bind(method, METHODS[method].parameters, params) == bound


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("index.get", {}, "needs the parameter 'path'"),
        ("index.get", {"path": 7}, "takes for 'path' text"),
        ("index.get", {"path": None}, "takes for 'path' text"),
        ("index.get", {"path": "/a", "x": 1}, "has no parameter 'x'"),
        ("index.list", {"limit": -1}, "a whole number"),
        ("index.list", {"limit": True}, "a whole number"),
        ("index.list", {"limit": 1.5}, "a whole number"),
        ("index.list", {"reverse": 1}, "true or false"),
        ("oplog.remove", {"key": "ab"}, "a key of 64 hex"),
        ("contract.call", {"method": "a", "wait_seconds": -1}, "a number from 0 on"),
        ("index.dangerous_batch", {"changes": {}}, "a list of changes"),
        ("index.dangerous_batch", {"changes": [{"type": "x"}]}, "put"),
        ("index.dangerous_batch", {"changes": [{"type": "del"}]}, "a path"),
        ("index.dangerous_batch", {"changes": [{"type": "put", "path": "/a"}]}, "a value"),
    ],
)
def test_wrong_parameters_are_named(method: str, params: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageProblem) as raised:
        bind(method, METHODS[method].parameters, params)
    assert reason in raised.value.failed


def test_every_method_has_a_summary_and_typed_parameters() -> None:
    for method in METHODS.values():
        assert method.summary.endswith("."), method.name
        assert isinstance(method.parameters, tuple)
