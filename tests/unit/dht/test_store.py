"""What a persistent node keeps for others: how much, how long, and who may keep it alive."""

from __future__ import annotations

from random import Random

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.dht import namespaces
from protocol.dht.addresses import Address
from protocol.dht.node import DhtNode
from protocol.dht.records.encoding import (
    Announce,
    PeerRecord,
    decode_lookup_reply_untrusted,
    decode_mutable_untrusted,
    encode_announce,
    encode_mutable_put,
    sign_announce,
    sign_mutable,
)
from protocol.dht.rpc.messages import (
    Command,
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.dht.rpc.rpc import NodeConfig
from protocol.limits import (
    DHT_RECORD_SECONDS,
    DHT_VALUE_SECONDS,
    MAX_DHT_STORED_VALUE_BYTES,
    MAX_DHT_VALUES,
)

OWN = Address("10.0.0.1", 49737)
WRITER, READER = Address("44.1.2.3", 999), Address("45.1.2.3", 999)
TOPIC = b"\x33" * 32
KEY = KeyPair.from_seed(bytes(32))
MINUTE = 60.0


class Keeper:
    """A node that stores, and two hosts that ask it in virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.node = DhtNode(NodeConfig(address=OWN), Random(5).randbytes, 0.0)
        self.node.start(0.0)

    def ask(
        self,
        command: Command,
        target: bytes,
        value: bytes | None = None,
        *,
        token: bytes | None = None,
        source: Address = WRITER,
    ) -> Response | None:
        """Ask as an honest node would, which answers pings; gives the answer, if any."""
        request = Request(7, OWN, False, command, target=target, value=value, token=token)
        self.node.receive_datagram_untrusted(encode_request(request), source, self.now)
        for _ in range(2):
            for datagram in self.node.datagrams_to_send(self.now):
                packet = decode_packet_untrusted(datagram.data)
                if isinstance(packet, Response) and datagram.address == source:
                    return packet
                if isinstance(packet, Request) and datagram.address == source:
                    pong = encode_response(Response(packet.tid, OWN))
                    self.node.receive_datagram_untrusted(pong, source, self.now)
        return None

    def token(self, target: bytes, command: Command = Command.LOOKUP) -> bytes:
        """What the node gives to the writer for a target."""
        answer = self.ask(command, target, b"\x00" if command == Command.MUTABLE_GET else None)
        assert answer is not None
        assert answer.token is not None
        return answer.token

    def put(self, value: bytes) -> bool:
        """Store a value under its hash; whether it was taken."""
        target = blake2b_256(value)
        token = self.token(target, Command.IMMUTABLE_GET)
        return self.ask(Command.IMMUTABLE_PUT, target, value, token=token) is not None

    def get(self, value: bytes) -> bytes | None:
        """What is kept under the hash of a value."""
        answer = self.ask(Command.IMMUTABLE_GET, blake2b_256(value), source=READER)
        assert answer is not None
        return answer.value

    def announce(self, refresh: bytes | None = None) -> bool:
        """Announce ``KEY`` for the topic; whether it was taken."""
        token = self.token(TOPIC)
        assert self.node.id is not None
        unsigned = Announce(PeerRecord(KEY.public_key), refresh=refresh)
        signed = sign_announce(namespaces.ANNOUNCE, TOPIC, self.node.id, token, unsigned, KEY)
        answer = self.ask(Command.ANNOUNCE, TOPIC, encode_announce(signed), token=token)
        return answer is not None and answer.error == 0

    def refresh(self, preimage: bytes) -> bool:
        """Keep a record longer; whether it was taken."""
        value = encode_announce(Announce(None, refresh=preimage))
        answer = self.ask(Command.ANNOUNCE, TOPIC, value, token=self.token(TOPIC))
        return answer is not None and answer.error == 0

    def serving(self) -> list[bytes]:
        """The keys that a reader finds for the topic."""
        answer = self.ask(Command.LOOKUP, TOPIC, source=READER)
        assert answer is not None
        if answer.value is None:
            return []
        records, _ = decode_lookup_reply_untrusted(answer.value)
        return [record.public_key for record in records]


def test_values_have_a_greatest_size_and_a_true_hash() -> None:
    keeper = Keeper()
    fits, too_large = bytes(MAX_DHT_STORED_VALUE_BYTES), bytes(MAX_DHT_STORED_VALUE_BYTES + 1)
    assert keeper.put(fits)
    assert keeper.get(fits) == fits
    assert not keeper.put(too_large)
    assert keeper.get(too_large) is None
    other = blake2b_256(b"another value")
    token = keeper.token(other, Command.IMMUTABLE_GET)
    assert keeper.ask(Command.IMMUTABLE_PUT, other, fits, token=token) is None


def test_values_are_kept_for_two_days_or_so_and_longer_when_they_are_read() -> None:
    keeper = Keeper()
    read, unread = b"somebody reads it", b"nobody reads it"
    assert keeper.put(read)
    assert keeper.put(unread)
    for _ in range(6):
        keeper.now += DHT_VALUE_SECONDS / 3
        assert keeper.get(read) == read
    assert keeper.get(unread) is None


def test_a_mutable_value_is_signed_for_its_key_and_ends() -> None:
    keeper = Keeper()
    target = blake2b_256(KEY.public_key)

    def put(value: bytes, target: bytes = target, seq: int = 1) -> bool:
        signed = encode_mutable_put(KEY.public_key, sign_mutable(seq, value, KEY))
        token = keeper.token(target, Command.MUTABLE_GET)
        return keeper.ask(Command.MUTABLE_PUT, target, signed, token=token) is not None

    assert not put(b"for another key", bytes(32))
    assert put(b"mine")
    forged = encode_mutable_put(KEY.public_key, sign_mutable(2, b"x", KeyPair.from_seed(b"1" * 32)))
    token = keeper.token(target, Command.MUTABLE_GET)
    assert keeper.ask(Command.MUTABLE_PUT, target, forged, token=token) is None
    found = keeper.ask(Command.MUTABLE_GET, target, b"\x00", source=READER)
    assert found is not None
    assert found.value is not None
    assert decode_mutable_untrusted(found.value).value == b"mine"
    keeper.now += 2 * DHT_VALUE_SECONDS
    gone = keeper.ask(Command.MUTABLE_GET, target, b"\x00", source=READER)
    assert gone is not None
    assert gone.value is None


def test_so_many_values_as_may_be_sent_few_are_kept() -> None:
    keeper = Keeper()
    values = keeper.node._store._immutables
    for n in range(5 * MAX_DHT_VALUES):
        values.put(blake2b_256(n.to_bytes(4, "big")), b"", 0.0)
    assert len(values) <= 2 * MAX_DHT_VALUES


def test_a_record_lives_longer_for_whoever_knows_the_secret_of_its_announce() -> None:
    keeper = Keeper()
    # Each secret is the hash of the one after it, so that one announce serves for a while.
    secrets = [b"\x09" * 32]
    for _ in range(3):
        secrets.append(blake2b_256(secrets[-1]))
    newest, *older = reversed(secrets)
    assert keeper.announce(newest)
    for secret in older:
        keeper.now += DHT_RECORD_SECONDS * 0.6
        assert keeper.refresh(secret)
        assert keeper.serving() == [KEY.public_key]
        # Each serves once.
        assert not keeper.refresh(secret)
    assert not keeper.refresh(bytes(32))
    keeper.now += DHT_RECORD_SECONDS + MINUTE
    assert keeper.serving() == []


def test_a_record_that_is_not_announced_again_ends() -> None:
    keeper = Keeper()
    assert keeper.announce()
    keeper.now += DHT_RECORD_SECONDS - MINUTE
    assert keeper.serving() == [KEY.public_key]
    keeper.now += 2 * MINUTE
    assert keeper.serving() == []
