"""``vitra.json``, addresses and keys as people write them."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitra_node.cli.commands.databases import read_link
from vitra_node.config import (
    CONFIG_NAME,
    MAX_CONFIG_BYTES,
    Address,
    DirectoryConfig,
    parse_address,
    read_config,
    write_config,
)
from vitra_node.errors import StoreDamaged, UsageProblem
from vitra_node.key_text import format_z32, parse_key

KEY = bytes(range(32))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    config = DirectoryConfig(
        key=KEY,
        role="executor",
        local_oplog=bytes(32),
        listen=Address("127.0.0.1", 7000),
        peers=(Address("::1", 1), Address("example.org", 65535)),
        unknown={"theme": "dark"},
    )
    write_config(tmp_path, config)
    assert read_config(tmp_path) == config
    assert stat.S_IMODE((tmp_path / CONFIG_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG_NAME]


def test_no_file_is_an_empty_configuration(tmp_path: Path) -> None:
    assert read_config(tmp_path) == DirectoryConfig()
    assert read_config(tmp_path / "none") == DirectoryConfig()


def test_peers_are_remembered_once_and_in_order() -> None:
    one, two = Address("a", 1), Address("b", 2)
    assert DirectoryConfig(peers=(one,)).with_peers((two, one)).peers == (one, two)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"key": "xx"}',
        '{"key": 7}',
        '{"key": "abcd"}',
        '{"role": "king"}',
        '{"listen": "nowhere"}',
        '{"listen": 7}',
        '{"peers": "a:1"}',
        '{"peers": [null]}',
        '{"version": "one"}',
        '{"version": true}',
        '{"version": 99}',
        '"' + "x" * MAX_CONFIG_BYTES + '"',
    ],
    ids=lambda content: content[:20],
)
def test_a_damaged_file_is_an_error_and_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / CONFIG_NAME
    path.write_text(content)
    with pytest.raises(StoreDamaged) as raised:
        read_config(tmp_path)
    assert str(path) in raised.value.failed
    assert path.read_text() == content


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path, DirectoryConfig(key=KEY))

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreDamaged):
        write_config(tmp_path, DirectoryConfig())
    assert read_config(tmp_path).key == KEY
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG_NAME]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.sampled_from(["key", "role", "local_oplog", "listen", "peers", "version", "more"]), ANY_JSON
)
def test_any_json_is_read_or_refused(name: str, value: object) -> None:
    with TemporaryDirectory() as directory:
        (Path(directory) / CONFIG_NAME).write_text(json.dumps({name: value}))
        with suppress(StoreDamaged):
            read_config(Path(directory))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7000", Address("127.0.0.1", 7000)),
        ("example.org:0", Address("example.org", 0)),
        ("[::1]:65535", Address("::1", 65535)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "host", "host:", ":1", "host:65536", "::1:7", "a b:1", "h:²"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_address(text)


@given(st.binary(min_size=32, max_size=32))
def test_keys_are_read_in_both_forms(key: bytes) -> None:
    assert parse_key(key.hex()) == key
    assert parse_key(f" {key.hex().upper()}\n") == key
    assert len(format_z32(key)) == 52
    assert parse_key(format_z32(key)) == key


def test_z32_of_known_keys() -> None:
    # From npm z32 1.1.0.
    assert format_z32(KEY) == "yyyoryarywdyqnyjbefoadeqbhebnrounoktcfaadrpbs8y7daxo"
    assert format_z32(b"\xff" * 32) == "9" * 51 + "o"


@pytest.mark.parametrize("text", ["", "zz" * 32, "a" * 63, "y" * 51, "v" * 52, "y" * 51 + "b"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_key(text)


def test_a_link_names_key_and_peer() -> None:
    address = Address("127.0.0.1", 7000)
    assert read_link(f"vitra://{KEY.hex()}@127.0.0.1:7000") == (KEY, (address,))
    assert read_link(f"vitra://{format_z32(KEY)}@127.0.0.1:7000/") == (KEY, (address,))
    assert read_link(f"vitra://{KEY.hex()}") == (KEY, ())
    assert read_link(KEY.hex()) == (KEY, ())
