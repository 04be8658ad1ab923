"""A web server on 127.0.0.1 that writes down what is posted to it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came, and how it is answered.

    Attributes:
      url: where to post.
      statuses: the answers to come, in order; 204 after them.
      posts: path, headers and body of each post.
    """

    url: str
    statuses: list[int] = field(default_factory=list)
    posts: queue.Queue[tuple[str, Any, bytes]] = field(default_factory=queue.Queue)

    def bodies(self) -> list[bytes]:
        """All that came and was not taken yet."""
        found = []
        while not self.posts.empty():
            found.append(self.posts.get()[2])
        return found


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    """Receive while in the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.posts.put((self.path, self.headers, body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook", list(statuses))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()
