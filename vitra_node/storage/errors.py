"""Every exception of the storage package, on one page."""

from __future__ import annotations


class StorageError(Exception):
    """The store cannot do what was asked: a failed disk, a wrong use, or a damaged file."""


class StoreInUse(StorageError):
    """Another process holds this data directory; two writers of one log would fork it."""


class StoreVersionError(StorageError):
    """The data directory has a form that this version of the software does not know."""


class EnvironmentFull(StorageError):
    """A transaction does not fit; it was undone, and fits after ``Environment.grow``."""


class StoreReadOnly(StorageError):
    """An earlier write failed, so nothing can be written until the store is opened again."""


class StoreClosed(StorageError):
    """The store, or the core, was closed."""


class StoreDamaged(StorageError):
    """A stored record does not decode, or contradicts another one."""


class KeyFileError(StorageError):
    """A key file that others could read, that is damaged, or that holds another key."""


class NotWritable(StorageError):
    """The secret key of this core is not here."""


class SignerFailed(StorageError):
    """Who signs for this log outside of this program gave no signature, or a false one."""


class WriterConflict(StorageError):
    """A peer has a newer head of our own log while we are writing to it: two writers."""


class LogViolated(StorageError):
    """The writer of this log signed two histories of it: it stays as it is, for evidence."""


class BlockTooLarge(StorageError):
    """A block is over ``MAX_BLOCK_BYTES``."""


class BlockOutOfRange(StorageError, IndexError):
    """A block index that this core cannot have."""


class BlockNotAvailable(StorageError):
    """The block is not stored here, and no peer gave it in the time allowed."""


class RecordTooLarge(StorageError):
    """A record's key or value is over its limit."""
