"""``--on-violation`` and ``--webhook``, as a user gives them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import trio

from tests.contract_sources import COUNTER
from vitra_node.database import Database

from .processes import COMMAND_SECONDS, ok, serving, vitra
from .web_receiver import receiving

APPEND = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + b'\\n')"


@pytest.fixture
def violated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database whose executor wrote past its contract."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    directory = tmp_path / "violated"

    async def make() -> None:
        async with Database.create(directory, contract=COUNTER) as database:
            await database.index.dangerous_batch([{"type": "put", "path": "/counter", "value": 1}])

    trio.run(make)
    return directory


def test_a_monitor_in_the_foreground_tells_before_it_ends(violated: Path, tmp_path: Path) -> None:
    file = tmp_path / "told"
    command = f'{sys.executable} -c "{APPEND}" {file}'
    with receiving(503) as receiver:
        flags = ("--on-violation", command, "--webhook", receiver.url)
        for _ in range(2):
            watched = vitra(violated, "monitor", *flags, "--json")
            assert watched.code == 20, watched.err
        posts = receiver.bodies()
    [told] = file.read_text().splitlines()
    assert [json.loads(post) for post in posts] == [json.loads(told)] * 2
    found = json.loads(watched.out.splitlines()[-1])
    key = ok(violated, "info")["key"]
    assert json.loads(told) == {**found, "database": key}
    assert Path(found["proof"]).exists()


def test_a_node_tells_too(violated: Path) -> None:
    with receiving() as receiver:
        with serving(violated, "--webhook", receiver.url):
            _, headers, body = receiver.posts.get(timeout=COMMAND_SECONDS)
            assert headers["content-type"] == "application/json"
            assert json.loads(body)["event"] == "violation"
            refused = vitra(violated, "monitor", "--webhook", receiver.url)
            assert refused.code == 4
            assert "vitra serve" in refused.err
        with serving(violated, "--monitor"):
            assert ok(violated, "status")["monitoring"] is True
        assert receiver.bodies() == []


def test_what_cannot_work_is_refused_before_anything_starts(violated: Path) -> None:
    for flags in (
        ("monitor", "--webhook", "nowhere"),
        ("monitor", "--on-violation", "no-such-program-here"),
        ("monitor", "--webhook", "http://127.0.0.1/", "stop"),
        ("serve", "--webhook", "https://"),
    ):
        refused = vitra(violated, *flags)
        assert refused.code == 2, refused.err
        assert "Nothing was" in refused.err


def test_a_unit_file_has_them(violated: Path) -> None:
    unit = vitra(violated, "serve", "--systemd-unit", "--monitor", "--on-violation", "mail -s x me")
    assert '--on-violation "mail -s x me" --monitor' in unit.out
