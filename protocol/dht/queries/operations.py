"""What a client does with the network: find, announce, store, fetch. Each is one query.

Announces are signed for the node that is to keep them and for its token, so they are made one by
one when the query is over.

Wire facts: specs/13-dht.md section 8; npm ``hyperdht``.
"""

from __future__ import annotations

from collections.abc import Callable

from ...crypto.hashes import blake2b_256
from ...crypto.keys import KeyPair
from ...encoding.compact import Decoder, encode_uint
from ...errors import DecodeError, LocalProtocolError
from ...limits import (
    MAX_DHT_RECORDS_PER_TOPIC,
    MAX_DHT_RELAY_ADDRESSES,
    MAX_DHT_VALUE_BYTES,
)
from .. import namespaces
from ..addresses import Address
from ..events import OperationDone, Reply
from ..records.encoding import (
    Announce,
    MutableValue,
    PeerRecord,
    decode_lookup_reply_untrusted,
    decode_mutable_untrusted,
    encode_announce,
    encode_mutable_put,
    read_peer_record_untrusted,
    sign_announce,
)
from ..rpc.messages import TARGET_BYTES, Command, Internal
from ..rpc.requests import Answer
from ..rpc.rpc import Rpc
from .query import CloseReply
from .query_run import Commit, QueryResult, QueryRun

ReadReply = Callable[[int, Address, bytes], Reply | None]


def signed_announce(
    namespace: bytes,
    target: bytes,
    reply: CloseReply,
    key_pair: KeyPair,
    relay_addresses: tuple[Address, ...] = (),
    bump: int = 0,
) -> bytes | None:
    """The value of an ANNOUNCE or UNANNOUNCE for the node that replied; None without a token."""
    if reply.token is None:
        return None
    unsigned = Announce(PeerRecord(key_pair.public_key, relay_addresses), bump=bump)
    announce = sign_announce(namespace, target, reply.id, reply.token, unsigned, key_pair)
    return encode_announce(announce)


