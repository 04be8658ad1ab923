"""What a persistent node keeps for others: who serves a topic or key, and small values.

Everything here came from a host that showed a token, so it receives at its address; and every
record and mutable value is signed by the key it is about. Bad signatures get no answer.

Wire facts: specs/13-dht.md section 8; npm ``hyperdht``.
"""

from __future__ import annotations

from typing import NamedTuple

from ...crypto.hashes import blake2b_256
from ...encoding.compact import Decoder
from ...limits import (
    DHT_RECORD_SECONDS,
    DHT_VALUE_SECONDS,
    MAX_BUMP_AHEAD_SECONDS,
    MAX_DHT_RECORDS_PER_TOPIC,
    MAX_DHT_ROUTER_ENTRIES,
    MAX_DHT_STORED_VALUE_BYTES,
    MAX_DHT_VALUES,
    MAX_LOOKUP_RECORD_BYTES,
)
from .. import namespaces
from ..addresses import Address
from ..rpc.messages import Command, ErrorCode
from ..rpc.rpc import Incoming, Rpc
from .encoding import (
    Announce,
    LookupReply,
    MutableValue,
    PeerRecord,
    decode_announce_untrusted,
    decode_mutable_put_untrusted,
    encode_lookup_reply,
    encode_mutable,
    encode_peer_record,
    verify_announce_untrusted,
)
from .generations import Generations
from .topics import Topics

_KEPT_RELAY_ADDRESSES = 3


class RouterEntry(NamedTuple):
    """The way to a server.

    Attributes:
      relay: where it announced itself from; what is for it is passed on there.
      record: its encoded record.
    """

    relay: Address
    record: bytes


class _Refresh(NamedTuple):
    public_key: bytes
    record: bytes
    announces_self: bool


