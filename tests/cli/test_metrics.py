"""The numbers that a node gives Prometheus, and a node that runs under load while it is scraped.

``VITRA_TEST_SOAK_SECONDS=3600 pytest tests/cli/test_metrics.py -k load`` is the long form.
"""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import linear_regression

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vitra_node.api.client import ControlClient

from .processes import COUNTER, ok, running, serving, vitra

SOAK_SECONDS = float(os.environ.get("VITRA_TEST_SOAK_SECONDS", "8"))
CALLS_PER_SECOND = 10
# Half of this has to be enough to see a slope of a megabyte an hour.
MIN_SLOPE_SECONDS = 3000.0

Numbers = dict[tuple[str, str, str], float]


def scrape(address: str) -> Numbers:
    """Values by name, directory, and the label beside it."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        (
            sample.name,
            sample.labels.get("database", ""),
            next((v for k, v in sample.labels.items() if k != "database"), ""),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def contract(tmp_path: Path) -> str:
    path = tmp_path / "counter.js"
    path.write_text(COUNTER)
    return str(path)


def test_numbers_of_an_executor_and_a_participant(tmp_path: Path, contract: str) -> None:
    executor, participant = tmp_path / "executor", tmp_path / "participant"
    oplog = ok(participant, "oplog", "new")["key"]
    key = ok(executor, "init", contract, "--participant", oplog)["key"]
    options = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    with serving(executor, *options) as ready:
        ok(participant, "join", key, "--peer", ready["listen"])
        with serving(participant, "--metrics", "127.0.0.1:0") as other:
            ok(executor, "monitor", "start")
            for directory in (executor, participant, participant):
                ok(directory, "call", "increment", "--wait")
            ours, theirs = scrape(ready["metrics"]), scrape(other["metrics"])
            assert ours["vitra_peers", "executor", ""] == 1
            assert ours["vitra_operations", "executor", "published"] == 3
            assert ours["vitra_operations", "executor", "executed"] == 3
            assert ours["vitra_blocks_out_total", "executor", ""] >= 6
            assert ours["vitra_blocks_in_total", "executor", ""] >= 2
            assert theirs["vitra_blocks_in_total", "participant", ""] >= 6
            assert theirs["vitra_blocks_out_total", "participant", ""] >= 2
            assert ours["vitra_verdict", "executor", "verified"] == 1
            for name in ("peer_faults_total", "worker_restarts_total", "banned_addresses"):
                assert ours[f"vitra_{name}", "executor", ""] == 0
            assert ours["process_open_fds", "", ""] > 0
            with ControlClient.connect(executor) as client:
                before = client.call("database.info")["index"]["length"]
                change = {"type": "put", "path": "/counter", "value": 99}
                client.call("index.dangerous_batch", changes=[change])
                with client.stream("node.watch") as states:
                    while next(states)["violation"] is None:
                        pass
            ours = scrape(ready["metrics"])
            assert ours["vitra_index_blocks", "executor", ""] > before
            assert ours["vitra_verdict", "executor", "violated"] == 1
            assert ours["vitra_frauds", "executor", ""] == 1
            with urllib.request.urlopen(f"http://{ready['metrics']}/metrics") as answer:
                assert key not in answer.read().decode()
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(f"http://{ready['metrics']}/")


def test_a_worker_that_is_killed_is_counted(tmp_path: Path, contract: str) -> None:
    directory = tmp_path / "data"
    endless = Path(contract)
    endless.write_text(COUNTER + "export function hang () { while (true) {} }\n")
    ok(directory, "init", contract)
    with serving(directory, "--metrics", "127.0.0.1:0") as ready:
        ok(directory, "call", "get")
        assert vitra(directory, "call", "hang").code == 5
        ok(directory, "call", "get")
        assert scrape(ready["metrics"])["vitra_worker_restarts_total", "data", ""] == 1


def test_a_port_for_metrics_that_is_taken(tmp_path: Path, contract: str) -> None:
    ok(tmp_path / "data", "init", contract)
    ok(tmp_path / "other", "init", contract)
    with serving(tmp_path / "data", "--metrics", "127.0.0.1:0") as ready:
        refused = vitra(tmp_path / "other", "serve", "--no-swarm", "--metrics", ready["metrics"])
        assert refused.code == 5
        assert ready["metrics"] in refused.err
        assert "Traceback" not in refused.err


@pytest.fixture
def served_three(tmp_path: Path, contract: str) -> Iterator[tuple[list[Path], list[str], str]]:
    """Three databases in one process: directories, where each listens, where it is scraped."""
    names = [tmp_path / name for name in ("one", "two", "three")]
    for directory in names:
        ok(directory, "init", contract)
    options = ["--no-swarm", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with running(names[0], "serve", *map(str, names), *options) as node:
        ready = {line["directory"]: line for line in (node.line() for _ in names)}
        listens = [ready[str(name)]["listen"] for name in names]
        yield names, listens, ready[str(names[0])]["metrics"]
        assert node.end() == 0, node.errors()


def test_three_databases_under_load_keep_their_size(
    tmp_path: Path, served_three: tuple[list[Path], list[str], str]
) -> None:
    directories, listens, metrics = served_three
    seen: list[tuple[float, float, float]] = []
    calls = 0
    with ExitStack() as stack:
        clients = [stack.enter_context(ControlClient.connect(each)) for each in directories]
        for client in clients:
            # Every process that a database needs is there before anything is counted.
            client.call("contract.call", method="increment", wait=True)
            calls += 1
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < SOAK_SECONDS:
            # Behind the plan when the machine is slow; then as fast as it goes.
            due = int(passed * CALLS_PER_SECOND) + len(clients)
            for number in range(calls, max(due, calls + 1)):
                clients[number % 3].call("contract.call", method="increment", wait=True)
            calls = max(due, calls + 1)
            descriptors = scrape(metrics)["process_open_fds", "", ""]
            seen.append((passed, own_memory(clients[0].node["pid"]), descriptors))
            if calls % 40 < 10:
                churn(tmp_path, directories[0], listens[0], calls)
        total = sum(client.call("index.get", path="/counter")["value"] for client in clients)
    assert total == calls
    after = scrape(metrics)
    for directory in directories:
        done = after["vitra_operations", directory.name, "executed"]
        assert done == after["vitra_operations", directory.name, "published"]
        assert after["vitra_executor_stopped", directory.name, ""] == 0
    # Caches that hold so many megabytes are full after half an hour of such a load. The samples are
    # uneven: there are fewer where the machine is slow.
    warm = [each for each in seen if each[0] >= seen[-1][0] / 2]
    times, sizes, descriptors = zip(*warm, strict=True)
    assert max(descriptors) - min(descriptors) < 12
    growth = (sizes[-1] - sizes[0]) / 2**20
    if SOAK_SECONDS < MIN_SLOPE_SECONDS:
        # Minutes say nothing of a slope; then only that nothing grows without end.
        assert growth < 24, f"{growth:.1f} MiB"
    else:
        slope = linear_regression(times, sizes).slope * 3600 / 2**20
        print(f"{slope:.2f} MiB/h in the last half, {growth:.2f} MiB from its start to its end")
        assert slope < 1.0


def own_memory(process: int) -> float:
    """Bytes of its own that are in memory; pages of the growing data file are the kernel's."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(float(line.split()[1]) * 1024 for line in status.splitlines() if "RssAnon" in line)


def churn(root: Path, directory: Path, listen: str, number: int) -> None:
    """A peer that comes, fetches and goes."""
    with ControlClient.connect(directory) as client:
        key = client.call("database.info")["key"]
    peer = root / f"peer{number}"
    ok(peer, "join", key, "--peer", listen)
    ok(peer, "destroy", "--yes")
