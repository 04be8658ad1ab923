"""Stands before the pages: who may look, and what browsers are told not to do."""

from __future__ import annotations

import urllib.parse
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from ..api.http.gate import SAFE_HEADERS, Gate, Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    *SAFE_HEADERS,
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_NOT_GET: Refusal = (405, "These pages are read with GET.")
_NO_TOKEN: Refusal = (401, "Open the address that `vitra explorer` printed, with its token.")


@dataclass(frozen=True, slots=True)
class ExplorerDoor:
    """An ASGI application around the pages.

    The token comes in the address that is opened first, and stays in a cookie that no script can
    read and no other site's request carries.
    """

    pages: App
    gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "lifespan":
            await self.pages(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self.gate.refusal_untrusted(scope["headers"])
        if refusal is None and scope["method"] not in ("GET", "HEAD"):
            refusal = _NOT_GET
        shown_now = self._token_in_address(scope)
        if refusal is None and not (shown_now or self._token_in_cookie(scope)):
            refusal = _NO_TOKEN
        cookie = [(b"set-cookie", self._cookie())] if shown_now and refusal is None else []

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS, *cookie]
            await send(message)

        if refusal is None:
            await self.pages(scope, receive, send_safely)
            return
        await _refuse(send_safely, refusal)

    @property
    def _cookie_name(self) -> str:
        # Cookies know no ports: two explorers on one machine must not take each other's.
        return f"vitra-{self.gate.bound.port}"

    def _cookie(self) -> bytes:
        return f"{self._cookie_name}={self.gate.token}; Path=/; HttpOnly; SameSite=Strict".encode()

    def _token_in_address(self, scope: Scope) -> bool:
        query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"))
        shown = query.get("token", [])
        return len(shown) == 1 and self.gate.is_token_untrusted(shown[0].encode())

    def _token_in_cookie(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name.lower() != b"cookie":
                continue
            try:
                found = SimpleCookie(value.decode("latin-1")).get(self._cookie_name)
            except CookieError:
                continue
            if found is not None and self.gate.is_token_untrusted(found.value.encode()):
                return True
        return False


async def _refuse(send: Send, refusal: Refusal) -> None:
    status, sentence = refusal
    body = f"{sentence}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
