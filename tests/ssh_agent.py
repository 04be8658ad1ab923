"""An ssh-agent in a process of its own, and a ``Signer`` that asks it.

    python -m tests.ssh_agent SOCKET SEED_HEX honest|refuses|lies|waits

The agent speaks the agent protocol of OpenSSH as far as signing needs it: a request is a length
(4 bytes, big endian), the type 13, key blob, data and flags; the answer has the type 14 and a
signature blob, or is 5 alone. Ed25519 there is Ed25519 over the data itself, so the signature is
one for a log. The agent prints a line when it is asked; ``waits`` answers after a line on stdin.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack, unpack
from typing import IO

from protocol.crypto.keys import KeyPair
from vitra_node.storage.errors import SignerFailed

_FAILURE, _SIGN, _SIGNED = 5, 13, 14
_KIND = b"ssh-ed25519"
END_SECONDS = 60


def text(data: bytes) -> bytes:
    """A string of the agent protocol."""
    return pack(">I", len(data)) + data


def texts(data: bytes) -> Iterator[bytes]:
    """The strings that follow each other."""
    while data:
        (size,) = unpack(">I", data[:4])
        yield data[4 : 4 + size]
        data = data[4 + size :]


def read_packet(stream: IO[bytes]) -> bytes:
    """The next request or answer.

    Raises:
      SignerFailed: the other side is gone.
    """
    size = stream.read(4)
    packet = stream.read(*unpack(">I", size)) if len(size) == 4 else b""
    if not packet:
        raise SignerFailed("the agent is gone")
    return packet


class AgentSigner:
    """Signs by asking the agent on a socket; holds no secret."""

    def __init__(self, path: Path, public_key: bytes) -> None:
        self._path = path
        self._public_key = public_key

    @property
    def public_key(self) -> bytes:
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        blob = text(_KIND) + text(self._public_key)
        request = bytes([_SIGN]) + text(blob) + text(message) + pack(">I", 0)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._path))
            connection.sendall(text(request))
            with connection.makefile("rb") as stream:
                answer = read_packet(stream)
        if answer[0] != _SIGNED:
            raise SignerFailed("the agent refused")
        (signed,) = texts(answer[1:])
        _, signature = texts(signed)
        return signature


class Agent:
    """The running process."""

    def __init__(self, process: subprocess.Popen[str], signer: AgentSigner) -> None:
        self.process = process
        self.signer = signer

    def asked(self) -> str:
        """Wait until it is asked to sign."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def consent(self) -> None:
        """Let it answer."""
        assert self.process.stdin is not None
        self.process.stdin.write("yes\n")
        self.process.stdin.flush()


@contextmanager
def agent(directory: Path, pair: KeyPair, manner: str = "honest") -> Iterator[Agent]:
    """An agent that holds the secret key of ``pair``; it is gone after the block."""
    path = directory / f"agent-{manner}"
    command = [sys.executable, "-m", "tests.ssh_agent", str(path), pair.seed.hex(), manner]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Agent(process, AgentSigner(path, pair.public_key))
        finally:
            process.kill()
            process.wait(END_SECONDS)


def main(path: str, seed: str, manner: str) -> None:
    """Answer until killed."""
    pair = KeyPair.from_seed(bytes.fromhex(seed))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                request = read_packet(stream)
                assert request[0] == _SIGN
                _, data, *_ = texts(request[1:-4])
                print("asked", flush=True)
                if manner == "waits":
                    sys.stdin.readline()
                if manner == "refuses":
                    connection.sendall(text(bytes([_FAILURE])))
                    continue
                signature = pair.sign(data + b"!" if manner == "lies" else data)
                blob = text(_KIND) + text(signature)
                connection.sendall(text(bytes([_SIGNED]) + text(blob)))


if __name__ == "__main__":
    main(*sys.argv[1:])
