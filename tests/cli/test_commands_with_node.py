"""Commands that a running node answers; the database behind it is a fake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitra_node.config import DirectoryConfig, write_config
from vitra_node.database import VerifyReport
from vitra_node.roles.audits.audit import Sample

from .conftest import Vitra
from .fake_database import KEY, OPLOG_KEY, a_fraud, violation_event
from .fake_node import FakeNode


def test_get_prints_the_value_and_its_json(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("get", "/counter").out == "3\n"
    assert vitra("get", "/counter", "--json").json == {"path": "/counter", "seq": 1, "value": 3}


def test_get_shows_bytes_as_base64(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("get", "/blob", "--json").json["value"] == "AP8="


def test_get_of_nothing_exits_with_not_found(vitra: Vitra, node: FakeNode) -> None:
    outcome = vitra("get", "/none", "--json")
    assert outcome.code == 3
    assert outcome.out == ""
    assert outcome.error["kind"] == "NotFound"


def test_hostile_text_reaches_the_terminal_as_escapes(vitra: Vitra, node: FakeNode) -> None:
    node.database.index.values["/evil"] = "a\x1b[2Jb\u202ec\nd"
    assert vitra("get", "/evil").out == "a\\x1b[2Jb\\u202ec\nd\n"
    assert "\x1b" not in vitra("ls").out


def test_ls_lists_entries(vitra: Vitra, node: FakeNode) -> None:
    entries = vitra("ls", "/", "--json").json
    assert [entry["path"] for entry in entries] == ["/blob", "/counter", "/users/ann"]
    assert entries[1] == {
        "path": "/counter",
        "seq": 1,
        "value": 3,
        "name": "counter",
        "container": False,
    }
    assert vitra("ls", "--limit", "1", "--reverse", "--json").json[0]["path"] == "/users/ann"


def test_history_is_one_line_a_block(vitra: Vitra, node: FakeNode) -> None:
    events = vitra("history", "--json").events
    assert [event["path"] for event in events] == ["/counter", "/users/ann", "/blob"]
    assert vitra("history", "--from", "2", "--to", "3").out.splitlines() == [
        '     2  put /users/ann = {"age": 7}'
    ]


def test_history_of_the_own_oplog(vitra: Vitra, node: FakeNode) -> None:
    vitra("call", "increment", "--arg", "amount=2")
    expected = [{"seq": 0, "type": "op", "value": {"amount": 2}}]
    assert vitra("history", "local", "--json").events == expected
    assert vitra("history", OPLOG_KEY.hex(), "--json").events == expected


def test_history_of_an_unknown_log_is_not_found(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("history", "ab" * 32).code == 3
    assert vitra("history", "nonsense").code == 2


def test_call_gives_the_fields_that_scripts_rely_on(vitra: Vitra, node: FakeNode) -> None:
    answer = vitra("call", "increment", "--arg", "amount=2", "--json").json
    assert answer["response"] is None
    assert answer["stage"] == "committed"
    assert answer["operations"] == [{"oplog": OPLOG_KEY.hex(), "seq": 0, "value": {"amount": 2}}]
    assert answer["tx"] == "0" * 32


def test_call_prints_the_response(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("call", "get").out == "3\n"


@pytest.mark.parametrize(
    ("arguments", "params"),
    [
        ((), None),
        (("--arg", "amount=2"), {"amount": 2}),
        (("--arg", "name=ann", "--arg", "list=[1, null]"), {"name": "ann", "list": [1, None]}),
        (("--arg", "text=NaN"), {"text": "NaN"}),
        (("--arg", 'text="7"'), {"text": "7"}),
        (("--arg", "a=b=c"), {"a": "b=c"}),
        (("--params", '{"a": 1}', "--arg", "b=2"), {"a": 1, "b": 2}),
        (("--params", "[1]"), [1]),
    ],
)
def test_parameters_are_json_where_they_are_json(
    vitra: Vitra, node: FakeNode, arguments: tuple[str, ...], params: object
) -> None:
    assert vitra("call", "increment", *arguments).code == 0
    assert node.database.calls == [("increment", params)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--arg", "amount"),
        ("--arg", "=2"),
        ("--params", "{"),
        ("--params", "NaN"),
        ("--params", "[1]", "--arg", "a=1"),
    ],
)
def test_wrong_parameters_call_nothing(
    vitra: Vitra, node: FakeNode, arguments: tuple[str, ...]
) -> None:
    outcome = vitra("call", "increment", *arguments)
    assert outcome.code == 2
    assert "Nothing was called." in outcome.err
    assert node.database.calls == []


def test_call_with_wait_shows_results_and_refusals(vitra: Vitra, node: FakeNode) -> None:
    answer = vitra("call", "increment", "--wait", "--json").json
    assert answer["results"][0]["ack"]["success"] is True
    assert answer["results"][0]["changes"][0]["path"] == "/counter"
    node.database.refusal = "Error: too much"
    refused = vitra("call", "increment", "--wait")
    assert refused.code == 4
    assert "the contract refused it: Error: too much" in refused.err


def test_unknown_contract_method_is_not_found(vitra: Vitra, node: FakeNode) -> None:
    outcome = vitra("call", "nothing")
    assert outcome.code == 3
    assert outcome.err == "vitra: The contract has no method 'nothing'.\n  Nothing.\n"


def test_a_bug_is_one_sentence_without_a_traceback(vitra: Vitra, node: FakeNode) -> None:
    outcome = vitra("call", "bug")
    assert outcome.code == 1
    assert "ZeroDivisionError" in outcome.err
    assert "VITRA_LOG=debug" in outcome.err
    assert "Traceback" not in outcome.err


def test_source_and_methods(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("source").out == "export const apply = {}\n"
    assert vitra("source", "--json").json == {"source": "export const apply = {}\n"}
    assert vitra("methods").out == "get()\nincrement(opts)\n"
    assert vitra("methods", "--json").json[1] == {"name": "increment", "params": ["opts"]}


def test_info_has_exactly_the_documented_fields(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("info", "--json").json == {
        "key": KEY.hex(),
        "role": "executor",
        "sparse": False,
        "index": {"length": 4, "fork": 0, "stored": 4},
        "oplogs": [{"key": OPLOG_KEY.hex(), "length": 0, "active": True, "writable": True}],
        "peers": 0,
    }
    assert KEY.hex() in vitra("info").out


def test_oplogs(vitra: Vitra, node: FakeNode) -> None:
    write_config(vitra.directory, DirectoryConfig(key=KEY))
    made = vitra("oplog", "new", "--json").json
    assert made == {"key": "01" * 32, "length": 0, "active": False, "writable": True}
    assert [oplog["key"] for oplog in vitra("oplog", "ls", "--json").json] == [
        OPLOG_KEY.hex(),
        "01" * 32,
    ]
    assert vitra("oplog", "rm", "01" * 32, "--json").json == {"key": "01" * 32}
    assert len(vitra("oplog", "--json", "ls").json) == 1
    assert vitra("oplog", "rm", "zz").code == 2
    assert vitra("oplog", "use", "02" * 32).code == 4


def test_transactions(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("tx", "ls", "--json").json == []
    vitra("call", "increment", "--arg", "amount=2")
    listed = vitra("tx", "ls", "--json").json
    identifier = listed[0]["tx"]
    shown = vitra("tx", "show", identifier, "--json").json
    assert shown["results"][0]["ack_seq"] == 5
    assert shown["params"] == {"amount": 2}
    assert "success" in vitra("tx", "show", "--wait", identifier).out
    assert vitra("tx", "verify", identifier, "--json").json["verdict"] == "verified"
    node.database.oplogs[0].blocks[0] = b"\xc0"
    violated = vitra("tx", "verify", identifier)
    assert violated.code == 20
    assert vitra("tx", "show", "nothing").code == 3


def test_verify_exit_codes_are_verdicts(vitra: Vitra, node: FakeNode) -> None:
    verified = vitra("verify", "--json")
    assert (verified.code, verified.json) == (
        0,
        {"verdict": "verified", "operations": 4, "index_length": 12, "seconds": 0.25},
    )
    node.database.report = VerifyReport("cannot tell", 2, 6, 0.1, "operation 3 is missing")
    unsure = vitra("verify")
    assert unsure.code == 6
    assert "operation 3 is missing" in unsure.out
    node.database.report = a_fraud(Path("/data/fraud/f.json"))
    violated = vitra("verify", "--json")
    assert violated.code == 20
    assert violated.json["verdict"] == "violated"
    assert violated.json["proof"] == "/data/fraud/f.json"
    assert violated.json["kind"] == "ContractFraudProof"


def test_verify_of_a_part_says_so(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("verify").code == 0
    assert node.database.audited == {"jobs": 1, "start": 1, "sample": None, "seed": None}
    node.database.report = VerifyReport(
        "verified", 4, 12, 0.25, start=7, sample=Sample(0.05, "se\x1bed")
    )
    arguments = ("verify", "--jobs", "3", "--from", "7", "--sample", "0.05", "--seed", "s")
    outcome = vitra(*arguments)
    assert node.database.audited == {"jobs": 3, "start": 7, "sample": 0.05, "seed": "s"}
    assert "from index block 7 on; what is before was not looked at" in outcome.out
    assert "seed se\\x1bed: it sees one altered operation with probability 0.05" in outcome.out
    assert "one of 90 with 0.99" in outcome.out
    shape = vitra(*arguments, "--json").json
    assert shape["from"] == 7
    assert shape["sample"] == {
        "probability": 0.05,
        "seed": "se\x1bed",
        "sees_one_altered": 0.05,
        "altered_for_99_percent": 90,
    }


@pytest.mark.parametrize(
    "arguments", [("--jobs", "many"), ("--from", "-1"), ("--sample", "half"), ("--sample", "-1")]
)
def test_verify_of_no_part(vitra: Vitra, node: FakeNode, arguments: tuple[str, str]) -> None:
    outcome = vitra("verify", *arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


def test_monitor_in_the_foreground_ends_with_the_violation(vitra: Vitra, node: FakeNode) -> None:
    node.database.events.append(violation_event())
    outcome = vitra("monitor", "--json")
    assert outcome.code == 20
    assert [event["event"] for event in outcome.events] == ["validated", "undecided", "violation"]
    assert outcome.events[-1]["kind"] == "ContractFraudProof"


def test_monitor_in_the_node(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("monitor", "stop").code == 3
    assert vitra("monitor", "start", "--json").json == {"monitoring": True, "already": False}
    assert vitra("monitor", "start", "--json").json["already"] is True
    assert vitra("status", "--json").json["monitoring"] is True
    assert vitra("monitor", "stop", "--json").json == {"monitoring": False}
    assert vitra("status", "--json").json["monitoring"] is False


def test_frauds(vitra: Vitra, node: FakeNode, tmp_path: Path) -> None:
    (listed,) = vitra("fraud", "ls", "--json").json
    assert (listed["code"], listed["seq"]) == ("ChangeMismatch", 9)
    shown = vitra("fraud", "show", listed["id"], "--json").json
    assert shown["proof"]["databaseKey"] == KEY.hex()
    file = tmp_path / "proof.json"
    assert vitra("fraud", "export", listed["id"], "-o", str(file)).code == 0
    assert file.read_text().startswith("{")
    assert vitra("fraud", "export", listed["id"], "-o", "/nonexistent/x").code == 2
    assert vitra("fraud", "show", "nothing").code == 3


def test_status_of_a_running_node(vitra: Vitra, node: FakeNode) -> None:
    state = vitra("status", "--json").json
    assert state["running"] is True
    assert state["listen"] == "127.0.0.1:7000"
    assert state["role"] == "executor"
    assert "running" in vitra("status").out


def test_joining_again_adds_peers_to_the_running_node(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("join", KEY.hex(), "--peer", "127.0.0.1:7001", "--json").json["peers"] == 1
    assert vitra("peers").out.startswith("127.0.0.1:7001  0000000000000000  direct, called ")
    remembered = json.loads((vitra.directory / "vitra.json").read_text())
    assert remembered["peers"] == ["127.0.0.1:7001"]


def test_sync_and_peers(vitra: Vitra, node: FakeNode) -> None:
    assert vitra("sync", "--full", "--json").json["key"] == KEY.hex()
    assert vitra("peers", "--json").json == []


def test_stop_returns_when_the_node_is_gone(vitra: Vitra, node: FakeNode) -> None:
    outcome = vitra("stop", "--json")
    assert outcome.code == 0
    assert outcome.json["stopping"] is True
    assert not (vitra.directory / "control.sock").exists()
    assert vitra("stop").code == 3


@pytest.mark.parametrize(
    "arguments", [("init", "c.js"), ("join", "ab" * 32), ("destroy", "--yes"), ("serve",)]
)
def test_a_running_node_keeps_its_directory(
    vitra: Vitra, node: FakeNode, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    contract = tmp_path / "c.js"
    contract.write_text("export const apply = {}")
    named = [str(contract) if argument == "c.js" else argument for argument in arguments]
    outcome = vitra(*named)
    assert outcome.code == 4
    assert "vitra stop" in outcome.err
