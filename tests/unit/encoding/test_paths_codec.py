"""The codec of index paths, and that no path leads a contract into /.sys."""

from __future__ import annotations

from itertools import product

import pytest

from protocol.encoding import paths
from protocol.encoding.paths import (
    ack_key,
    format_key,
    input_key,
    is_canonical_key,
    is_system_key,
    list_prefix,
    parse_path,
    parse_write_path,
)
from protocol.errors import PathError
from protocol.limits import MAX_KEY_BYTES


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/a", b"a"),
        ("/a/b", b"a\x00b"),
        ("/.sys/contract/source", paths.CONTRACT_SOURCE),
        ("/.sys/acks/genesis", paths.GENESIS_ACK),
        ("/é/ ", b"\xc3\xa9\x00 "),
        ("/..", b".."),
        ("/.sysx", b".sysx"),
        ("/a\n", b"a\n"),
    ],
)
def test_paths_and_keys(path: str, key: bytes) -> None:
    assert parse_path(path) == key
    assert format_key(key) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "a",
        "a/b",
        "/a/",
        "//a",
        "/a//b",
        "/\x00",
        "/.sys\x00contract",
        "/a\x00",
        "/\ud800",
        "/a\udfffb",
        "/" + "x" * (MAX_KEY_BYTES + 1),
        "/" + "é" * (MAX_KEY_BYTES // 2 + 1),
    ],
)
def test_refused_paths(path: str) -> None:
    with pytest.raises(PathError):
        parse_path(path)
    with pytest.raises(PathError):
        parse_write_path(path)


def test_the_longest_path() -> None:
    assert len(parse_path("/" + "x" * MAX_KEY_BYTES)) == MAX_KEY_BYTES


@pytest.mark.parametrize(
    "path", ["/.sys", "/.sys/x", "/.sys/contract/source", "/.sys/acks/genesis"]
)
def test_contracts_cannot_write_below_sys(path: str) -> None:
    assert is_system_key(parse_path(path))
    with pytest.raises(PathError):
        parse_write_path(path)


@pytest.mark.parametrize("path", ["/.sysx", "/.sy", "/x/.sys", "/.Sys", "/.sys.", "/.s/ys"])
def test_names_that_only_look_like_sys(path: str) -> None:
    assert not is_system_key(parse_write_path(path))


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/", b""), ("/a", b"a\x00"), ("/a/", b"a\x00"), ("/a/b", b"a\x00b\x00")],
)
def test_list_prefixes(path: str, prefix: bytes) -> None:
    assert list_prefix(path) == prefix


@pytest.mark.parametrize("path", ["", "//", "a", "/a//", "/\x00", "a/"])
def test_refused_list_prefixes(path: str) -> None:
    with pytest.raises(PathError):
        list_prefix(path)


def test_no_path_of_up_to_eight_characters_reaches_sys() -> None:
    """Every path over the alphabet that matters; the model is written from the text of the spec."""
    accepted = 0
    keys = set()
    for length in range(9):
        for characters in product("/.\x00sy", repeat=length):
            path = "".join(characters)
            segments = path.split("/")
            allowed = (
                len(segments) > 1
                and segments[0] == ""
                and all(segments[1:])
                and "\x00" not in path
                and segments[1] != ".sys"
            )
            try:
                key = parse_write_path(path)
            except PathError:
                assert not allowed, path
                continue
            assert allowed, path
            # However a reader takes the key apart, its first segment is not .sys.
            assert key.split(b"\x00")[0] != b".sys", path
            assert is_canonical_key(key), path
            assert format_key(key) == path
            accepted += 1
            keys.add(key)
    assert len(keys) == accepted > 5_000


def test_system_keys() -> None:
    key = bytes(range(32))
    assert format_key(input_key(key)) == f"/.sys/inputs/{key.hex()}"
    assert format_key(ack_key(key, 7)) == f"/.sys/acks/{key.hex()}/000000000000007"
    assert ack_key(key, 9) < ack_key(key, 10) < ack_key(key, 10**15 - 1)


@pytest.mark.parametrize(
    ("key", "seq"), [(b"", 0), (b"x" * 31, 0), (b"x" * 32, -1), (b"x" * 32, 10**15)]
)
def test_refused_system_keys(key: bytes, seq: int) -> None:
    with pytest.raises(PathError):
        ack_key(key, seq)
    if len(key) != 32:
        with pytest.raises(PathError):
            input_key(key)


def test_keys_that_no_path_has_can_still_be_shown() -> None:
    assert format_key(b"a\xff") == "/a\\xff"
    assert format_key(b"a\x00\x00b") == "/a//b"
    assert not is_canonical_key(b"a\x00\x00b")
    assert not is_canonical_key(b"")
    assert not is_canonical_key(b"a\x00")
