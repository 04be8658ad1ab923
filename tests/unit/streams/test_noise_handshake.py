"""The rules of the Noise handshake, and each way to break them."""

from __future__ import annotations

import pytest

from protocol.crypto.keys import KeyPair
from protocol.errors import HandshakeError, LocalProtocolError, SecretStreamError
from protocol.limits import MAX_HANDSHAKE_MESSAGE_BYTES
from protocol.noise.curve import diffie_hellman
from protocol.noise.datagrams import DATAGRAM_OVERHEAD_BYTES, DatagramBox
from protocol.noise.handshake import MAX_HANDSHAKE_PAYLOAD_BYTES, Handshake, Pattern
from tests.connection_pair import (
    INITIATOR_EPHEMERAL_SEED,
    INITIATOR_KEY_PAIR,
    RESPONDER_EPHEMERAL_SEED,
    RESPONDER_KEY_PAIR,
    handshake_results,
)

PATTERNS: list[Pattern] = ["XX", "IK"]

# The points of order 1, 2, 4 and 8, a point with a torsion part, and encodings of no point at all.
P = 2**255 - 19
BAD_POINTS = {
    "identity": (1).to_bytes(32, "little"),
    "order 2": (P - 1).to_bytes(32, "little"),
    "order 4": bytes(32),
    "order 4, negative": bytes(31) + b"\x80",
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "order 8, other": bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
    ),
    "identity, not canonical": (P + 1).to_bytes(32, "little"),
    "not canonical": b"\xff" * 32,
    "not on the curve": (2).to_bytes(32, "little"),
}


def make(
    pattern: Pattern,
    initiator: bool,
    *,
    remote: bytes | None = None,
    prologue: bytes = b"",
) -> Handshake:
    if pattern == "IK" and initiator and remote is None:
        remote = RESPONDER_KEY_PAIR.public_key
    return Handshake(
        pattern,
        initiator,
        INITIATOR_KEY_PAIR if initiator else RESPONDER_KEY_PAIR,
        ephemeral_seed=INITIATOR_EPHEMERAL_SEED if initiator else RESPONDER_EPHEMERAL_SEED,
        remote_public_key=remote,
        prologue=prologue,
    )


def messages_of(pattern: Pattern) -> list[bytes]:
    """All messages of an honest handshake."""
    writer, reader = make(pattern, True), make(pattern, False)
    messages = []
    while writer.our_turn:
        messages.append(writer.write())
        reader.read_untrusted(messages[-1])
        writer, reader = reader, writer
    return messages


@pytest.mark.parametrize("pattern", PATTERNS)
def test_both_sides_agree(pattern: Pattern) -> None:
    initiator, responder = handshake_results(pattern)
    assert (initiator.tx, initiator.rx) == (responder.rx, responder.tx)
    assert initiator.hash == responder.hash
    assert len(initiator.hash) == 64
    assert initiator.remote_public_key == RESPONDER_KEY_PAIR.public_key
    assert responder.remote_public_key == INITIATOR_KEY_PAIR.public_key


def test_keys_do_not_show_in_the_repr() -> None:
    initiator, _ = handshake_results()
    assert "tx" not in repr(initiator)
    assert repr(initiator.tx) not in repr(initiator)


@pytest.mark.parametrize(("pattern", "sizes"), [("XX", [32, 96, 64]), ("IK", [96, 48])])
def test_message_sizes(pattern: Pattern, sizes: list[int]) -> None:
    assert [len(message) for message in messages_of(pattern)] == sizes


@pytest.mark.parametrize("pattern", PATTERNS)
def test_payloads_travel_with_every_message(pattern: Pattern) -> None:
    writer, reader = make(pattern, True), make(pattern, False)
    turn = 0
    while writer.our_turn:
        payload = b"payload %d" % turn
        assert reader.read_untrusted(writer.write(payload)) == payload
        writer, reader = reader, writer
        turn += 1


def test_ik_tells_the_responder_who_asks_before_it_answers() -> None:
    initiator, responder = make("IK", True), make("IK", False)
    assert initiator.remote_public_key == RESPONDER_KEY_PAIR.public_key
    assert responder.remote_public_key is None
    responder.read_untrusted(initiator.write())
    assert responder.remote_public_key == INITIATOR_KEY_PAIR.public_key
    assert not responder.finished


def test_xx_learns_the_keys_on_the_way() -> None:
    initiator, responder = make("XX", True), make("XX", False)
    responder.read_untrusted(initiator.write())
    assert initiator.remote_public_key is None
    initiator.read_untrusted(responder.write())
    assert initiator.remote_public_key == RESPONDER_KEY_PAIR.public_key
    assert responder.remote_public_key is None
    responder.read_untrusted(initiator.write())
    assert responder.remote_public_key == INITIATOR_KEY_PAIR.public_key


# Misuse ------------------------------------------------------------------------------------------


