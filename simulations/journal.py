"""All that happens in a run, as one digest, and as text where a file is given for it.

Two runs with the same digest sent the same datagrams at the same times and came to the same
results. When they differ, the traces of both show the first event at which they do.
"""

from __future__ import annotations

import json
import struct
from hashlib import blake2b
from typing import TextIO

import trio

_HEAD = struct.Struct("<dI")
DIGEST_BYTES = 16


class Journal:
    """Takes events in the order in which they happen.

    Attributes:
      datagrams, datagram_bytes: how many were sent.
    """

    def __init__(self, trace: TextIO | None = None) -> None:
        """``trace``: where each event becomes a line."""
        self.datagrams = 0
        self.datagram_bytes = 0
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self._trace = trace

    def datagram(self, source: str, to: str, data: bytes, fate: str) -> None:
        """Something was sent; ``fate`` is what became of it."""
        self.datagrams += 1
        self.datagram_bytes += len(data)
        self._hash.update(_HEAD.pack(trio.current_time(), len(data)))
        self._hash.update(f"{source}>{to} {fate}".encode())
        self._hash.update(data)
        if self._trace is not None:
            short = blake2b(data, digest_size=4).hexdigest()
            self._line(f"{source} > {to} {len(data)} bytes {short} {fate}")

    def note(self, what: str, **values: object) -> None:
        """Anything else that happened, with values that JSON has."""
        text = f"{what} {json.dumps(values, sort_keys=True)}"
        self._hash.update(_HEAD.pack(trio.current_time(), len(text)))
        self._hash.update(text.encode())
        if self._trace is not None:
            self._line(text)

    def _line(self, text: str) -> None:
        assert self._trace is not None
        self._trace.write(f"{trio.current_time():.6f} {text}\n")

    @property
    def digest(self) -> str:
        """Of all so far, in hex."""
        return self._hash.copy().hexdigest()
