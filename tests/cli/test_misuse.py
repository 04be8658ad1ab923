"""Every command, used wrongly: one sentence, a documented exit code, never a traceback."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from vitra_node.api.client import ControlClient
from vitra_node.cli.application import application
from vitra_node.cli.exit_codes import EXIT_CODES
from vitra_node.config import CONFIG_NAME
from vitra_node.errors import VitraError

from .conftest import Outcome, Vitra
from .processes import (
    COMMAND_SECONDS,
    COUNTER,
    PASSPHRASE,
    command_line,
    environment,
    ok,
    running,
    serving,
)
from .processes import vitra as run

# These go on until they are stopped; what stops them is tried below.
ENDLESS = {"serve", "monitor", "monitor start", "explorer", "demo", "dht serve"}
# These do their work without any data directory.
WITHOUT_DIRECTORY = {"demo", "test", "proof check", "dht serve", "sim ls", "sim run"}


def leaves(
    command: click.Command, name: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """All commands that do something, by their words."""
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield " ".join(name), command
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from leaves(found, (*name, each))
    else:
        yield " ".join(name), command


COMMANDS = dict(leaves(application))
assert len(COMMANDS) > 30


def words(name: str, filler: str = "x") -> list[str]:
    """The command with something for each thing that it needs."""
    given = name.split()
    for parameter in COMMANDS[name].params:
        if not parameter.required:
            continue
        if isinstance(parameter, click.Option):
            given.append(parameter.opts[-1])
        given.append(filler)
    return given


def check(outcome: Outcome, name: str) -> None:
    """Whatever happened, it was told as it should be."""
    assert outcome.code in EXIT_CODES, name
    assert outcome.code != 1, (name, outcome.err)
    assert "Traceback" not in outcome.err, name
    assert "Error" not in outcome.err.split(":")[0], name
    if outcome.code == 0 or not outcome.err:
        return
    sentences = [line for line in outcome.err.splitlines() if line.startswith("vitra: ")]
    assert len(sentences) <= 1, (name, outcome.err)
    for sentence in sentences:
        assert sentence.endswith((".", "?")), (name, sentence)


@pytest.fixture(autouse=True)
def nobody_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing on stdin, and files named by the fillers land nowhere else."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", COMMANDS)
def test_flags_and_arguments_that_are_none(vitra: Vitra, name: str) -> None:
    for wrong in (["--nonsense"], ["--nonsense=1"], ["-Z"]):
        outcome = vitra(*words(name), *wrong)
        check(outcome, name)
        assert outcome.code == 2
        assert "--help" in outcome.err
    takes_any = any(parameter.nargs == -1 for parameter in COMMANDS[name].params)
    if not takes_any and not isinstance(COMMANDS[name], click.Group):
        assert vitra(*words(name), *["more"] * 4).code == 2
    if len(words(name)) > len(name.split()):
        missing = vitra(*name.split())
        check(missing, name)
        assert missing.code == 2


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - WITHOUT_DIRECTORY))
def test_a_directory_that_is_a_file(vitra: Vitra, name: str) -> None:
    vitra.directory = vitra.directory / "file"
    vitra.directory.write_text("mine")
    outcome = vitra(*words(name))
    check(outcome, name)
    assert outcome.code == 2, outcome.err
    assert vitra.directory.read_text() == "mine"


@pytest.mark.parametrize(
    "name", sorted(set(COMMANDS) - {"demo", "dht serve", "oplog new", "sim ls"})
)
def test_a_directory_without_a_database(vitra: Vitra, name: str) -> None:
    outcome = vitra(*words(name))
    check(outcome, name)
    if name not in ("status", "shell"):
        assert outcome.code in (2, 3, 4, 5), (outcome.code, outcome.err)
    assert not list(vitra.directory.iterdir()), "nothing was made"
    vitra.directory = vitra.directory / "missing"
    check(vitra(*words(name)), name)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "zz"}', '{"version": 99}', "\x00\xff"])
def test_a_damaged_configuration(vitra: Vitra, content: str) -> None:
    for name in sorted(set(COMMANDS) - WITHOUT_DIRECTORY - {"restore", "destroy"}):
        (vitra.directory / CONFIG_NAME).write_text(content)
        outcome = vitra(*words(name))
        check(outcome, name)
        if name != "shell":
            assert outcome.code in (2, 3, 7), (name, outcome.code, outcome.err)
        assert (vitra.directory / CONFIG_NAME).read_text() == content, name


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one operation, to be copied."""
    root = tmp_path_factory.mktemp("database")
    (root / "counter.js").write_text(COUNTER)
    ok(root / "data", "init", str(root / "counter.js"))
    ok(root / "data", "call", "increment", "--wait")
    return root / "data"


