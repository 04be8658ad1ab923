"""What a data directory remembers about itself: ``vitra.json``.

A flag counts before an environment variable, and that before the file. Reading is tolerant:
fields this version does not know are kept and written back, absent fields have defaults. A file
that cannot be understood is an error that names the field; it is never silently replaced.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .errors import StoreDamaged, UsageProblem

CONFIG_NAME = "vitra.json"
CONFIG_VERSION = 1

# Peers, keys and a few settings; anything larger was not written by us.
MAX_CONFIG_BYTES = 1024 * 1024

ROLES = ("executor", "participant", "monitor")

_HOST_PORT = re.compile(
    r"^(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})$"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address as people write it: ``host:port``, or ``[v6]:port``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address in ``text``; raises UsageProblem when it is none."""
    match = _HOST_PORT.match(text.strip())
    if match is None or int(match["port"]) > 0xFFFF:
        raise UsageProblem(
            f"{text!r} is not an address.",
            advice="Write host:port, for example 127.0.0.1:7000.",
        )
    return Address(match["six"] or match["host"], int(match["port"]))


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """The content of ``vitra.json``.

    Attributes:
      key: the 32-byte key of the database's index log, None before ``init`` or ``join``.
      role: what this directory was made as, None before ``init`` or ``join``.
      local_oplog: the 32-byte key of the oplog this directory writes to, if it has one.
      listen: where ``serve`` listens when it is not told otherwise.
      peers: addresses that ``serve`` connects to, in the order they were given.
      bootstrap: nodes of the network to ask first; empty for the public network.
      sparse: whether the copy holds only what it reads.
      unknown: fields of a newer version, written back as they are.
    """

    key: bytes | None = None
    role: str | None = None
    local_oplog: bytes | None = None
    listen: Address | None = None
    peers: tuple[Address, ...] = ()
    bootstrap: tuple[Address, ...] = ()
    sparse: bool = False
    unknown: Mapping[str, Any] = field(default_factory=dict)

    def with_peers(self, more: tuple[Address, ...]) -> DirectoryConfig:
        """The same with further peers remembered, each once."""
        return replace(self, peers=tuple(dict.fromkeys((*self.peers, *more))))


def read_config(directory: Path) -> DirectoryConfig:
    """What the directory remembers; an empty configuration when it has no ``vitra.json``.

    Raises StoreDamaged when the file is there and cannot be understood.
    """
    path = directory / CONFIG_NAME
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return DirectoryConfig()
    except OSError as error:
        raise StoreDamaged(
            f"{path} cannot be read: {error.strerror}.", unchanged="Nothing was changed."
        ) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise _damaged(path, f"it is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(value, dict):
        raise _damaged(path, "it does not hold an object")
    return _decode(path, value)


def write_config(directory: Path, config: DirectoryConfig) -> None:
    """Replace ``vitra.json`` so that a crash leaves either the old file or the new one.

    Raises StoreDamaged when the directory cannot be written.
    """
    fields: dict[str, Any] = {**config.unknown, "version": CONFIG_VERSION}
    if config.key is not None:
        fields["key"] = config.key.hex()
    if config.role is not None:
        fields["role"] = config.role
    if config.local_oplog is not None:
        fields["local_oplog"] = config.local_oplog.hex()
    if config.listen is not None:
        fields["listen"] = str(config.listen)
    if config.peers:
        fields["peers"] = [str(peer) for peer in config.peers]
    if config.bootstrap:
        fields["bootstrap"] = [str(node) for node in config.bootstrap]
    if config.sparse:
        fields["sparse"] = True
    text = json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
    try:
        write_file_atomically(directory / CONFIG_NAME, text.encode())
    except OSError as error:
        raise StoreDamaged(
            f"{directory / CONFIG_NAME} cannot be written: {error.strerror}.",
            unchanged="The file is as it was.",
        ) from error


def write_file_atomically(path: Path, data: bytes) -> None:
    """Write a private file (mode 0600) by temporary file, fsync, rename and fsync of its directory.

    Raises OSError; the temporary file is then gone and ``path`` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _decode(path: Path, value: dict[str, Any]) -> DirectoryConfig:
    version = value.pop("version", CONFIG_VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _damaged(path, "its field 'version' is not a positive number")
    if version > CONFIG_VERSION:
        raise StoreDamaged(
            f"{path} was written by a newer version of this program (form {version}).",
            unchanged="Nothing was changed.",
            advice="Upgrade vitra-node.",
        )
    role = value.pop("role", None)
    if role is not None and role not in ROLES:
        raise _damaged(path, f"its field 'role' is not one of {', '.join(ROLES)}")
    listen = value.pop("listen", None)
    peers = value.pop("peers", [])
    if not isinstance(peers, list):
        raise _damaged(path, "its field 'peers' is not a list")
    bootstrap = value.pop("bootstrap", [])
    if not isinstance(bootstrap, list):
        raise _damaged(path, "its field 'bootstrap' is not a list")
    sparse = value.pop("sparse", False)
    if not isinstance(sparse, bool):
        raise _damaged(path, "its field 'sparse' is neither true nor false")
    return DirectoryConfig(
        key=_decode_key(path, "key", value.pop("key", None)),
        role=role,
        local_oplog=_decode_key(path, "local_oplog", value.pop("local_oplog", None)),
        listen=None if listen is None else _decode_address(path, "listen", listen),
        peers=tuple(_decode_address(path, "peers", peer) for peer in peers),
        bootstrap=tuple(_decode_address(path, "bootstrap", node) for node in bootstrap),
        sparse=sparse,
        unknown=value,
    )


def _decode_key(path: Path, name: str, text: Any) -> bytes | None:
    if text is None:
        return None
    try:
        key = bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise _damaged(path, f"its field {name!r} is not hex") from error
    if len(key) != 32:
        raise _damaged(path, f"its field {name!r} is not 32 bytes long")
    return key


def _decode_address(path: Path, name: str, text: Any) -> Address:
    try:
        return parse_address(text)
    except (UsageProblem, AttributeError) as error:
        raise _damaged(path, f"its field {name!r} holds no address") from error


def _damaged(path: Path, reason: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is damaged: {reason}.",
        unchanged="Nothing was changed.",
        advice="Repair the file, or put back a copy of it.",
    )
