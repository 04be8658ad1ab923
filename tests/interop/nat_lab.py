"""Two NATs and an internet between them, in network namespaces; run by test_hole_punching.py.

    a, a2 --10.1.0.0/24-- nat-a --5.1.0.1--.
                                            +-- core: 5.0.1.1 to 5.0.6.1, a network of our nodes
    b     --10.2.0.0/24-- nat-b --5.2.0.1--'

    unshare --map-root-user --mount --net python -m tests.interop.nat_lab CALL …

``CALL`` is "CLIENT>SERVER": each "a" or "b" (behind that NAT) or "a2", and "py" or "js", such as
"a/py>b/js"; NATs whose ports are random are named in ``--random``; ``--relay client`` or ``server``
has that side name a blind relay, npm ``blind-relay`` in the core, and ``--patience`` gives our
clients time to leave it again. It prints what came of each call as a JSON line. Everything vanishes
with the process, and nothing can leave it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import trio

from .js_peer import JsPeer, JsPeerError

ROOT = Path(__file__).parents[2]
CORE_HOSTS = [f"5.0.{n}.1" for n in range(1, 7)]
RELAY_HOST = "5.0.7.1"
SECONDS = 60

_RULES = """
table ip nat {{
  chain post {{
    type nat hook postrouting priority srcnat
    oifname "wan" masquerade {flags}
  }}
}}
table ip filter {{
  chain input {{
    type filter hook input priority filter
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }}
  chain forward {{
    type filter hook forward priority filter
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }}
}}
"""


def sh(command: str, stdin: str = "") -> None:
    """Run a command; raises with what it said."""
    done = subprocess.run(command.split(), input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")


def build(random: list[str]) -> None:
    """Make the namespaces."""
    # Names of namespaces are files there; this mount is nobody else's.
    sh("mount -t tmpfs none /run")
    for name in ("core", "nat-a", "nat-b", "a", "a2", "b"):
        sh(f"ip netns add {name}")
        sh(f"ip -n {name} link set lo up")
    sh("ip -n core link add internet type bridge")
    sh("ip -n core link set internet up")
    for host in (*CORE_HOSTS, RELAY_HOST):
        sh(f"ip -n core address add {host}/8 dev internet")
    for number, name in ((1, "a"), (2, "b")):
        nat = f"nat-{name}"
        sh(f"ip -n {nat} link add wan type veth peer name to-{name} netns core")
        sh(f"ip -n core link set to-{name} master internet up")
        sh(f"ip -n {nat} address add 5.{number}.0.1/8 dev wan")
        sh(f"ip -n {nat} link set wan up")
        sh(f"ip -n {nat} link add lan type bridge")
        sh(f"ip -n {nat} address add 10.{number}.0.1/24 dev lan")
        sh(f"ip -n {nat} link set lan up")
        for last, host in enumerate([name, "a2"] if name == "a" else [name], 2):
            sh(f"ip -n {nat} link add to-{host} type veth peer name eth0 netns {host}")
            sh(f"ip -n {nat} link set to-{host} master lan up")
            sh(f"ip -n {host} address add 10.{number}.0.{last}/24 dev eth0")
            sh(f"ip -n {host} link set eth0 up")
            sh(f"ip -n {host} route add default via 10.{number}.0.1")
        sh(f"ip netns exec {nat} sysctl -qw net.ipv4.ip_forward=1")
        flags = "random,fully-random" if name in random else ""
        sh(f"ip netns exec {nat} nft -f -", _RULES.format(flags=flags))


def peer(place: str) -> JsPeer:
    """A process at a place, "a/py" or "b/js"."""
    namespace, kind = place.split("/")
    enter = ["ip", "netns", "exec", namespace]
    if kind == "js":
        return JsPeer("dht_peer.mjs", program=[*enter, "node"])
    return JsPeer("", program=[*enter, sys.executable, "-m", "tests.interop.dht_child"])


async def call(
    route: str, bootstrap: list[Any], client_relay: str, server_relay: str, patience: float
) -> dict[str, Any]:
    """One peer calls another."""
    calling, called = route.split(">")
    options: dict[str, Any] = {"bootstrap": [bootstrap], "host": "0.0.0.0"}
    async with peer(calling) as client, peer(called) as server:
        host = await server.call("open", **options)
        guest = await client.call("open", **options)
        states = [
            await client.call("state", node=guest["node"]),
            await server.call("state", node=host["node"]),
        ]
        listening = await server.call(
            "listen", node=host["node"], echo=True, relayThrough=server_relay
        )
        key = listening["key"]
        if calling.endswith("/py"):
            result = await client.call(
                "ask",
                node=guest["node"],
                key=key,
                message="abcd",
                relay=client_relay,
                patience=patience,
                seconds=SECONDS,
            )
        else:
            result = await ask_js(client, guest["node"], key, client_relay)
        return {
            "call": route,
            "firewalled": [state["firewalled"] for state in states],
            # Only ours says so.
            "nats": [state.get("nat") for state in states],
            **result,
        }


async def ask_js(client: JsPeer, node: int, key: str, relay: str) -> dict[str, Any]:
    """The same from JavaScript."""
    began = trio.current_time()
    try:
        stream = await client.call(
            "connect", node=node, key=key, relayThrough=relay, seconds=SECONDS
        )
    except JsPeerError as error:
        return {"failed": error.code}
    took = trio.current_time() - began
    await client.call("write", stream=stream["stream"], data="abcd")
    said = await client.event("data", stream=stream["stream"])
    return {"said": said["data"], "host": stream["host"], "seconds": took}


async def main(calls: list[str], relayed_by: str, patience: float) -> None:
    os.chdir(ROOT)
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(peer("core/py"))
        bootstrap = (await core.call("network", hosts=CORE_HOSTS))["bootstrap"]
        key = ""
        if relayed_by:
            relay = await stack.enter_async_context(peer("core/js"))
            opened = await relay.call(
                "open", bootstrap=[bootstrap], host=RELAY_HOST, firewalled=False
            )
            key = (await relay.call("relay", node=opened["node"]))["key"]
        for route in calls:
            result = await call(
                route,
                bootstrap,
                key if relayed_by == "client" else "",
                key if relayed_by == "server" else "",
                patience,
            )
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", action="append", default=[])
    parser.add_argument("--relay", default="")
    parser.add_argument("--patience", type=float, default=0)
    parser.add_argument("calls", nargs="+")
    arguments = parser.parse_args()
    build(arguments.random)
    trio.run(main, arguments.calls, arguments.relay, arguments.patience)