def test_nonsense_where_a_database_is_and_no_node(vitra: Vitra, database: Path) -> None:
    for name in sorted(set(COMMANDS) - ENDLESS - WITHOUT_DIRECTORY - {"destroy", "restore"}):
        vitra.directory.rmdir() if not any(vitra.directory.iterdir()) else None
        if not vitra.directory.exists():
            shutil.copytree(database, vitra.directory)
        outcome = vitra(*words(name))
        check(outcome, name)
    for name in ("stop", "monitor stop"):
        assert vitra(*name.split()).code == 3
    assert vitra("get", "/counter").out == "1\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["call", "increment", "--params", "{"], 2),
        (["call", "increment", "--arg", "x"], 2),
        (["call", "increment", "--timeout", "-1"], 2),
        (["get", "no-slash"], 2),
        (["ls", "//"], 2),
        (["history", "zz"], 2),
        (["history", "--from", "-1"], 2),
        (["oplog", "rm", "ab" * 32], 3),
        (["fraud", "export", "x", "-o", "/nowhere/x"], 3),
        (["export", "-o", "/nowhere/x"], 2),
        (["import", "/"], 2),
        (["serve", "--listen", "7000"], 2),
        (["serve", "--peer", "a b:1"], 2),
        (["join", "vitra://x@y:1"], 2),
        (["join", "ab" * 32, "--peer", "host:99999"], 2),
        (["init", "/nowhere.js"], 3),
        (["init", "/"], 2),
        (["init", "/etc/hostname", "--participant", "zz"], 2),
    ],
)
def test_values_that_mean_nothing(
    vitra: Vitra, database: Path, arguments: list[str], code: int
) -> None:
    vitra.directory.rmdir()
    shutil.copytree(database, vitra.directory)
    outcome = vitra(*arguments)
    check(outcome, arguments[0])
    assert outcome.code == code, outcome.err


# A disk that is full, and Ctrl-C ---------------------------------------------------------------


def test_a_reader_whose_disk_is_full(database: Path) -> None:
    for arguments in (["ls"], ["history", "--json"], ["source"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                command_line(arguments, database),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
                timeout=COMMAND_SECONDS,
                check=False,
            )
        check(Outcome(done.returncode, "", done.stderr), arguments[0])
        assert done.returncode == 7, done.stderr
        assert "disk is full" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds little; only root can make one, as CI is."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk; gives the file that takes it."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(512))
        except OSError:
            return disk / "filler"


def test_a_full_disk_under_the_database(small_disk: Path, database: Path, vitra: Vitra) -> None:
    vitra.directory = small_disk / "data"
    shutil.copytree(database, vitra.directory)
    fill(small_disk)
    # What was set aside for the journal still takes a little, so either may come.
    for arguments in (["oplog", "new"], ["call", "increment"], ["get", "/counter"], ["verify"]):
        outcome = vitra(*arguments)
        check(outcome, arguments[0])
        assert outcome.code in (0, 7), (arguments, outcome.code, outcome.err)
    outcome = vitra("backup", str(small_disk / "backup"))
    check(outcome, "backup")
    assert outcome.code == 7, outcome.err
    other = small_disk / "other"
    outcome = Vitra(vitra._capfd, other)("init", str(database.parent / "counter.js"))
    check(outcome, "init")
    assert outcome.code == 7
    (small_disk / "filler").unlink()
    before = int(vitra("get", "/counter").out)
    assert vitra("call", "increment", "--wait").code == 0
    # An operation that was published while the disk was full is executed now, too.
    assert int(vitra("get", "/counter").out) > before


