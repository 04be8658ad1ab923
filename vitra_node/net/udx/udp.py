"""Datagrams in batches: one wait, then as many system calls as there are packets.

Waiting for every datagram by itself costs more than three times as much.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

import trio

from protocol.limits import MAX_UDX_DATAGRAM_BYTES

from ..errors import ConnectionFailed

SocketAddress = tuple[str, int]
Datagram = tuple[bytes, SocketAddress]

# What the kernel holds while we are busy: a round trip's worth; the figure of libudx.
BUFFER_BYTES = 1 << 20
# Read at most so many before others get their turn.
MAX_BATCH_DATAGRAMS = 64

# Not in the socket module: <linux/in.h>, <linux/udp.h>.
_IP_MTU_DISCOVER = 10
_IP_PMTUDISC_PROBE = 3
_UDP_SEGMENT = 103
_MAX_SEGMENTS = 44
_SEGMENT_SIZE = struct.Struct("=H")
_HOPS = struct.Struct("=i")


class DatagramSocket(Protocol):
    """What the network above needs of UDP; a simulated network gives its own."""

    @property
    def address(self) -> SocketAddress:
        """Where this side is bound."""

    def send(self, datagrams: Sequence[Datagram], hops: int = 0) -> None:
        """Send without waiting; what cannot leave now is lost, as it may be further on.

        ``hops``: how many routers they may pass (IP_TTL); 0 for the usual number.
        """

    async def receive(self) -> list[Datagram]:
        """Wait for datagrams; gives at least one.

        Raises:
          trio.ClosedResourceError: the socket was closed.
        """

    def close(self) -> None:
        """Close; may be called again."""


class UdpSocket:
    """A real socket.

    Resource handling: ``close`` it.
    """

    def __init__(self, host: str = "0.0.0.0", port: int = 0) -> None:
        """Bind to an address; port 0 means any.

        Raises:
          ConnectionFailed: the address cannot be bound.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            if family == socket.AF_INET:
                # Never fragment, and let us find the MTU ourselves.
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
            self._socket.bind((host, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            why = error.strerror if isinstance(error, OSError) else "ports go up to 65535"
            raise ConnectionFailed(f"{host}:{port} cannot be bound: {why}") from error
        self._can_segment = _can_segment(self._socket)
        bound = self._socket.getsockname()
        self._address: SocketAddress = (bound[0], bound[1])

    @property
    def address(self) -> SocketAddress:
        """Where it is bound, with the real port."""
        return self._address

    def close(self) -> None:
        """Close; whoever waits in ``receive`` gets ``trio.ClosedResourceError``."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    async def receive(self) -> list[Datagram]:
        """See ``DatagramSocket``."""
        batch: list[Datagram] = []
        receive = self._socket.recvfrom
        while not batch:
            if self._socket.fileno() < 0:
                raise trio.ClosedResourceError
            await trio.lowlevel.wait_readable(self._socket)
            try:
                for _ in range(MAX_BATCH_DATAGRAMS):
                    data, address = receive(MAX_UDX_DATAGRAM_BYTES)
                    batch.append((data, address[:2]))
            except BlockingIOError:
                pass
            except OSError:
                # An ICMP error for something sent before; it says nothing about this socket.
                if self._socket.fileno() < 0:
                    raise trio.ClosedResourceError from None
        return batch

    def send(self, datagrams: Sequence[Datagram], hops: int = 0) -> None:
        """See ``DatagramSocket``."""
        if hops:
            self._send_near(datagrams, hops)
        elif len(datagrams) > 2 and self._can_segment:
            self._send_segmented(datagrams)
        else:
            self._send_each(datagrams)

    def _send_each(self, datagrams: Iterable[Datagram]) -> None:
        send = self._socket.sendto
        for data, address in datagrams:
            try:
                send(data, address)
            except BlockingIOError:
                return
            except OSError:
                # No route, too large for the link, or closed: lost like anything on the way.
                continue

    def _send_near(self, datagrams: Iterable[Datagram], hops: int) -> None:
        control = [(socket.IPPROTO_IP, socket.IP_TTL, _HOPS.pack(hops))]
        for data, address in datagrams:
            with suppress(OSError):
                self._socket.sendmsg([data], control, 0, address)

    def _send_segmented(self, datagrams: Sequence[Datagram]) -> None:
        """Hand runs of equal size and address to the kernel in one call (UDP_SEGMENT)."""
        start = 0
        end = len(datagrams)
        while start < end:
            data, address = datagrams[start]
            size = len(data)
            stop = start + 1
            last = min(end, start + _MAX_SEGMENTS)
            while stop < last:
                other, to = datagrams[stop]
                if to != address or len(other) > size:
                    break
                stop += 1
                # A shorter one can only be the last.
                if len(other) < size:
                    break
            run = datagrams[start:stop]
            start = stop
            if len(run) == 1:
                self._send_each(run)
                continue
            try:
                self._socket.sendmsg(
                    [b"".join([data for data, _ in run])],
                    [(socket.IPPROTO_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(size))],
                    0,
                    address,
                )
            except BlockingIOError:
                return
            except OSError:
                # One of them may be too large for the link, or the route cannot do it.
                self._send_each(run)


def _can_segment(udp: socket.socket) -> bool:
    try:
        udp.getsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT)
    except OSError:
        return False
    return True
