"""Subs: trees inside the tree, each the keys behind a prefix."""

from __future__ import annotations

from ..errors import LocalProtocolError
from .ranges import Bounds

SEPARATOR = b"\x00"


def sub_prefix(parent: bytes, name: bytes, separator: bytes = SEPARATOR) -> bytes:
    """The prefix of the keys of a sub; ``parent`` is the prefix it lies in, ``b""`` for none.

    Raises:
      LocalProtocolError: the prefix would be empty, or has no key behind it.
    """
    prefix = parent + name + separator
    if not prefix or prefix[-1] == 0xFF:
        raise LocalProtocolError("a prefix ends in a byte below 255")
    return prefix


def sub_bounds(prefix: bytes, bounds: Bounds) -> Bounds:
    """Bounds on the keys of a sub as bounds on the keys of the whole tree.

    Without a lower bound, the sub's keys ``b""`` and ``b"\\0"`` are left out, as in JavaScript.
    """
    gt = None if bounds.gt is None else prefix + bounds.gt
    gte = None if bounds.gte is None else prefix + bounds.gte
    lt = None if bounds.lt is None else prefix + bounds.lt
    lte = None if bounds.lte is None else prefix + bounds.lte
    if bounds.low is None:
        gt = prefix + SEPARATOR
    if bounds.high is None:
        lt = prefix[:-1] + bytes((prefix[-1] + 1,))
    return Bounds(gt=gt, gte=gte, lt=lt, lte=lte)
