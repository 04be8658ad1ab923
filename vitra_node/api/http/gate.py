"""Who may come in over HTTP: rules about the head of a request, without I/O.

A port on loopback can be reached by every local user and, through the browser, by every web page
the user looks at. Against the first stands the token. Against the second: a page cannot send our
token, and beside that a request has to name this very host (a name that was bound to 127.0.0.1 by a
stranger's DNS does not), may not come from another origin, and is never answered with CORS headers.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from ...config import Address

Headers = Iterable[tuple[bytes, bytes]]

# Said to whoever is turned away; nothing here tells more than the status does.
MISDIRECTED = (421, "This is not the host that the request names.")
FOREIGN = (403, "Requests from other origins are refused.")
NO_TOKEN = (401, "The request carries no valid token.")
NOT_POST = (405, "Ask with POST.")
NOT_JSON = (415, "The body has to be application/json.")

Refusal = tuple[int, str]

SAFE_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""On every answer, whatever it is."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules for one port.

    Attributes:
      bound: where it listens.
      token: what a caller has to show.
    """

    bound: Address
    token: str

    @property
    def hosts(self) -> tuple[str, ...]:
        """What may stand in ``Host``."""
        names = (self.bound.host, "localhost", "127.0.0.1", "::1")
        return tuple(dict.fromkeys(str(Address(name, self.bound.port)) for name in names))

    def refusal_untrusted(self, headers: Headers) -> Refusal | None:
        """Why a request with these headers is no business of ours, leaving the token aside."""
        found = [(name.lower(), value) for name, value in headers]
        hosts = [value for name, value in found if name == b"host"]
        if len(hosts) != 1 or _text(hosts[0]) not in self.hosts:
            return MISDIRECTED
        origins = {f"http://{host}" for host in self.hosts}
        if any(name == b"origin" and _text(value) not in origins for name, value in found):
            return FOREIGN
        sites = [_text(value) for name, value in found if name == b"sec-fetch-site"]
        if any(site not in ("same-origin", "none") for site in sites):
            return FOREIGN
        return None

    def has_token_untrusted(self, headers: Headers) -> bool:
        """Whether the request shows the token, as ``Authorization: Bearer TOKEN``."""
        shown = [value for name, value in headers if name.lower() == b"authorization"]
        return len(shown) == 1 and self.is_token_untrusted(_bearer(shown[0]))

    def is_token_untrusted(self, text: bytes) -> bool:
        """Whether this is the token, in a time that says nothing of how near it is."""
        return hmac.compare_digest(text, self.token.encode())


def is_json_untrusted(headers: Headers) -> bool:
    """Whether the body is declared as JSON, which no HTML form can do."""
    kinds = [value for name, value in headers if name.lower() == b"content-type"]
    kind = kinds[0].partition(b";")[0].strip().lower() if len(kinds) == 1 else b""
    return kind == b"application/json"


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip().lower()
