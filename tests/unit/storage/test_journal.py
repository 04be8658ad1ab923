"""The journal: what is read back, and what is not, after every way of being cut off."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.journal import JOURNAL_BYTES, Journal
from vitra_node.storage.environments.journaled_environment import JOURNAL_NAME, JournaledEnvironment
from vitra_node.storage.environments.lmdb_environment import DATA_NAME
from vitra_node.storage.errors import EnvironmentFull, StorageError, StoreDamaged

ID = bytes(range(16))


def put(*pairs: tuple[bytes, bytes]) -> Writes:
    writes = Writes()
    for key, value in pairs:
        writes.put(key, value)
    return writes


def read(path: Path, number: int) -> list[bytes]:
    journal = Journal(path, ID)
    found = list(journal.read_from(number))
    journal.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Journal.create(tmp_path / "journal", ID, 64 * 1024)
    return tmp_path / "journal"


def test_entries_are_read_back_in_order(path: Path) -> None:
    payloads = [b"", b"x", bytes(484), bytes(485), bytes(range(256)) * 20]
    journal = Journal(path, ID)
    assert list(journal.read_from(1)) == []
    for number, payload in enumerate(payloads, 1):
        journal.append(number, payload)
    journal.close()
    assert read(path, 1) == payloads
    # The data file has all of them already, or more than the journal ever had.
    assert read(path, 6) == []
    assert read(path, 100) == []
    assert path.stat().st_size == 64 * 1024


def test_the_next_entry_comes_behind_what_was_read(path: Path) -> None:
    for number in range(1, 6):
        journal = Journal(path, ID)
        assert len(list(journal.read_from(1))) == number - 1
        journal.append(number, b"%d" % number)
        journal.close()
    assert read(path, 1) == [b"1", b"2", b"3", b"4", b"5"]


def test_old_entries_behind_the_newest_are_not_read(path: Path) -> None:
    journal = Journal(path, ID)
    for number in range(1, 20):
        journal.append(number, bytes(number * 37 % 900))
    for restart in range(20, 60, 4):
        journal.restart()
        for number in range(restart, restart + 4):
            journal.append(number, b"%d" % number)
        assert read(path, restart) == [b"%d" % number for number in range(restart, restart + 4)]
    journal.close()


def test_a_torn_entry_ends_the_journal(path: Path) -> None:
    journal = Journal(path, ID)
    journal.append(1, b"first")
    journal.append(2, b"second" * 300)
    journal.append(3, b"third")
    journal.close()
    whole = path.read_bytes()
    end = 4096 + 512 + 28 + 1800
    for at in [*range(4096 + 512, 4096 + 512 + 28), end - 1, end - 900]:
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        assert read(path, 1) == [b"first"]
    path.write_bytes(whole[: end - 100])
    assert read(path, 1) == [b"first"]


def test_a_full_journal_says_so(path: Path) -> None:
    journal = Journal(path, ID)
    number = 0
    while journal.has_room(1000):
        number += 1
        journal.append(number, bytes(1000))
    assert number == (64 * 1024 - 4096) // 1536
    assert not journal.has_room(60 * 1024)
    journal.restart()
    assert journal.has_room(1000)
    journal.close()
    assert len(read(path, 1)) == number
    assert path.stat().st_size == 64 * 1024


def test_journals_that_are_not_ours(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="missing"):
        Journal(tmp_path / "absent", ID)
    with pytest.raises(StoreDamaged, match="not the journal of this store"):
        Journal(path, bytes(16))
    path.write_bytes(b"")
    with pytest.raises(StoreDamaged):
        Journal(path, ID)


def test_a_gap_is_damage(path: Path) -> None:
    journal = Journal(path, ID)
    journal.append(7, b"seven")
    journal.close()
    with pytest.raises(StoreDamaged, match="begins at 7"):
        read(path, 5)


def open_environment(directory: Path) -> JournaledEnvironment:
    return JournaledEnvironment(directory, map_bytes=128 * 1024, journal_bytes=32 * 1024)


def write(environment: JournaledEnvironment, *batches: Writes) -> None:
    while True:
        try:
            environment.write(batches)
            break
        except EnvironmentFull:
            environment.grow()
    environment.settle()


def crashed_copy(directory: Path, to: Path) -> Path:
    """The files as a crash at this moment leaves them."""
    to.mkdir()
    for name in (DATA_NAME, JOURNAL_NAME):
        shutil.copy(directory / name, to / name)
    return to


def test_a_crash_at_any_transaction_loses_none(tmp_path: Path) -> None:
    environment = open_environment(tmp_path)
    for number in range(120):
        # Small ones for the journal, large ones and ranges that go to the data file at once.
        if number % 17 == 9:
            writes = put((b"big", bytes(40_000)))
        elif number % 23 == 5:
            writes = Writes()
            writes.delete_range(b"k" + bytes((number - 5,)), b"k" + bytes((number - 2,)))
        else:
            writes = put((b"k" + bytes((number,)), b"%d" % number * 50))
            writes.delete(b"k" + bytes((number - 2,)) if number > 2 else b"absent")
        write(environment, writes, put((b"number", b"%d" % number)))
        content = environment.items(b"\x01", b"\xff")
        copy = crashed_copy(tmp_path, tmp_path / f"copy{number}")
        again = open_environment(copy)
        assert again.items(b"\x01", b"\xff") == content
        assert again.get(b"number") == b"%d" % number
        write(again, put((b"after", b"crash")))
        again.close()
        again = open_environment(copy)
        assert again.get(b"after") == b"crash"
        again.close()
    environment.close()
    environment = open_environment(tmp_path)
    assert environment.items(b"\x01", b"\xff") == content
    environment.close()


def test_small_transactions_do_not_touch_the_data_file(tmp_path: Path) -> None:
    environment = open_environment(tmp_path)
    before = (tmp_path / DATA_NAME).read_bytes()
    write(environment, put((b"a", b"1")))
    write(environment, put((b"b", b"2")))
    assert (tmp_path / DATA_NAME).read_bytes() == before
    assert environment.items(b"\x01", b"\xff") == [(b"a", b"1"), (b"b", b"2")]
    environment.close()
    assert (tmp_path / DATA_NAME).read_bytes() != before


def test_a_transaction_shows_as_a_whole_when_it_is_settled(tmp_path: Path) -> None:
    environment = open_environment(tmp_path)
    write(environment, put((b"a", b"old"), (b"b", b"old")))
    environment.write([put((b"a", b"new"), (b"b", b"new"))])
    assert environment.items(b"\x01", b"\xff") == [(b"a", b"old"), (b"b", b"old")]
    environment.settle()
    assert environment.items(b"\x01", b"\xff") == [(b"a", b"new"), (b"b", b"new")]
    environment.close()


def test_a_lost_or_foreign_journal_is_damage(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        environment = open_environment(tmp_path / name)
        write(environment, put((b"a", b"1")))
        environment.close()
    (tmp_path / "one" / JOURNAL_NAME).replace(tmp_path / "two" / JOURNAL_NAME)
    with pytest.raises(StoreDamaged, match="missing"):
        open_environment(tmp_path / "one")
    with pytest.raises(StoreDamaged, match="not the journal of this store"):
        open_environment(tmp_path / "two")


def test_an_older_data_file_with_a_newer_journal_is_damage(tmp_path: Path) -> None:
    environment = open_environment(tmp_path)
    write(environment, put((b"a", b"1")))
    old = (tmp_path / DATA_NAME).read_bytes()
    write(environment, put((b"big", bytes(40_000))))
    write(environment, put((b"a", b"2")))
    environment.close()
    (tmp_path / DATA_NAME).write_bytes(old)
    with pytest.raises(StoreDamaged, match="begins at"):
        open_environment(tmp_path)


def test_a_creation_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).write_bytes(b"half")
    (tmp_path / f".{JOURNAL_NAME}.new").write_bytes(b"half")
    environment = open_environment(tmp_path)
    write(environment, put((b"a", b"1")))
    environment.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(
        [DATA_NAME, f"{DATA_NAME}-lock", JOURNAL_NAME]
    )


def test_no_room_for_a_journal(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Journal.create(tmp_path / "absent" / "journal", ID)
    assert JOURNAL_BYTES >= 1024 * 1024