class Operations:
    """The operations of one node that are on their way, by number."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._count = 0
        self._running: dict[int, QueryRun] = {}
        self._side_requests: dict[int, int] = {}
        self._finished: dict[int, QueryResult] = {}

    def cancel(self, operation: int) -> None:
        """Stop an operation; nothing more comes with its number."""
        run = self._running.pop(operation, None)
        if run is not None:
            run.cancel()
        self._side_requests.pop(operation, None)
        self._finished.pop(operation, None)

    # finding --------------------------------------------------------------------------------------

    def find_node(self, target: bytes) -> int:
        """Find the nodes nearest to 32 bytes."""
        return self._run(Internal.FIND_NODE, target, internal=True)

    def find_peer(self, public_key: bytes, nodes: tuple[Address, ...] = ()) -> int:
        """Find the nodes that know the way to a key."""
        target = blake2b_256(public_key)

        def read(number: int, address: Address, value: bytes) -> Reply | None:
            record = read_peer_record_untrusted(Decoder(value))
            return Reply(number, address, records=(record,))

        return self._run(Command.FIND_PEER, target, read=read, nodes=nodes)

    def lookup(self, target: bytes, nodes: tuple[Address, ...] = ()) -> int:
        """Find the peers that serve a topic."""
        return self._run(Command.LOOKUP, target, read=_read_lookup, nodes=nodes)

    # announcing -----------------------------------------------------------------------------------

    def announce(
        self,
        target: bytes,
        key_pair: KeyPair,
        relay_addresses: tuple[Address, ...] = (),
        *,
        bump: int = 0,
        clear: bool = False,
        nodes: tuple[Address, ...] = (),
    ) -> int:
        """Look a topic up and say at its nearest nodes that this key serves it.

        ``clear``: first take back what further nodes on the way still say of the key.

        Raises:
          LocalProtocolError: more relay addresses than anybody reads.
        """
        if len(relay_addresses) > MAX_DHT_RELAY_ADDRESSES:
            raise LocalProtocolError(f"a record names {MAX_DHT_RELAY_ADDRESSES} nodes at most")

        def commit(reply: CloseReply) -> Commit | None:
            value = signed_announce(
                namespaces.ANNOUNCE, target, reply, key_pair, relay_addresses, bump
            )
            return None if value is None else Commit(Command.ANNOUNCE, value)

        clearing = key_pair if clear else None
        return self._run(
            Command.LOOKUP, target, read=_read_lookup, commit=commit, clear=clearing, nodes=nodes
        )

    def unannounce(self, target: bytes, key_pair: KeyPair, nodes: tuple[Address, ...] = ()) -> int:
        """Look a topic up and take back at all nodes what they say of this key."""
        return self._run(Command.LOOKUP, target, read=_read_lookup, clear=key_pair, nodes=nodes)

    # values ---------------------------------------------------------------------------------------

    def mutable_put(self, value: MutableValue, public_key: bytes) -> int:
        """Store a signed value under its author's key."""
        put = encode_mutable_put(public_key, value)

        def commit(_reply: CloseReply) -> Commit:
            return Commit(Command.MUTABLE_PUT, put)

        return self._run(
            Command.MUTABLE_GET,
            blake2b_256(public_key),
            value=encode_uint(0),
            read=_mutable_reader(public_key, 0),
            commit=commit,
        )

    def mutable_get(self, public_key: bytes, seq: int = 0) -> int:
        """Fetch the values of a key with at least this number."""
        return self._run(
            Command.MUTABLE_GET,
            blake2b_256(public_key),
            value=encode_uint(seq),
            read=_mutable_reader(public_key, seq),
        )

    def immutable_put(self, value: bytes) -> int:
        """Store a value under its hash.

        Raises:
          LocalProtocolError: it does not fit into a datagram.
        """
        if len(value) > MAX_DHT_VALUE_BYTES:
            raise LocalProtocolError(f"a value of {len(value)} bytes does not fit into a datagram")

        def commit(_reply: CloseReply) -> Commit:
            return Commit(Command.IMMUTABLE_PUT, value)

        return self._run(Command.IMMUTABLE_GET, blake2b_256(value), commit=commit)

    def immutable_get(self, target: bytes) -> int:
        """Fetch the value with this hash."""

        def read(number: int, address: Address, value: bytes) -> Reply | None:
            is_it = blake2b_256(value) == target
            return Reply(number, address, content=value) if is_it else None

        return self._run(Command.IMMUTABLE_GET, target, read=read)

    # running --------------------------------------------------------------------------------------

    def _run(
        self,
        command: int,
        target: bytes,
        *,
        internal: bool = False,
        value: bytes | None = None,
        read: ReadReply | None = None,
        commit: Callable[[CloseReply], Commit | None] | None = None,
        clear: KeyPair | None = None,
        nodes: tuple[Address, ...] = (),
    ) -> int:
        if len(target) != TARGET_BYTES:
            raise LocalProtocolError(f"a target has {TARGET_BYTES} bytes, not {len(target)}")
        self._count += 1
        number = self._count
        self._side_requests[number] = 0

        def replied(address: Address, answer: Answer) -> None:
            reply = None
            if read is not None and answer.response.value is not None:
                try:
                    reply = read(number, address, answer.response.value)
                except DecodeError:
                    return
            if reply is not None:
                self._rpc.events.append(reply)
            if clear is not None and reply is not None and answer.id is not None:
                close = CloseReply(0, answer.id, address, answer.response)
                self._clear(number, target, reply, close, clear)

        def done(result: QueryResult) -> None:
            self._running.pop(number, None)
            self._finished[number] = result
            self._finish(number)

        self._rpc.upkeep.activity()
        run = QueryRun(
            self._rpc,
            command,
            target,
            internal=internal,
            value=value,
            nodes=nodes,
            on_reply=replied,
            commit=commit or (lambda _reply: None),
            on_done=done,
        )
        self._running[number] = run
        run.start()
        return number

    def _clear(
        self, number: int, target: bytes, reply: Reply, close: CloseReply, key_pair: KeyPair
    ) -> None:
        """Take back our record at a node that lists it, or lists so many that it may."""
        is_listed = any(r.public_key == key_pair.public_key for r in reply.records)
        if not is_listed and len(reply.records) < MAX_DHT_RECORDS_PER_TOPIC:
            return
        value = signed_announce(namespaces.UNANNOUNCE, target, close, key_pair)
        if value is None or number not in self._side_requests:
            return
        self._side_requests[number] += 1

        def settled() -> None:
            if number in self._side_requests:
                self._side_requests[number] -= 1
                self._finish(number)

        self._rpc.request(
            close.address,
            Command.UNANNOUNCE,
            target=target,
            value=value,
            token=close.token,
            on_answer=lambda _answer: settled(),
            on_failure=settled,
        )

    def _finish(self, number: int) -> None:
        if self._side_requests.get(number) != 0 or number not in self._finished:
            return
        del self._side_requests[number]
        result = self._finished.pop(number)
        closest = tuple(reply.address for reply in result.closest)
        self._rpc.events.append(
            OperationDone(number, closest, result.stored, result.hops, result.refused)
        )


def _read_lookup(number: int, address: Address, value: bytes) -> Reply | None:
    records, _bump = decode_lookup_reply_untrusted(value)
    return Reply(number, address, records=records)


def _mutable_reader(public_key: bytes, seq: int) -> ReadReply:
    def read(number: int, address: Address, value: bytes) -> Reply | None:
        mutable = decode_mutable_untrusted(value)
        is_good = mutable.seq >= seq and mutable.verify(public_key)
        return Reply(number, address, value=mutable) if is_good else None

    return read
