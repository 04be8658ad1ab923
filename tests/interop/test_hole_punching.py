"""Peers behind two NATs of the Linux kernel connect directly, ours and npm ``hyperdht``'s.

nat_lab.py has the map of the network. NATs keep the port of a connection if they can, unless they
are made random.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protocol.dht.punching.punch_rounds import CANNOT

ROOT = Path(__file__).parents[2]
SECONDS = 180
_ENTER = ("unshare", "--map-root-user", "--mount", "--net")
NAT_A, NAT_B = "5.1.0.1", "5.2.0.1"
RELAY = "5.0.7.1"
SAME_NETWORK = "10.1.0.3"


def run_lab(
    *calls: str, random: str = "", relay: str = "", patience: float = 0
) -> list[dict[str, Any]]:
    """Build the network, make the calls, and give what came of them."""
    for tool in ("unshare", "ip", "nft"):
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is needed to build NATs and is not on the PATH; see .ci/run")
    flags = [flag for name in random for flag in ("--random", name)]
    flags += ["--relay", relay, "--patience", str(patience)]
    done = subprocess.run(
        [*_ENTER, sys.executable, "-m", "tests.interop.nat_lab", *flags, *calls],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["call"] for result in results] == list(calls)
    # Nobody was told that it is behind a NAT; all found out.
    for result in results:
        assert result["firewalled"] == [True, True]
        for place, nat in zip(result["call"].split(">"), result["nats"], strict=True):
            expected = "RANDOM" if place[0] in random else "CONSISTENT"
            assert nat == (expected if place.endswith("py") else None)
    return results


def test_two_nats_are_opened_from_both_sides() -> None:
    for result in run_lab("a/py>b/py", "a/py>b/js", "b/js>a/py"):
        assert result["said"] == "abcd", result
        assert result["host"] == (NAT_B if ">b" in result["call"] else NAT_A)


def test_neighbours_behind_one_nat_meet_inside() -> None:
    for result in run_lab("a/py>a2/py", "a/js>a2/py", "a/py>a2/js"):
        assert result["said"] == "abcd", result
        assert result["host"] == SAME_NETWORK


def test_where_both_nats_are_random_the_error_says_so() -> None:
    for result in run_lab("a/py>b/py", "a/py>b/js", random="ab"):
        assert result["failed"].endswith(CANNOT), result


@pytest.mark.parametrize("random", ["a", "b"])
def test_one_random_nat_is_found_by_many_ports(random: str) -> None:
    # Chance decides: 1,750 bytes against 256 open ports out of 64,536 miss once in a thousand runs,
    # and more often where a busy machine sends fewer of them.
    for _ in range(4):
        (result,) = run_lab("a/py>b/py", random=random)
        if "failed" not in result:
            break
    assert result["said"] == "abcd", result
    assert result["host"] == NAT_B


@pytest.mark.parametrize("relay", ["client", "server"])
def test_where_no_punch_helps_a_blind_relay_does(relay: str) -> None:
    for result in run_lab("a/py>b/py", "a/py>b/js", "b/js>a/py", random="ab", relay=relay):
        assert result["said"] == "abcd", result
        assert result["host"] == RELAY


def test_a_stream_leaves_the_relay_for_a_direct_way() -> None:
    # The relay is quicker than a punch of many ports, which misses once in a thousand runs, and
    # more often where a busy machine sends fewer of them.
    for _ in range(4):
        (result,) = run_lab("a/py>b/py", random="a", relay="client", patience=45)
        if result["then"] != RELAY:
            break
    assert result["host"] == RELAY
    assert result["then"] == NAT_B