class Store:
    """The records of one node, and its answers to the commands about them."""

    def __init__(self, rpc: Rpc) -> None:
        now = rpc.now
        self._rpc = rpc
        self._topics = Topics(now)
        self.routes: Generations[bytes, RouterEntry] = Generations(
            MAX_DHT_ROUTER_ENTRIES, DHT_RECORD_SECONDS, now
        )
        self._refreshes: Generations[bytes, _Refresh] = Generations(
            MAX_DHT_ROUTER_ENTRIES, DHT_RECORD_SECONDS, now
        )
        self._mutables: Generations[bytes, MutableValue] = Generations(
            MAX_DHT_VALUES, DHT_VALUE_SECONDS, now
        )
        self._immutables: Generations[bytes, bytes] = Generations(
            MAX_DHT_VALUES, DHT_VALUE_SECONDS, now
        )
        self._answers = {
            Command.FIND_PEER: self._find_peer,
            Command.LOOKUP: self._lookup,
            Command.ANNOUNCE: self._announce,
            Command.UNANNOUNCE: self._unannounce,
            Command.MUTABLE_PUT: self._mutable_put,
            Command.MUTABLE_GET: self._mutable_get,
            Command.IMMUTABLE_PUT: self._immutable_put,
            Command.IMMUTABLE_GET: self._immutable_get,
        }

    def handle_untrusted(self, incoming: Incoming) -> None:
        """Answer a command.

        Raises:
          DecodeError: its value does not follow the encoding; there is no answer.
        """
        request = incoming.request
        answer = None
        if request.command in Command.__members__.values():
            answer = self._answers.get(Command(request.command))
        if answer is None or self._rpc.id is None:
            self._rpc.reply(incoming, error=ErrorCode.UNKNOWN_COMMAND, token=False)
        elif request.target is not None:
            answer(incoming, request.target)

    # who serves -----------------------------------------------------------------------------------

    def _find_peer(self, incoming: Incoming, target: bytes) -> None:
        entry = self.routes.get(target, self._rpc.now)
        self._rpc.reply(incoming, value=None if entry is None else entry.record)

    def _lookup(self, incoming: Incoming, target: bytes) -> None:
        rpc = self._rpc
        records = self._topics.records(target, rpc.now)
        entry = self.routes.get(target, rpc.now)
        if entry is not None and len(records) < MAX_DHT_RECORDS_PER_TOPIC:
            records.append(entry.record)
        chosen = self._choose(records)
        bump = self._topics.newest_bump(target, rpc.now)
        value = encode_lookup_reply(LookupReply(chosen, bump)) if chosen else None
        rpc.reply(incoming, value=value)

    def _choose(self, records: list[bytes]) -> tuple[bytes, ...]:
        """As many as fit into a datagram, any of them with the same chance."""
        size = sum(map(len, records))
        while size > MAX_LOOKUP_RECORD_BYTES:
            draw = int.from_bytes(self._rpc.random_bytes(4), "little") % len(records)
            size -= len(records.pop(draw))
        return tuple(records)

    def _announce(self, incoming: Incoming, target: bytes) -> None:
        if incoming.request.token is None or self._rpc.id is None:
            return
        announce = decode_announce_untrusted(incoming.request.value or b"")
        if announce.peer is None:
            self._refresh(incoming, target, announce)
            return
        if not self._is_signed(incoming, namespaces.ANNOUNCE, target, announce):
            return
        peer = announce.peer
        kept = PeerRecord(peer.public_key, peer.relay_addresses[:_KEPT_RELAY_ADDRESSES])
        record = encode_peer_record(kept)
        announces_self = target == blake2b_256(peer.public_key)
        refresh = _Refresh(peer.public_key, record, announces_self)
        self._keep(incoming, target, refresh)
        if announce.refresh is not None:
            self._refreshes.put(announce.refresh, refresh, self._rpc.now)
        self._keep_bump(target, announce.bump)
        self._rpc.reply(incoming, token=False, closer=False)

    def _is_signed(
        self, incoming: Incoming, namespace: bytes, target: bytes, announce: Announce
    ) -> bool:
        token, own_id = incoming.request.token, self._rpc.id
        if token is None or own_id is None:
            return False
        return verify_announce_untrusted(namespace, target, own_id, token, announce)

    def _keep(self, incoming: Incoming, target: bytes, refresh: _Refresh) -> None:
        now = self._rpc.now
        public_key, record, announces_self = refresh
        if announces_self:
            self.routes.put(target, RouterEntry(incoming.source, record), now)
            self._topics.remove(target, public_key, now)
        else:
            self._topics.put(target, public_key, record, incoming.source.host, now)

    def _keep_bump(self, target: bytes, bump: int) -> None:
        rpc = self._rpc
        if 0 < bump <= (rpc.now + rpc.config.unix_time_at_zero + MAX_BUMP_AHEAD_SECONDS) * 1000:
            self._topics.bump(target, bump, rpc.now)

    def _refresh(self, incoming: Incoming, target: bytes, announce: Announce) -> None:
        """Keep a record longer for whoever knows what its refresh is the hash of."""
        if announce.refresh is None:
            return
        key = blake2b_256(announce.refresh)
        refresh = self._refreshes.get(key, self._rpc.now)
        if refresh is None or refresh.announces_self != (target == blake2b_256(refresh.public_key)):
            return
        self._refreshes.remove(key)
        self._refreshes.put(announce.refresh, refresh, self._rpc.now)
        self._keep(incoming, target, refresh)
        self._rpc.reply(incoming, token=False, closer=False)

    def _unannounce(self, incoming: Incoming, target: bytes) -> None:
        announce = decode_announce_untrusted(incoming.request.value or b"")
        if announce.peer is None:
            return
        if not self._is_signed(incoming, namespaces.UNANNOUNCE, target, announce):
            return
        public_key = announce.peer.public_key
        if target == blake2b_256(public_key):
            self.routes.remove(target)
        self._topics.remove(target, public_key, self._rpc.now)
        self._rpc.reply(incoming, token=False, closer=False)

    # values ---------------------------------------------------------------------------------------

    def _mutable_put(self, incoming: Incoming, target: bytes) -> None:
        rpc = self._rpc
        if incoming.request.token is None:
            return
        public_key, value = decode_mutable_put_untrusted(incoming.request.value or b"")
        if len(value.value) > MAX_DHT_STORED_VALUE_BYTES or target != blake2b_256(public_key):
            return
        if not value.verify(public_key):
            return
        stored = self._mutables.get(target, rpc.now)
        if stored is not None and stored.seq > value.seq:
            rpc.reply(incoming, error=ErrorCode.SEQ_TOO_LOW, token=False)
        elif stored is not None and stored.seq == value.seq and stored.value != value.value:
            rpc.reply(incoming, error=ErrorCode.SEQ_REUSED, token=False)
        else:
            self._mutables.put(target, value, rpc.now)
            rpc.reply(incoming)

    def _mutable_get(self, incoming: Incoming, target: bytes) -> None:
        least = Decoder(incoming.request.value or b"").uint()
        stored = self._mutables.get(target, self._rpc.now)
        is_wanted = stored is not None and stored.seq >= least
        self._rpc.reply(incoming, value=encode_mutable(stored) if stored and is_wanted else None)

    def _immutable_put(self, incoming: Incoming, target: bytes) -> None:
        value = incoming.request.value
        if incoming.request.token is None or value is None:
            return
        if len(value) <= MAX_DHT_STORED_VALUE_BYTES and blake2b_256(value) == target:
            self._immutables.put(target, value, self._rpc.now)
            self._rpc.reply(incoming)

    def _immutable_get(self, incoming: Incoming, target: bytes) -> None:
        self._rpc.reply(incoming, value=self._immutables.get(target, self._rpc.now))
