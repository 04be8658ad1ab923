"""The lock of a data directory, and files with secret keys."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vitra_node.storage.environments.lock import LOCK_NAME, DirectoryLock
from vitra_node.storage.errors import KeyFileError, StorageError, StoreInUse
from vitra_node.storage.keys.key_files import create_key, open_keys_directory, read_key

KEY = bytes(range(32))


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(StoreInUse) as caught:
        DirectoryLock(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert str(os.getpid()) in str(caught.value)
    lock.release()
    lock.release()
    DirectoryLock(tmp_path).release()


def test_another_process_is_refused_until_the_holder_dies(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from vitra_node.storage.environments.lock import DirectoryLock\n"
        "lock = DirectoryLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreInUse, match=str(holder.pid)):
            DirectoryLock(tmp_path)
        holder.kill()
        holder.wait()
    DirectoryLock(tmp_path).release()


@pytest.mark.parametrize("remove", [Path.unlink, lambda path: path.rename(path.with_name("old"))])
def test_removing_the_lock_file_lets_nobody_in(
    tmp_path: Path, remove: Callable[[Path], object]
) -> None:
    lock = DirectoryLock(tmp_path)
    remove(tmp_path / LOCK_NAME)
    with pytest.raises(StoreInUse):
        DirectoryLock(tmp_path)
    lock.release()
    DirectoryLock(tmp_path).release()


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        DirectoryLock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        directory = open_keys_directory(tmp_path)
        create_key(directory / "primary", KEY)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "primary").stat().st_mode) == 0o600
    assert read_key(directory / "primary") == KEY
    assert [entry.name for entry in directory.iterdir()] == ["primary"]


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    create_key(tmp_path / "primary", KEY)
    with pytest.raises(KeyFileError, match="exists"):
        create_key(tmp_path / "primary", bytes(32))
    assert read_key(tmp_path / "primary") == KEY


def test_what_a_crash_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".primary.new").write_bytes(b"half")
    create_key(tmp_path / "primary", KEY)
    assert read_key(tmp_path / "primary") == KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o610, 0o602])
def test_a_key_with_a_wider_mode_is_refused(tmp_path: Path, mode: int) -> None:
    create_key(tmp_path / "primary", KEY)
    (tmp_path / "primary").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_key(tmp_path / "primary")


@pytest.mark.parametrize("content", [b"", b"00", KEY, b"z" * 64, KEY.hex().encode() + b"00\n"])
def test_a_damaged_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "primary"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="damaged"):
        read_key(path)


def test_links_pipes_and_directories_are_no_keys(tmp_path: Path) -> None:
    create_key(tmp_path / "real", KEY)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(mode=0o700)
    for name in ("link", "pipe", "directory"):
        with pytest.raises(KeyFileError):
            read_key(tmp_path / name)
    assert read_key(tmp_path / "absent") is None


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_keys_directory_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 700"):
        open_keys_directory(tmp_path)


def test_a_keys_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"")
    with pytest.raises(KeyFileError):
        open_keys_directory(tmp_path)
