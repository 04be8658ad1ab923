"""Whatever happens to a few swarms, at most one connection stands between two of them, and in the
end everybody has found whom it looked for."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.swarm.rules import Limits

from ..swarm_network import SILENCE_SECONDS, SwarmNetwork, SwarmNode

TOPICS = [bytes([n]) * 32 for n in range(2)]

steps = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "restart", "suspend", "resume", "flush", "wait"]),
        st.integers(0, 4),
        st.integers(0, 1),
        st.sampled_from([(True, True), (True, False), (False, True)]),
        st.sampled_from([0.0, 0.01, 0.1, 1.0, 7.0, 30.0]),
    ),
    max_size=25,
)


class Players:
    """Five places, each with a swarm; a place whose swarm was killed gets another with its key."""

    def __init__(self, seed: int) -> None:
        self.net = SwarmNetwork(seed)
        # With one call at a time, peers that wait are called by others meanwhile.
        self.limits = Limits(parallel=1) if seed % 2 else Limits()
        self.nodes: list[SwarmNode] = [self.net.add(limits=self.limits) for _ in range(5)]
        self.roles: list[dict[bytes, tuple[int, bool, bool]]] = [{} for _ in range(5)]

    def step(self, what: str, place: int, topic: bytes, server: bool, client: bool) -> None:
        rules, now, roles = self.nodes[place].rules, self.net.now, self.roles[place]
        if what == "join" and topic not in roles:
            roles[topic] = (rules.join(topic, now, server=server, client=client), server, client)
        elif what == "leave" and topic in roles:
            rules.leave(roles.pop(topic)[0], now)
        elif what == "restart":
            self.net.kill(self.nodes[place])
            node = self.nodes[place] = self.net.add(self.nodes[place].key, self.limits)
            for joined, (_, as_server, as_client) in list(roles.items()):
                session = node.rules.join(joined, now, server=as_server, client=as_client)
                roles[joined] = (session, as_server, as_client)
        elif what == "suspend":
            rules.suspend(now)
        elif what == "resume":
            rules.resume(now)
        elif what == "flush":
            rules.flush(now)

    def check_always(self) -> None:
        for node in self.nodes:
            links = Counter(link.peer.public_key for link in node.rules._links.values())
            assert all(number == 1 for number in links.values())
            assert set(links) == set(node.rules._by_key)
            # What the rules count is what the shell holds.
            assert set(node.rules._links) == set(node.pipes)
            waiting = [peer.public_key for peer in node.rules._queue]
            assert len(waiting) == len(set(waiting))

    def check_settled(self) -> None:
        for a, node in enumerate(self.nodes):
            for b, other in enumerate(self.nodes):
                if a < b:
                    meets = any(
                        t in self.roles[a] and t in self.roles[b] and self._meet(a, b, t)
                        for t in TOPICS
                    )
                    assert not meets or other.key in node.open_with(), (a, b)
                assert (other.key in node.open_with()) == (node.key in other.open_with())

    def _meet(self, a: int, b: int, topic: bytes) -> bool:
        (_, server_a, client_a), (_, server_b, client_b) = (
            self.roles[a][topic],
            self.roles[b][topic],
        )
        return (server_a and client_b) or (server_b and client_a)


@settings(max_examples=150)
@given(steps, st.integers(0, 2**16))
def test_swarms_meet_and_keep_one_connection(
    script: list[tuple[str, int, int, tuple[bool, bool], float]], seed: int
) -> None:
    players = Players(seed)
    for what, place, topic, (server, client), wait in script:
        players.step(what, place, TOPICS[topic], server, client)
        players.net.run(wait)
        players.check_always()
    for node in players.nodes:
        node.rules.resume(players.net.now)
        node.flushed.clear()
        node.rules.flush(players.net.now)
    # Long enough for a refresh, and for every wait before a peer is called again.
    players.net.run(SILENCE_SECONDS + 800)
    players.check_always()
    players.check_settled()
    assert all(node.flushed for node in players.nodes)
