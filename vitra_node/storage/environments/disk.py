"""A disk that a ``World`` brings with it, as a simulated one does."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from .environment import Environment


class Disk(NamedTuple):
    """Where stores are kept that have no directory.

    Attributes:
      environment: the data, which outlives the stores.
      primary_key: 32 bytes, from which their key pairs follow.
    """

    environment: Environment
    primary_key: bytes


@runtime_checkable
class HasDisk(Protocol):
    """A ``World`` with a disk of its own. The real one has none: directories are its disk."""

    @property
    def disk(self) -> Disk:
        """The disk."""
