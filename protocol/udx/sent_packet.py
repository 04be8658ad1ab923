"""What the sender remembers of a packet until it is acknowledged."""

from __future__ import annotations


class SentPacket:
    """One packet with a sequence number; one object for all its transmissions.

    Attributes:
      seq: its number, unbounded.
      kind: DATA, END or both.
      payload: may be empty when it is END.
      padding: of the first transmission, when that was an MTU probe; else 0.
      sent_at: time of the last transmission.
      order: number of the last transmission among all of the stream; tells which was sent later.
      transmissions: how many there were.
      timeouts: how often the retransmission timer fired for it.
      delivered, delivered_at, first_sent_at, app_limited: the congestion controller's state at
        the last transmission, from which the delivery rate follows.
    """

    __slots__ = (
        "app_limited",
        "delivered",
        "delivered_at",
        "first_sent_at",
        "kind",
        "order",
        "padding",
        "payload",
        "sent_at",
        "seq",
        "timeouts",
        "transmissions",
    )

    def __init__(self, seq: int, kind: int, payload: bytes, padding: int) -> None:
        self.seq = seq
        self.kind = kind
        self.payload = payload
        self.padding = padding
        self.sent_at = 0.0
        self.order = 0
        self.transmissions = 0
        self.timeouts = 0
        self.delivered = 0
        self.delivered_at = 0.0
        self.first_sent_at = 0.0
        self.app_limited = False
