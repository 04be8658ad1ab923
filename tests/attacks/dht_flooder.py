"""Sends first handshake messages faster than anybody would; run by test_dht_flood.py.

    python -m tests.attacks.dht_flooder HOST PORT KEY PER_SECOND SECONDS

Every message is another one, and makes the server compute if it lets it. They come from sockets on
many hosts of 127.0.0.0/8, which answer the server's pings: the worst that senders who do not forge
their address can do. Prints how many were sent.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from contextlib import suppress

from protocol.crypto.keys import KeyPair
from protocol.dht.addresses import Address
from protocol.dht.rpc.messages import Request, Response, decode_packet_untrusted, encode_response
from protocol.errors import DecodeError
from simulations.actors.dht_strangers import NOISE_BYTES, first_message

SOCKETS = 200
EPHEMERALS = 64
BATCH_SECONDS = 0.02


def flood(server: Address, key: bytes, per_second: int, seconds: float) -> int:
    sockets = []
    for n in range(SOCKETS):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((f"127.7.{n}.1", 0))
        udp.setblocking(False)
        sockets.append(udp)
    ephemerals = [KeyPair.from_seed(os.urandom(32)).public_key for _ in range(EPHEMERALS)]
    sent = 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        while sent < per_second * elapsed:
            noise = ephemerals[sent % EPHEMERALS] + os.urandom(NOISE_BYTES)
            packet = first_message(server, key, sent & 0xFFFF, noise)
            with suppress(BlockingIOError):
                sockets[sent % SOCKETS].sendto(packet, server)
            sent += 1
        readable, _, _ = select.select(sockets, (), (), BATCH_SECONDS)
        for udp in readable:
            answer(udp)
    return sent


def answer(udp: socket.socket) -> None:
    """Pong, as an honest node would."""
    data, source = udp.recvfrom(2048)
    try:
        packet = decode_packet_untrusted(data)
    except DecodeError:
        return
    if isinstance(packet, Request) and packet.internal:
        udp.sendto(encode_response(Response(packet.tid, Address(*source))), source)


if __name__ == "__main__":
    host, port, public_key, rate, duration = sys.argv[1:]
    print(flood(Address(host, int(port)), bytes.fromhex(public_key), int(rate), float(duration)))