def test_arguments() -> None:
    seed = bytes(32)
    with pytest.raises(LocalProtocolError, match="pattern"):
        Handshake("NN", True, INITIATOR_KEY_PAIR, ephemeral_seed=seed)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="seed"):
        Handshake("XX", True, INITIATOR_KEY_PAIR, ephemeral_seed=seed[1:])
    with pytest.raises(LocalProtocolError, match="must know"):
        Handshake("IK", True, INITIATOR_KEY_PAIR, ephemeral_seed=seed)
    with pytest.raises(LocalProtocolError, match="32 bytes"):
        Handshake("IK", True, INITIATOR_KEY_PAIR, ephemeral_seed=seed, remote_public_key=bytes(31))


def test_writing_out_of_turn() -> None:
    initiator, responder = make("XX", True), make("XX", False)
    with pytest.raises(LocalProtocolError, match="turn"):
        responder.write()
    initiator.write()
    with pytest.raises(LocalProtocolError, match="turn"):
        initiator.write()


def test_writing_after_the_end() -> None:
    initiator, responder = make("IK", True), make("IK", False)
    responder.read_untrusted(initiator.write())
    initiator.read_untrusted(responder.write())
    for side in (initiator, responder):
        assert side.finished
        with pytest.raises(LocalProtocolError, match="turn"):
            side.write()


def test_the_result_needs_an_end() -> None:
    with pytest.raises(LocalProtocolError, match="not finished"):
        _ = make("XX", True).result


def test_a_payload_over_the_limit() -> None:
    initiator = make("IK", True)
    with pytest.raises(LocalProtocolError, match="too long"):
        initiator.write(bytes(MAX_HANDSHAKE_PAYLOAD_BYTES + 1))
    longest = initiator.write(bytes(MAX_HANDSHAKE_PAYLOAD_BYTES))
    assert len(longest) == MAX_HANDSHAKE_MESSAGE_BYTES
    assert make("IK", False).read_untrusted(longest) == bytes(MAX_HANDSHAKE_PAYLOAD_BYTES)


# The peer's faults -------------------------------------------------------------------------------


def _reader_before(pattern: Pattern, turn: int) -> Handshake:
    """An honest side that waits for message number ``turn``."""
    writer, reader = make(pattern, True), make(pattern, False)
    for _ in range(turn):
        reader.read_untrusted(writer.write())
        writer, reader = reader, writer
    if writer.our_turn:
        writer.write()
    return reader


TURNS = [("XX", 0), ("XX", 1), ("XX", 2), ("IK", 0), ("IK", 1)]
# XX's first message is a bare key and a payload in clear: nothing in it authenticates.
SEALED_TURNS = TURNS[1:]


@pytest.mark.parametrize(("pattern", "turn"), TURNS)
def test_every_truncation_fails(pattern: Pattern, turn: int) -> None:
    message = messages_of(pattern)[turn]
    for size in range(len(message)):
        with pytest.raises(HandshakeError):
            _reader_before(pattern, turn).read_untrusted(message[:size])


@pytest.mark.parametrize(("pattern", "turn"), SEALED_TURNS)
def test_every_changed_byte_fails(pattern: Pattern, turn: int) -> None:
    message = messages_of(pattern)[turn]
    for position in range(len(message)):
        changed = bytearray(message)
        changed[position] ^= 0x40
        with pytest.raises(HandshakeError):
            _reader_before(pattern, turn).read_untrusted(bytes(changed))


def test_a_changed_first_message_of_xx_fails_in_the_second() -> None:
    initiator, responder = make("XX", True), make("XX", False)
    other = KeyPair.from_seed(b"\x77" * 32).public_key
    initiator.write()
    responder.read_untrusted(other)
    with pytest.raises(HandshakeError, match="authenticate"):
        initiator.read_untrusted(responder.write())


def test_a_replayed_message_fails() -> None:
    first = messages_of("IK")[0]
    responder = make("IK", False)
    responder.read_untrusted(first)
    with pytest.raises(HandshakeError, match="turn"):
        responder.read_untrusted(first)


def test_an_answer_from_another_run_fails() -> None:
    answer = messages_of("IK")[1]
    initiator = Handshake(
        "IK",
        True,
        INITIATOR_KEY_PAIR,
        ephemeral_seed=b"\x99" * 32,
        remote_public_key=RESPONDER_KEY_PAIR.public_key,
    )
    initiator.write()
    with pytest.raises(HandshakeError, match="authenticate"):
        initiator.read_untrusted(answer)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_reflected_message_fails(pattern: Pattern) -> None:
    initiator = make(pattern, True)
    message = initiator.write()
    with pytest.raises(HandshakeError):
        initiator.read_untrusted(message)


def test_another_prologue_fails() -> None:
    with pytest.raises(HandshakeError, match="authenticate"):
        make("IK", False, prologue=b"b").read_untrusted(make("IK", True, prologue=b"a").write())


def test_a_message_for_another_key_fails() -> None:
    message = make("IK", True, remote=KeyPair.from_seed(b"\x77" * 32).public_key).write()
    with pytest.raises(HandshakeError, match="authenticate"):
        make("IK", False).read_untrusted(message)


