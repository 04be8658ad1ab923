"""Whatever happens in whatever order, in the end every copy is the writer's log."""

from __future__ import annotations

from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from protocol.hypercore.replication.messages import DATA

from ..replication_nodes import Link, MemoryCore, Node, run


class World:
    """A writer and some readers; everything that happens is drawn from one seed."""

    def __init__(self, random: Random, *, readers: int) -> None:
        self.random = random
        self.now = 0.0
        self.written = 0
        writer = Node(MemoryCore.writable())
        self.nodes = [writer] + [Node(MemoryCore(writer.core.key)) for _ in range(readers)]
        self.links: list[tuple[Link, Node, Node]] = []
        self.wants: list[tuple[Node, int]] = []

    def step(self) -> None:
        happenings = [
            self.deliver, self.deliver, self.deliver, self.deliver, self.append, self.link,
            self.unlink, self.want, self.unwant, self.tick, self.reorder, self.pause, self.resume,
        ]  # fmt: skip
        self.random.choice(happenings)()

    def deliver(self) -> None:
        for _ in range(self.random.randrange(1, 40)):
            waiting = [(k, d) for k, _, _ in self.links for d in (0, 1) if k.waiting(d)]
            if waiting:
                link, direction = self.random.choice(waiting)
                link.deliver(direction, self.now)

    def append(self) -> None:
        count = self.random.choice([1, 1, 2, 5, 33])
        blocks = [b"%d" % i for i in range(self.written, self.written + count)]
        self.written += count
        self.nodes[0].append(blocks, self.now)

    def link(self) -> None:
        a, b = self.random.sample(self.nodes, 2)
        if not any({a, b} == {x, y} for _, x, y in self.links):
            self.links.append((Link(a, b, self.now), a, b))

    def unlink(self) -> None:
        if self.links and self.random.random() < 0.5:
            link, _, _ = self.links.pop(self.random.randrange(len(self.links)))
            link.close(self.now)

    def want(self) -> None:
        node = self.random.choice(self.nodes[1:])
        start = self.random.randrange(60)
        end = self.random.choice([start + 1, start + 1, start + 7, None])
        self.wants.append((node, node.want(start, end, self.now)))

    def unwant(self) -> None:
        if self.wants:
            node, number = self.wants.pop(self.random.randrange(len(self.wants)))
            node.replicator.unwant(number, self.now)
            node.settle()

    def tick(self) -> None:
        self.now += self.random.choice([0.05, 0.5, 6.0, 40.0])
        for node in self.nodes:
            node.replicator.handle_timer(self.now)
            node.settle()

    def reorder(self) -> None:
        """JS answers requests in any order."""
        for link, _, _ in self.links:
            for node, number in link.ends:
                queue = node.outboxes[number]
                places = [i for i, (kind, _) in enumerate(queue) if kind == DATA]
                answers = [queue[i] for i in places]
                self.random.shuffle(answers)
                for place, answer in zip(places, answers, strict=True):
                    queue[place] = answer

    def pause(self) -> None:
        if self.links:
            link, _, _ = self.random.choice(self.links)
            node, number = self.random.choice(link.ends)
            node.replicator.pause(number)

    def resume(self) -> None:
        for link, _, _ in self.links:
            for node, number in link.ends:
                node.replicator.resume(number, self.now)
                node.settle()

    def truncate(self) -> None:
        core = self.nodes[0].core
        if core.head.length:
            core.truncate(self.random.randrange(core.head.length))
            self.nodes[0].replicator.core_changed(self.now)
            self.nodes[0].settle()

    def finish(self) -> None:
        """Everybody wants everything, and is linked to the next; then all messages arrive."""
        self.resume()
        for node in self.nodes[1:]:
            node.want(0, None, self.now)
        linked = [{a, b} for _, a, b in self.links]
        for a, b in zip(self.nodes, self.nodes[1:], strict=False):
            if {a, b} not in linked:
                self.links.append((Link(a, b, self.now), a, b))
        for _ in range(20):
            run(*(link for link, _, _ in self.links), now=self.now)
            self.now += 40.0
            for node in self.nodes:
                node.replicator.handle_timer(self.now)
                node.settle()

    def check(self) -> None:
        writer = self.nodes[0].core
        for node in self.nodes:
            assert not node.faults
            assert not node.forks
            assert node.core.head == writer.head
            assert node.core.blocks == writer.blocks
            # What was asked for came, or was given back.
            assert not node.replicator._asking.scheduler.in_flight
            for peer in node.replicator._peers.by_id.values():
                assert not peer.requests.in_flight
                assert not peer.requests.held
                assert peer.requests.blocks == 0


# A seed does not shrink; a failing one is simply run again.
seeded = settings(max_examples=60, phases=[Phase.explicit, Phase.generate])


@seeded
@given(st.integers(0, 2**32))
def test_copies_converge(seed: int) -> None:
    world = World(Random(seed), readers=1 + seed % 4)
    world.append()
    for _ in range(world.random.randrange(120)):
        world.step()
    world.finish()
    world.check()


@seeded
@given(st.integers(0, 2**32))
def test_copies_converge_while_the_log_is_truncated(seed: int) -> None:
    world = World(Random(seed), readers=1 + seed % 3)
    world.append()
    for _ in range(world.random.randrange(60)):
        if world.random.random() < 0.1:
            world.truncate()
        else:
            world.step()
    # An empty tree has no signature that could prove its fork.
    world.append()
    world.finish()
    world.check()
