"""What one log knows of its encryption key: whether its blocks are encrypted, and how."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.crypto.block_encryption import PADDING_BYTES, BlockEncryption

from ..errors import NotWritable, StorageError
from .core_storage import CoreStorage


class LogEncryption:
    """The encryption of one log, which begins without a key: blocks are what they are.

    Attributes:
      key: 32 bytes, or None.
    """

    def __init__(self, storage: CoreStorage) -> None:
        self.key: bytes | None = None
        self._storage = storage
        self._made: BlockEncryption | None = None

    @property
    def padding_bytes(self) -> int:
        """By how much a block grows when it is encrypted."""
        return 0 if self.key is None else PADDING_BYTES

    def check(self, key: bytes, *, ours: bool) -> None:
        """Whether ``key`` may be used from now on; ``ours`` is whether this store may append.

        Raises:
          StorageError: another one is in use.
          NotWritable: we have appended without one; what follows would be read with it, and what
            is there could not be.
        """
        if self.key not in (None, key):
            raise StorageError("this log is open with another encryption key")
        if ours and self._storage.tip.length and not self._storage.record.encrypted:
            raise NotWritable(
                "the blocks of this log are not encrypted, and nothing was changed: open it without"
                " an encryption key, or begin another log with one"
            )

    def check_append(self) -> None:
        """Raise NotWritable if the log is encrypted and its key was not given."""
        if self.key is None and self._storage.record.encrypted:
            raise NotWritable("this log is encrypted: open it with its encryption key to append")

    def encrypt_next(self, blocks: Sequence[bytes]) -> Sequence[bytes]:
        """The blocks as they are stored, if they are staged before anything else is.

        Their numbers are part of the key.
        """
        if self.key is None:
            return blocks
        tip = self._storage.tip
        return self._cipher.encrypt(tip.length, tip.fork, blocks)

    def in_the_clear(self, index: int, block: bytes) -> bytes:
        """A stored block as it was appended.

        Raises:
          DecodeError: there is a key, and the block was never encrypted.
        """
        return block if self.key is None else self._cipher.decrypt_untrusted(index, block)

    @property
    def _cipher(self) -> BlockEncryption:
        """For when there are blocks: then it is settled whether this is a compat log."""
        if self._made is None:
            assert self.key is not None
            manifest, key = self._storage.manifest, self._storage.key
            compat = manifest is None or manifest.is_compat(key)
            self._made = BlockEncryption(self.key, key, compat=compat)
        return self._made