def test_what_is_written_to_a_full_disk_is_written_later(
    small_disk: Path, database: Path, vitra: Vitra, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path = Path.cwd()
    shutil.copytree(database, vitra.directory, dirs_exist_ok=True)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("secret\n")
    passphrase.chmod(0o600)
    monkeypatch.setenv(PASSPHRASE, str(passphrase))
    backup = tmp_path / "with-keys"
    assert vitra("backup", str(backup), "--with-keys").code == 0
    (tx,) = vitra("tx", "ls", "--json").json
    counter = str(database.parent / "counter.js")
    elsewhere = Vitra(vitra._capfd, small_disk / "made")
    attempts: list[tuple[Vitra, list[str]]] = [
        (vitra, ["tx", "prove", tx["tx"], "-o", str(small_disk / "proof")]),
        (vitra, ["proof", "consistency", "--from", "1", "-o", str(small_disk / "consistency")]),
        (vitra, ["export", "-o", str(small_disk / "export")]),
        (elsewhere, ["init", counter]),
        (elsewhere, ["restore", str(backup)]),
        (elsewhere, ["oplog", "new"]),
    ]
    for command, arguments in attempts:
        filler = fill(small_disk)
        before = sorted(small_disk.iterdir())
        outcome = command(*arguments)
        check(outcome, arguments[0])
        assert outcome.code == 7, outcome.err
        assert "disk is full" in outcome.err
        assert "Free some space" in outcome.err
        # No half of a file or directory stands where the whole one is wanted.
        assert sorted(small_disk.iterdir()) == before, arguments
        filler.unlink()
        again = command(*arguments)
        assert again.code == 0, (arguments, again.err)
        if command is elsewhere:
            shutil.rmtree(elsewhere.directory)


LARGE = """\
export function put ({ value }, emit) { emit({ op: 'PUT', value }) }
export const apply = { PUT (tx, op) { tx.put('/last', op.value) } }
"""


def call_until_refused(client: ControlClient, params: object) -> None:
    # What was set aside for the journal takes a few yet.
    for _ in range(200):
        try:
            client.call("contract.call", method="put", params=params)
        except VitraError:
            return
    raise AssertionError("the disk has room")


def test_a_node_whose_disk_becomes_full(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "large.js").write_text(LARGE)
    directory = small_disk / "data"
    ok(directory, "init", str(tmp_path / "large.js"))
    value = json.dumps({"value": "x" * 100_000})
    ok(directory, "call", "put", "--params", value, "--wait")
    with serving(directory):
        filler = fill(small_disk)
        with ControlClient.connect(directory) as client:
            call_until_refused(client, json.loads(value))
        refused = run(directory, "call", "put", "--params", value)
        check(refused, "call")
        assert refused.code == 7, refused.err
        assert "disk is full" in refused.err
        assert "started again" in refused.err
        # It still reads, tells how it is, and is not hung.
        assert ok(directory, "get", "/last")["value"] == "x" * 100_000
        assert ok(directory, "status")["running"]
        filler.unlink()
        again = run(directory, "call", "put", "--params", value)
        check(again, "call")
        assert again.code == 7, "what a disk holds after it failed is unknown"
    assert ok(directory, "call", "put", "--params", '{"value": 1}', "--wait")["stage"]
    assert ok(directory, "get", "/last")["value"] == 1
    assert ok(directory, "verify")["verdict"] == "verified"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["serve", "--no-swarm"], 0),
        (["explorer"], 0),
        (["monitor"], 130),
    ],
)
def test_an_interrupt_ends_what_goes_on(
    tmp_path: Path, database: Path, arguments: list[str], code: int
) -> None:
    shutil.copytree(database, tmp_path / "data")
    with running(tmp_path / "data", *arguments) as command:
        assert command.line()
        assert command.end(signal.SIGINT) == code
        assert "Traceback" not in command.errors()


def test_an_interrupt_ends_what_waits_for_input(tmp_path: Path) -> None:
    (tmp_path / "counter.js").write_text(COUNTER)
    process = subprocess.Popen(
        command_line(["test", str(tmp_path / "counter.js")], tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("get\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(COMMAND_SECONDS) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def started(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line(arguments, directory),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def interrupted(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; gives what it says to that, all as it should be said."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=COMMAND_SECONDS)
    check(Outcome(process.returncode, out, err), str(process.args))
    assert process.returncode == 130, err
    assert "vitra: Interrupted." in err
    assert "is kept" in err
    return err


def test_an_interrupt_of_an_import_tells_where_it_was(tmp_path: Path, database: Path) -> None:
    lines = 100_000
    file = tmp_path / "lines"
    file.write_text('{"path": "/x", "value": 1}\n' * lines)
    directory = tmp_path / "data"
    shutil.copytree(database, directory)
    with serving(directory), ControlClient.connect(directory) as client:

        def published() -> int:
            length: int = client.call("database.info")["oplogs"][0]["length"]
            return length - 1

        with started(directory, "import", str(file), "--method", "increment") as process:
            # It goes on for minutes; a few lines are enough.
            while published() < 5:
                assert process.poll() is None
            err = interrupted(process)
        said = int(re.search(rf"(\d+) lines? of {lines} were published", err)[1])  # type: ignore[index]
        # The one whose answer was awaited may have been published.
        assert said >= 4
        assert said <= published() <= said + 1
        assert ok(directory, "call", "increment", "--wait")["stage"]
    assert ok(directory, "verify")["verdict"] == "verified"


def test_an_interrupt_of_what_waits_for_others(tmp_path: Path, database: Path) -> None:
    """For an executor that is away, and for a peer that says nothing."""
    reader = tmp_path / "reader"
    oplog = ok(reader, "oplog", "new")["key"]
    executor = tmp_path / "executor"
    counter = str(database.parent / "counter.js")
    key = ok(executor, "init", counter, "--participant", oplog)["key"]
    with serving(executor, "--listen", "127.0.0.1:0") as ready:
        ok(reader, "join", key, "--peer", ready["listen"])
    with serving(reader), ControlClient.connect(reader) as client:
        with started(reader, "call", "increment", "--wait", "--timeout", "600") as process:
            while not client.call("tx.list"):
                assert process.poll() is None
            assert "vitra tx ls" in interrupted(process)
        (tx,) = client.call("tx.list")
        assert tx["stage"] == "published", "it is executed once the executor is back"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        peer = f"127.0.0.1:{silent.getsockname()[1]}"
        with started(tmp_path / "other", "join", key, "--peer", peer) as process:
            silent.settimeout(COMMAND_SECONDS)
            connection, _ = silent.accept()
            with connection:
                interrupted(process)