def test_reading_out_of_turn_and_after_the_end() -> None:
    messages = messages_of("IK")
    with pytest.raises(HandshakeError, match="turn"):
        make("IK", True).read_untrusted(messages[0])
    initiator = make("IK", True)
    initiator.write()
    initiator.read_untrusted(messages[1])
    with pytest.raises(HandshakeError, match="turn"):
        initiator.read_untrusted(messages[1])


def test_a_failed_handshake_stays_failed() -> None:
    initiator, responder = make("IK", True), make("IK", False)
    message = initiator.write()
    with pytest.raises(HandshakeError):
        responder.read_untrusted(message[:-1])
    with pytest.raises(HandshakeError, match="turn"):
        responder.read_untrusted(message)
    assert not responder.our_turn
    with pytest.raises(LocalProtocolError, match="turn"):
        responder.write()


def test_a_message_over_the_limit_is_not_read() -> None:
    with pytest.raises(HandshakeError, match="too long"):
        make("XX", False).read_untrusted(bytes(MAX_HANDSHAKE_MESSAGE_BYTES + 1))


@pytest.mark.parametrize("point", BAD_POINTS.values(), ids=BAD_POINTS)
def test_bad_points(point: bytes) -> None:
    with pytest.raises(HandshakeError, match="point"):
        diffie_hellman(bytes(32), point)
    with pytest.raises(HandshakeError, match="point"):
        make("XX", False).read_untrusted(point)
    with pytest.raises(HandshakeError, match="point"):
        make("IK", True, remote=point)
    for pattern, turn in (("XX", 1), ("IK", 0), ("IK", 1)):
        message = messages_of(pattern)[turn]  # type: ignore[arg-type]
        with pytest.raises(HandshakeError, match="point"):
            _reader_before(pattern, turn).read_untrusted(point + message[32:])  # type: ignore[arg-type]


EXPECTING = [("XX", True), ("XX", False), ("IK", False)]


def _run(ours: Handshake, theirs: Handshake, initiator: bool) -> None:
    writer, reader = (ours, theirs) if initiator else (theirs, ours)
    while writer.our_turn:
        reader.read_untrusted(writer.write())
        writer, reader = reader, writer


@pytest.mark.parametrize(("pattern", "initiator"), EXPECTING)
def test_the_expected_key(pattern: Pattern, initiator: bool) -> None:
    expected = (RESPONDER_KEY_PAIR if initiator else INITIATOR_KEY_PAIR).public_key
    ours, theirs = make(pattern, initiator, remote=expected), make(pattern, not initiator)
    _run(ours, theirs, initiator)
    assert ours.result.remote_public_key == expected


@pytest.mark.parametrize(("pattern", "initiator"), EXPECTING)
def test_another_key_than_expected(pattern: Pattern, initiator: bool) -> None:
    other = KeyPair.from_seed(b"\x77" * 32).public_key
    ours, theirs = make(pattern, initiator, remote=other), make(pattern, not initiator)
    with pytest.raises(HandshakeError, match="expected"):
        _run(ours, theirs, initiator)
    assert not ours.finished


# Datagrams ---------------------------------------------------------------------------------------


def _boxes(first_counter: bytes = bytes(8)) -> tuple[DatagramBox, DatagramBox]:
    handshake_hash = handshake_results()[0].hash
    return (
        DatagramBox(True, handshake_hash, first_counter=first_counter),
        DatagramBox(False, handshake_hash, first_counter=first_counter),
    )


def test_datagrams_in_any_order() -> None:
    initiator, responder = _boxes()
    sealed = [initiator.seal(message) for message in (b"one", b"two", b"")]
    assert [responder.open_untrusted(d) for d in reversed(sealed)] == [b"", b"two", b"one"]
    assert len(sealed[0]) == len(b"one") + DATAGRAM_OVERHEAD_BYTES
    assert len({datagram[:8] for datagram in sealed}) == 3


def test_a_datagram_of_our_own_does_not_open() -> None:
    initiator, _ = _boxes()
    with pytest.raises(SecretStreamError, match="decrypt"):
        initiator.open_untrusted(initiator.seal(b"one"))


def test_a_short_datagram() -> None:
    initiator, responder = _boxes()
    datagram = initiator.seal(b"")
    with pytest.raises(SecretStreamError, match="short"):
        responder.open_untrusted(datagram[:-1])


def test_datagram_counters_run_around_once() -> None:
    initiator, responder = _boxes(b"\xff" * 8)
    assert initiator.seal(b"one")[:8] == bytes(8)
    initiator._counter = 2**64 - 2
    with pytest.raises(LocalProtocolError, match="used up"):
        initiator.seal(b"two")
    with pytest.raises(LocalProtocolError, match="8 bytes"):
        DatagramBox(True, bytes(64), first_counter=bytes(7))
    assert responder.seal(b"three")
