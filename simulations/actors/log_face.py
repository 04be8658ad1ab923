"""One of the histories that a writer shows: a peer that has it and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from vitra_node.net.swarm.swarm import Swarm
from vitra_node.net.udx.udp import SocketAddress

from ..host import Host
from .two_faced_writer import TwoFacedWriter


class LogFace:
    """Serves a history of a log to whoever looks for that log."""

    def __init__(
        self,
        host: Host,
        bootstrap: tuple[SocketAddress, ...],
        writer: TwoFacedWriter,
        blocks: Sequence[bytes],
        *,
        cut_at: int | None = None,
    ) -> None:
        """``blocks``, ``cut_at``: see ``TwoFacedWriter.face``."""
        self.host = host
        self._bootstrap = bootstrap
        self._writer = writer
        self._blocks = blocks
        self._cut_at = cut_at

    async def life(self, host: Host) -> None:
        """See ``Host.run``."""
        face = self._writer.face(self._blocks, cut_at=self._cut_at, world=host.world)
        async with (
            face as store,
            Swarm.open(
                store, bootstrap=self._bootstrap, host=host.address, world=host.world
            ) as swarm,
        ):
            log = await self._writer.log_of(store)
            await swarm.join(log.discovery_key)
            await trio.sleep_forever()
