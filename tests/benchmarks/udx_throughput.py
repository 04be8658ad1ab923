"""How fast bytes go over UDX on this machine, both ends in processes of their own.

    python -m tests.benchmarks.udx_throughput [--megabytes 200] [--runs 3] [--js] [--profile]

Prints MB/s from the first write to the last byte read. ``--js`` adds JavaScript as receiver, as
sender, and at both ends (npm ``udx-native``, installed by the interop tests).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import subprocess
import sys
import time
from typing import Any

import trio

from tests.interop.js_peer import PEERS, JsPeer
from vitra_node.net.udx import UdxEndpoint

IDS = (1001, 1002)
_CHUNK_BYTES = 64 * 1024
_SECONDS = 120
_MODULE = "tests.benchmarks.udx_throughput"
_HOST = "127.0.0.1"


async def send(port: int, megabytes: int) -> None:
    """Send to ``port``; for a process of its own. Prints its own port first."""
    async with UdxEndpoint() as endpoint:
        socket = endpoint.bind(_HOST)
        print(json.dumps({"port": socket.address[1]}), flush=True)
        stream = endpoint.open_stream(IDS[0])
        stream.connect(socket, IDS[1], (_HOST, port))
        chunk = bytes(_CHUNK_BYTES)
        # The receiver says when it is connected.
        await stream.receive_some()
        for _ in range(megabytes * 1_000_000 // _CHUNK_BYTES):
            await stream.send_all(chunk)
        await stream.send_eof()
        await stream.receive_some()
        figures = stream.protocol
        print(
            f"  sent {figures.sent_packets} packets, {figures.lost_packets} lost,"
            f" mtu {figures.mtu}, rtt {figures.round_trip_seconds * 1000:.2f} ms,"
            f" processor {time.process_time():.2f} s",
            file=sys.stderr,
        )
        await stream.aclose()


async def receive(megabytes: int) -> float:
    """Receive from a ``send`` process; gives MB/s."""
    async with UdxEndpoint() as endpoint:
        socket = endpoint.bind(_HOST)
        command = [sys.executable, "-m", _MODULE, "--send", str(socket.address[1])]
        command += ["--megabytes", str(megabytes)]
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        port = json.loads(bytes(await process.stdout.receive_some()))["port"]
        stream = endpoint.open_stream(IDS[1])
        stream.connect(socket, IDS[0], (_HOST, port))
        await stream.send_all(b"go")
        count = 0
        started = time.perf_counter()
        while data := await stream.receive_some():
            count += len(data)
        seconds = time.perf_counter() - started
        await stream.send_eof()
        await stream.aclose()
        await process.wait()
        print(
            f"  received in {seconds:.2f} s, processor {time.process_time():.2f} s", file=sys.stderr
        )
    return count / seconds / 1e6


async def send_to_js(megabytes: int) -> float:
    """We send, JavaScript receives; gives MB/s."""
    async with UdxEndpoint() as endpoint, JsPeer("udx_peer.mjs") as peer:
        socket = endpoint.bind(_HOST)
        theirs: dict[str, Any] = await peer.call("open", id=IDS[1], quiet=True)
        stream = endpoint.open_stream(IDS[0])
        stream.connect(socket, IDS[1], (_HOST, theirs["port"]))
        await peer.call(
            "connect", stream=theirs["stream"], id=IDS[0], port=socket.address[1], host=_HOST
        )
        chunk = bytes(_CHUNK_BYTES)
        count = megabytes * 1_000_000 // _CHUNK_BYTES
        started = time.perf_counter()
        for _ in range(count):
            await stream.send_all(chunk)
        await stream.send_eof()
        await peer.event("end", stream=theirs["stream"], seconds=_SECONDS)
        seconds = time.perf_counter() - started
        await stream.aclose()
    return count * _CHUNK_BYTES / seconds / 1e6


async def receive_from_js(megabytes: int) -> float:
    """JavaScript sends, we receive; gives MB/s."""
    async with UdxEndpoint() as endpoint, JsPeer("udx_peer.mjs") as peer:
        socket = endpoint.bind(_HOST)
        theirs: dict[str, Any] = await peer.call("open", id=IDS[1], quiet=True)
        stream = endpoint.open_stream(IDS[0])
        stream.connect(socket, IDS[1], (_HOST, theirs["port"]))
        await peer.call(
            "connect", stream=theirs["stream"], id=IDS[0], port=socket.address[1], host=_HOST
        )
        chunks = megabytes * 1_000_000 // _CHUNK_BYTES
        wanted = chunks * _CHUNK_BYTES
        started = time.perf_counter()
        await peer.call("fill", stream=theirs["stream"], count=chunks, size=_CHUNK_BYTES)
        count = 0
        while count < wanted:
            count += len(await stream.receive_some())
        seconds = time.perf_counter() - started
        await stream.aclose()
    return count / seconds / 1e6


async def js_to_js(megabytes: int) -> float:
    """JavaScript at both ends; gives MB/s."""
    async with JsPeer("udx_peer.mjs") as sender, JsPeer("udx_peer.mjs") as receiver:
        a = await sender.call("open", id=IDS[0], quiet=True)
        b = await receiver.call("open", id=IDS[1], quiet=True)
        await sender.call("connect", stream=a["stream"], id=IDS[1], port=b["port"], host=_HOST)
        await receiver.call("connect", stream=b["stream"], id=IDS[0], port=a["port"], host=_HOST)
        count = megabytes * 1_000_000 // _CHUNK_BYTES
        started = time.perf_counter()
        await sender.call("fill", stream=a["stream"], count=count, size=_CHUNK_BYTES)
        await sender.call("end", stream=a["stream"])
        await receiver.event("end", stream=b["stream"], seconds=_SECONDS)
        seconds = time.perf_counter() - started
    return count * _CHUNK_BYTES / seconds / 1e6


def _run(name: str, function: Any, *arguments: Any) -> None:
    print(f"{name:24} {trio.run(function, *arguments):8.1f} MB/s", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--send", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--js", action="store_true")
    parser.add_argument("--profile", action="store_true", help="profile one run of the receiver")
    options = parser.parse_args()
    if options.send is not None:
        trio.run(send, options.send, options.megabytes)
        return
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(trio.run, receive, options.megabytes)
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)
        return
    assert PEERS.is_dir()
    for _ in range(options.runs):
        _run("ours to ours", receive, options.megabytes)
        if options.js:
            _run("ours to JS", send_to_js, options.megabytes)
            _run("JS to ours", receive_from_js, options.megabytes)
            _run("JS to JS", js_to_js, options.megabytes)


if __name__ == "__main__":
    main()
