"""The life of channels: every step of the table, on both sides, and steps that are not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import LocalProtocolError, MuxError
from protocol.mux.channel import TRANSITIONS, Channel, ChannelState, Step, next_state
from protocol.mux.events import (
    ChannelClosed,
    ChannelMessage,
    ChannelOpened,
    ChannelRejected,
    ChannelRequested,
)
from protocol.mux.muxer import Muxer
from tests.connection_pair import ConnectionPair, mux_events

NAME = "test/one"
ID = b"\x07" * 32


def control(*parts: bytes) -> bytes:
    """A message on channel 0."""
    return b"\x00" + b"".join(parts)


def opening(
    remote_id: int, name: str = NAME, channel_id: bytes = ID, handshake: bytes = b""
) -> bytes:
    """What a peer sends to open a channel."""
    text = name.encode()
    return control(
        b"\x01",
        bytes((remote_id, len(text))),
        text,
        bytes((len(channel_id),)),
        channel_id,
        handshake,
    )


def rejecting(local_id: int) -> bytes:
    return control(b"\x02", bytes((local_id,)))


def closing(remote_id: int) -> bytes:
    return control(b"\x03", bytes((remote_id,)))


def fed(mux: Muxer, *messages: bytes) -> list[object]:
    """The events that some messages of the peer cause."""
    for message in messages:
        mux.receive_untrusted(message)
    return list(mux_events(mux))


def opened(mux: Muxer, remote_id: int = 1, name: str = NAME) -> Channel:
    """A channel that both sides have opened, ours first; nothing is left to send or to tell."""
    channel = mux.open(name, ID)
    fed(mux, opening(remote_id, name))
    mux.messages_to_send()
    assert channel.is_open
    return channel


# Opening -----------------------------------------------------------------------------------------


def test_request_and_answer() -> None:
    pair = ConnectionPair()
    ours = pair.initiator.mux.open(NAME, ID, b"from i")
    assert ours.state is ChannelState.OPENING
    pair.exchange()
    assert pair.responder.take_events() == [ChannelRequested(NAME, ID)]
    theirs = pair.responder.mux.open(NAME, ID, b"from r")
    assert pair.responder.take_events() == [ChannelOpened(theirs, b"from i")]
    pair.exchange()
    assert pair.initiator.take_events() == [ChannelOpened(ours, b"from r")]
    for channel in (ours, theirs):
        assert channel.is_open
        assert (channel.local_id, channel.remote_id) == (1, 1)


def test_opens_that_cross() -> None:
    pair = ConnectionPair()
    ours = pair.initiator.mux.open(NAME, ID, b"from i")
    theirs = pair.responder.mux.open(NAME, ID, b"from r")
    pair.exchange()
    assert pair.initiator.take_events() == [ChannelOpened(ours, b"from r")]
    assert pair.responder.take_events() == [ChannelOpened(theirs, b"from i")]


def test_each_side_has_its_own_numbers() -> None:
    pair = ConnectionPair()
    for n in range(3):
        pair.responder.mux.open("other", b"%d" % n)
    ours = pair.initiator.mux.open(NAME, ID)
    theirs = pair.responder.mux.open(NAME, ID)
    pair.exchange()
    assert (ours.local_id, ours.remote_id) == (1, 4)
    assert (theirs.local_id, theirs.remote_id) == (4, 1)
    pair.initiator.take_events()
    pair.responder.take_events()
    pair.initiator.mux.send(ours, 3, b"to r")
    pair.responder.mux.send(theirs, 5, b"to i")
    pair.exchange()
    assert pair.initiator.take_events() == [ChannelMessage(ours, 5, b"to i")]
    assert pair.responder.take_events() == [ChannelMessage(theirs, 3, b"to r")]


def test_no_id_and_an_empty_id_are_the_same() -> None:
    pair = ConnectionPair()
    ours = pair.initiator.mux.open(NAME, b"")
    assert ours.id is None
    pair.responder.mux.open(NAME)
    pair.exchange()
    assert ours.is_open
    assert pair.initiator.mux.opened(NAME, b"")
    assert pair.initiator.mux.opened(NAME, None)


def test_messages_sent_before_the_other_side_opened() -> None:
    pair = ConnectionPair()
    ours = pair.initiator.mux.open(NAME, ID)
    pair.initiator.mux.send(ours, 0, b"first")
    pair.initiator.mux.send(ours, 300, b"")
    pair.exchange()
    assert pair.responder.take_events() == [ChannelRequested(NAME, ID)]
    theirs = pair.responder.mux.open(NAME, ID)
    assert pair.responder.take_events() == [
        ChannelOpened(theirs, b""),
        ChannelMessage(theirs, 0, b"first"),
        ChannelMessage(theirs, 300, b""),
    ]


def test_an_alias_pairs_with_the_main_name() -> None:
    mux = Muxer({"hypercore": "hypercore/alpha"})
    assert fed(mux, opening(1, "hypercore")) == [ChannelRequested("hypercore/alpha", ID)]
    channel = mux.open("hypercore/alpha", ID)
    assert mux_events(mux) == [ChannelOpened(channel, b"")]
    assert b"hypercore/alpha" in mux.messages_to_send()[0]
    with pytest.raises(LocalProtocolError, match="alias"):
        mux.open("hypercore", b"another")


def test_an_alias_after_our_open() -> None:
    mux = Muxer({"hypercore": "hypercore/alpha"})
    channel = mux.open("hypercore/alpha", ID)
    assert fed(mux, opening(1, "hypercore")) == [ChannelOpened(channel, b"")]


# Rejecting ---------------------------------------------------------------------------------------


def test_a_rejected_open() -> None:
    pair = ConnectionPair()
    ours = pair.initiator.mux.open(NAME, ID)
    pair.exchange()
    [request] = pair.responder.take_events()
    assert isinstance(request, ChannelRequested)
    pair.responder.mux.reject(request)
    pair.exchange()
    assert pair.initiator.take_events() == [ChannelRejected(ours)]
    assert ours.state is ChannelState.CLOSED
    assert not pair.initiator.mux.opened(NAME, ID)
    assert not pair.initiator.mux.channels
    # The number is free again, on both sides.
    again = pair.initiator.mux.open(NAME, ID)
    assert again.local_id == ours.local_id
    pair.exchange()
    assert pair.responder.take_events() == [ChannelRequested(NAME, ID)]


def test_rejecting_frees_what_was_sent_meanwhile() -> None:
    mux = Muxer()
    [request] = fed(mux, opening(1), b"\x01\x00data")
    assert isinstance(request, ChannelRequested)
    mux.reject(request)
    assert mux.messages_to_send() == [rejecting(1)]
    # More of it may still be on the way.
    assert fed(mux, b"\x01\x00data") == []


def test_answers_to_a_request_that_no_longer_waits() -> None:
    mux = Muxer()
    [request] = fed(mux, opening(1))
    assert isinstance(request, ChannelRequested)
    mux.reject(request)
    assert mux.messages_to_send() == [rejecting(1)]
    mux.reject(request)
    assert mux.messages_to_send() == []
    # A newer request of the same name is not meant by the old event.
    [newer] = fed(mux, opening(1))
    assert newer == request
    mux.reject(request)
    assert mux.messages_to_send() == []
    channel = mux.open(NAME, ID)
    assert isinstance(newer, ChannelRequested)
    mux.reject(newer)
    assert channel.is_open


def test_a_request_that_our_own_open_answers_is_not_told() -> None:
    mux = Muxer()
    mux.receive_untrusted(opening(1))
    channel = mux.open(NAME, ID)
    assert mux_events(mux) == [ChannelOpened(channel, b"")]


def test_a_stale_request_does_not_stand_for_a_newer_one() -> None:
    mux = Muxer()
    mux.receive_untrusted(opening(1))
    mux.close(mux.open(NAME, ID))
    mux.receive_untrusted(opening(1))
    assert mux_events(mux) == [ChannelRequested(NAME, ID)]


def test_an_open_of_the_control_channel_is_rejected() -> None:
    mux = Muxer()
    assert fed(mux, opening(0)) == []
    assert mux.messages_to_send() == [rejecting(0)]
    # It took no number.
    assert fed(mux, opening(1)) == [ChannelRequested(NAME, ID)]


def test_a_second_channel_of_one_name_is_rejected() -> None:
    mux = Muxer()
    opened(mux)
    assert fed(mux, opening(2)) == []
    assert mux.messages_to_send() == [rejecting(2)]


def test_a_second_request_of_one_name_is_rejected() -> None:
    mux = Muxer()
    assert fed(mux, opening(1, handshake=b"1"), opening(2, handshake=b"2")) == [
        ChannelRequested(NAME, ID)
    ]
    assert mux.messages_to_send() == [rejecting(2)]
    channel = mux.open(NAME, ID)
    assert mux_events(mux) == [ChannelOpened(channel, b"1")]


# Closing -----------------------------------------------------------------------------------------


def test_a_close_ends_both_directions() -> None:
    pair = ConnectionPair()
    ours, theirs = pair.initiator.mux.open(NAME, ID), pair.responder.mux.open(NAME, ID)
    pair.exchange()
    pair.initiator.take_events()
    pair.responder.take_events()
    pair.initiator.mux.close(ours)
    assert ours.state is ChannelState.CLOSED
    # These two cross with the close.
    pair.responder.mux.send(theirs, 0, b"late")
    pair.exchange()
    assert pair.initiator.take_events() == []
    assert pair.responder.take_events() == [ChannelClosed(theirs)]
    assert theirs.state is ChannelState.CLOSED
    # Both numbers are free.
    again = pair.responder.mux.open(NAME, ID), pair.initiator.mux.open(NAME, ID)
    assert [channel.local_id for channel in again] == [1, 1]
    pair.exchange()
    assert all(channel.is_open for channel in again)


def test_closes_that_cross() -> None:
    pair = ConnectionPair()
    ours, theirs = pair.initiator.mux.open(NAME, ID), pair.responder.mux.open(NAME, ID)
    pair.exchange()
    pair.initiator.take_events()
    pair.responder.take_events()
    pair.initiator.mux.close(ours)
    pair.responder.mux.close(theirs)
    pair.exchange()
    assert pair.initiator.take_events() == []
    assert pair.responder.take_events() == []


def test_what_waits_to_be_told_about_a_closed_channel_is_not_told() -> None:
    mux = Muxer()
    channel = mux.open(NAME, ID)
    mux.receive_untrusted(opening(1))
    mux.receive_untrusted(b"\x01\x00data")
    mux.close(channel)
    assert mux_events(mux) == []


def test_closing_what_the_peer_has_closed_does_nothing() -> None:
    mux = Muxer()
    channel = opened(mux)
    mux.receive_untrusted(closing(1))
    mux.close(channel)
    mux.close(channel)
    assert mux.messages_to_send() == []
    assert mux_events(mux) == []


def test_sending_on_a_closed_channel() -> None:
    mux = Muxer()
    channel = opened(mux)
    mux.receive_untrusted(closing(1))
    # The event may not have been read yet.
    mux.send(channel, 0, b"data")
    assert mux.messages_to_send() == []

    channel = opened(mux)
    mux.close(channel)
    with pytest.raises(LocalProtocolError, match="closed"):
        mux.send(channel, 0, b"data")


def test_closing_before_the_other_side_opened() -> None:
    """The number stays taken until the answer comes; the answer is meant for it."""
    mux = Muxer()
    channel = mux.open(NAME, ID)
    mux.close(channel)
    assert channel.state is ChannelState.ABANDONED
    second = mux.open(NAME, ID)
    assert (channel.local_id, second.local_id) == (1, 2)
    # Their first open answers our first; their second our second.
    assert fed(mux, opening(1)) == []
    assert channel.state is ChannelState.CLOSED
    assert second.state is ChannelState.OPENING
    # What they send until they read our close finds no channel.
    assert fed(mux, b"\x01\x00data", opening(1)) == [ChannelOpened(second, b"")]
    assert mux.open("other", ID).local_id == 1


def test_an_abandoned_open_is_rejected() -> None:
    mux = Muxer()
    channel = mux.open(NAME, ID)
    mux.close(channel)
    assert fed(mux, rejecting(1)) == []
    assert channel.state is ChannelState.CLOSED
    assert mux.open(NAME, ID).local_id == 1


def test_abandon_and_reopen_against_a_real_peer() -> None:
    pair = ConnectionPair()
    first = pair.initiator.mux.open(NAME, ID, b"1")
    crossing = pair.responder.mux.open(NAME, ID)
    pair.initiator.mux.close(first)
    second = pair.initiator.mux.open(NAME, ID, b"2")
    pair.exchange()
    assert pair.initiator.take_events() == []
    # The responder's channel came and went in one batch, then it is asked again.
    events = pair.responder.take_events()
    assert events == [
        ChannelOpened(crossing, b"1"),
        ChannelClosed(crossing),
        ChannelRequested(NAME, ID),
    ]
    answer = pair.responder.mux.open(NAME, ID)
    pair.exchange()
    assert second.is_open
    assert answer.is_open


def test_a_withdrawn_request_is_rejected_at_once() -> None:
    mux = Muxer()
    [request] = fed(mux, opening(1), closing(1))
    assert isinstance(request, ChannelRequested)
    assert mux.messages_to_send() == [rejecting(1)]
    mux.reject(request)
    assert mux.messages_to_send() == []


def test_a_late_answer_to_a_withdrawn_request_is_an_open_like_any_other() -> None:
    pair = ConnectionPair()
    gone = pair.initiator.mux.open(NAME, ID)
    pair.exchange()
    pair.initiator.mux.close(gone)
    pair.exchange()
    assert pair.responder.take_events() == [ChannelRequested(NAME, ID)]
    late = pair.responder.mux.open(NAME, ID)
    pair.exchange()
    assert late.state is ChannelState.OPENING
    assert pair.initiator.take_events() == [ChannelRequested(NAME, ID)]


def test_a_request_made_again_before_the_answer_is_told_once() -> None:
    mux = Muxer()
    events = fed(mux, opening(1), closing(1), opening(1, handshake=b"new"))
    assert events == [ChannelRequested(NAME, ID)]
    channel = mux.open(NAME, ID)
    assert mux_events(mux) == [ChannelOpened(channel, b"new")]
    assert not fed(mux, closing(9))


def test_a_close_of_nothing_is_ignored() -> None:
    mux = Muxer()
    assert fed(mux, closing(0), closing(1), closing(99)) == []


# The peer's faults -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        (opening(2),),
        (opening(1), opening(3)),
        (opening(1), opening(1)),
        (opening(1, "one"), opening(2, "two"), opening(1, "three")),
    ],
    ids=["skips the first", "skips one", "live", "older and live"],
)
def test_numbers_that_may_not_be_opened(messages: tuple[bytes, ...]) -> None:
    with pytest.raises(MuxError, match="channel id"):
        fed(Muxer(), *messages)


def test_numbers_that_may_be_opened_again() -> None:
    mux = Muxer()
    for name in ("one", "two", "three"):
        [request] = fed(mux, opening(1 if name == "one" else 2, name))
        assert isinstance(request, ChannelRequested)
        mux.reject(request)
    channel = opened(mux, remote_id=1)
    mux.close(channel)
    assert fed(mux, opening(1)) == [ChannelRequested(NAME, ID)]


def test_the_number_of_an_open_channel_is_taken() -> None:
    mux = Muxer()
    opened(mux)
    with pytest.raises(MuxError, match="in use"):
        fed(mux, opening(1, "other"))


def test_a_reject_of_nothing() -> None:
    for local_id in (0, 1):
        with pytest.raises(MuxError, match="not in use"):
            fed(Muxer(), rejecting(local_id))


def test_a_reject_after_the_open() -> None:
    mux = Muxer()
    opened(mux)
    with pytest.raises(MuxError, match="they reject a channel that is open"):
        fed(mux, rejecting(1))


def test_a_failed_muxer_stays_failed() -> None:
    mux = Muxer()
    with pytest.raises(MuxError):
        fed(mux, opening(5))
    with pytest.raises(MuxError, match="before"):
        fed(mux, opening(1))


def test_unknown_things_are_ignored() -> None:
    mux = Muxer()
    channel = opened(mux)
    # A control message of an unknown kind, a channel that never was, an empty message.
    assert fed(mux, control(b"\x09", b"??"), b"\x05\x00data", b"") == []
    # A kind that only the protocol above can know.
    assert fed(mux, b"\x01\x63data") == [ChannelMessage(channel, 0x63, b"data")]


# The table ---------------------------------------------------------------------------------------


def test_steps_that_are_not_in_the_table() -> None:
    for state, row in TRANSITIONS.items():
        for step in Step:
            if step in row:
                assert next_state(state, step) is row[step]
                continue
            family = LocalProtocolError if step.name.startswith("LOCAL") else MuxError
            with pytest.raises(family, match=state.value):
                next_state(state, step)


def test_the_published_table_is_this_one() -> None:
    lines = (Path(__file__).parents[3] / "specs" / "03-mux.md").read_text().splitlines()
    start = lines.index("| state | step | next state |") + 2
    published = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        published.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    assert published == [
        (state.value, step.value, following.value)
        for state, row in TRANSITIONS.items()
        for step, following in row.items()
    ]


def test_every_state_is_reached_and_left() -> None:
    assert set(TRANSITIONS) == set(ChannelState)
    reached = {state for row in TRANSITIONS.values() for state in row.values()}
    assert reached == set(ChannelState) - {ChannelState.NEW}
    assert [state for state, row in TRANSITIONS.items() if not row] == [ChannelState.CLOSED]
