"""A private network of processes in which databases are found by their keys alone."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import COUNTER, running, vitra


@pytest.fixture
def network(tmp_path: Path) -> Iterator[str]:
    """The address of a node that carries one."""
    with running(tmp_path / "none", "dht", "serve") as node:
        yield node.line()["address"]
        assert node.end() == 0, node.errors()


def test_a_database_is_found_by_its_key_alone(network: str, tmp_path: Path) -> None:
    contract = tmp_path / "counter.js"
    contract.write_text(COUNTER)
    executor, reader = tmp_path / "executor", tmp_path / "reader"
    oplog = vitra(reader, "oplog", "new", "--json").json["key"]
    made = vitra(executor, "init", str(contract), "--participant", oplog, "--json").json
    with running(executor, "serve", "--bootstrap", network) as node:
        line = node.line()
        assert line["listen"] is None
        assert line["dht"].startswith("127.0.0.1:")
        joined = vitra(reader, "join", made["key"], "--bootstrap", network, "--json")
        assert joined.code == 0, joined.err
        assert joined.json["index_length"] > 0
        # The directory remembers the network.
        with running(
            reader, "serve", "--bootstrap", network, "--metrics", "127.0.0.1:0"
        ) as participant:
            line_of_reader = participant.line()
            assert line_of_reader["dht"]
            called = vitra(reader, "call", "increment", "--arg", "amount=2", "--wait", "--json")
            assert called.code == 0, called.err
            assert vitra(reader, "get", "/counter", "--json").json["value"] == 2
            (peer,) = vitra(reader, "peers", "--json").json
            assert peer["via"] == "swarm"
            assert peer["bytes_read"] > 0
            assert len(peer["key"]) == 64
            healthy = vitra(reader, "doctor", "--json")
            assert healthy.code == 0, healthy.out
            assert {check["state"] for check in healthy.json["checks"]} == {"ok"}
            status = vitra(reader, "status", "--json").json
            assert status["dht"].items() >= {"nodes": 1, "topics": 2, "announced": 2}.items()
            assert status["dht"]["listen"] == line_of_reader["dht"]
            assert status["dht"]["nat"] in ("open", "consistent", "unknown")
            assert "2 of 2 logs announced" in vitra(reader, "status").out
            with urllib.request.urlopen(f"http://{line_of_reader['metrics']}/metrics") as answer:
                numbers = answer.read().decode()
            for what in ("nodes", "topics", "announced", "punched", "punch_failures"):
                value = f"{float(status['dht'][what])}"
                assert f'vitra_dht{{database="reader",what="{what}"}} {value}' in numbers
            nat = status["dht"]["nat"]
            assert f'vitra_dht_nat{{database="reader",kind="{nat}"}} 1.0' in numbers
            assert participant.end() == 0
        assert node.end() == 0


def test_a_shell_finds_a_database_by_its_key_in_a_private_network(
    network: str, tmp_path: Path
) -> None:
    contract = tmp_path / "counter.js"
    contract.write_text(COUNTER)
    executor, reader = tmp_path / "executor", tmp_path / "reader"
    key = vitra(executor, "init", str(contract), "--json").json["key"]
    with running(executor, "serve", "--bootstrap", network) as node:
        node.line()
        assert vitra(executor, "call", "increment", "--wait").code == 0
        script = f".use {reader}\n.load {key}\n.sync\n.get /counter\n"
        shell = vitra(reader, "shell", "--bootstrap", network, stdin=script)
        assert shell.code == 0, shell.err
        assert shell.out.splitlines()[-1] == "1"
        assert node.end() == 0


def test_a_shell_refuses_what_is_no_address_before_anything(tmp_path: Path) -> None:
    outcome = vitra(tmp_path, "shell", "--bootstrap", "nowhere", stdin=".help\n")
    assert outcome.code == 2
    assert "is not an address" in outcome.err
    assert outcome.out == ""


def test_doctor_says_which_step_fails(tmp_path: Path) -> None:
    contract = tmp_path / "counter.js"
    contract.write_text(COUNTER)
    directory = tmp_path / "executor"
    assert vitra(directory, "init", str(contract)).code == 0
    stopped = vitra(directory, "doctor")
    assert stopped.code == 5
    assert "PROBLEM node       No node serves this directory" in stopped.out
    for name in ("store", "keys", "runtime"):
        assert f"ok      {name:<10} " in stopped.out
    with running(directory, "serve", "--no-swarm") as node:
        node.line()
        alone = vitra(directory, "doctor", "--json")
        assert alone.code == 5
        states = {check["name"]: check["state"] for check in alone.json["checks"]}
        assert states["reachable"] == "problem"
        assert node.end() == 0
    with running(directory, "serve", "--bootstrap", "127.0.0.1:9") as node:
        node.line()
        deaf = vitra(directory, "doctor", "--json")
        assert deaf.code == 5
        states = {check["name"]: check["state"] for check in deaf.json["checks"]}
        assert states["socket"] == "ok"
        assert states["bootstrap"] == "problem"
        assert node.end() == 0


def test_without_a_network_join_says_why(tmp_path: Path) -> None:
    outcome = vitra(tmp_path / "reader", "join", "00" * 32, "--bootstrap", "127.0.0.1:9")
    assert outcome.code == 0
    assert "no node of the network answered" in outcome.err


@pytest.mark.parametrize("text", ["nowhere", "127.0.0.1:99999", "127.0.0.1:1,x"])
def test_a_bootstrap_node_is_an_address(text: str, tmp_path: Path) -> None:
    outcome = vitra(tmp_path, "dht", "serve", "--bootstrap", text)
    assert outcome.code == 2
    assert "is not an address" in outcome.err
