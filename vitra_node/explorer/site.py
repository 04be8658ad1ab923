"""What all pages share: the node, the live state, the templates, and the routes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from .. import __version__
from ..api.control.connection import Connection
from ..api.failures import failure_of
from ..errors import VitraError
from . import shown
from .watching import Watch

_HERE = Path(__file__).parent
KEEP_ALIVE_SECONDS = 15.0
_STATUSES = {2: 400, 3: 404, 4: 403, 5: 504, 6: 503}

NAVIGATION = (
    ("/", "Overview"),
    ("/operations", "Operations"),
    ("/transactions", "Calls"),
    ("/index", "Index"),
    ("/contract", "Contract"),
    ("/frauds", "Audit"),
    ("/peers", "Peers"),
)


@dataclass(frozen=True)
class Site:
    """One database and how it is shown."""

    connection: Connection
    watch: Watch
    templates: Environment

    @classmethod
    def of(cls, request: Request) -> Site:
        """The site that a request is for."""
        site: Site = request.app.state.site
        return site

    def page(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """A filled template."""
        state = self.watch.state
        length = None if state is None else state["index"]["length"]
        text = self.templates.get_template(template).render(
            navigation=NAVIGATION,
            here=request.url.path,
            version_of_program=__version__,
            state=state,
            away=self.watch.away,
            verdict_word=self.watch.verdict.word(length),
            audit=self.watch.verdict,
            **values,
        )
        # Lone surrogates of a hostile value cannot be sent; they come out as question marks.
        return Response(text.encode("utf-8", "replace"), status, media_type="text/html")

    def download(self, name: str, value: Any) -> Response:
        """A value as a file that the browser keeps and does not show."""
        text = json.dumps(value, indent=2) + "\n"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(text, headers=headers, media_type="application/json")


def make_site(connection: Connection, watch: Watch) -> Starlette:
    """The application; ``watch`` has to run beside it."""
    from . import pages

    routes = [
        Route("/", pages.overview),
        Route("/operations", pages.operations),
        Route("/operations/{ack_seq:int}", pages.operation),
        Route("/transactions", pages.transactions),
        Route("/transactions/{tx}", pages.transaction),
        Route("/transactions/{tx}/proof/{number:int}", pages.transaction_proof),
        Route("/index", pages.index),
        Route("/index/value", pages.index_value),
        Route("/contract", pages.contract),
        Route("/frauds", pages.frauds),
        Route("/frauds/{fraud}", pages.fraud),
        Route("/frauds/{fraud}/proof", pages.fraud_proof),
        Route("/block/{log}/{seq:int}", pages.block),
        Route("/block/{log}/{seq:int}/proof", pages.block_proof),
        Route("/peers", pages.peers),
        Mount("/live", app=_live_events(watch)),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    handlers: Any = {VitraError: _failed, HTTPException: _not_there, Exception: _failed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.state.site = Site(connection, watch, _templates())
    return app


def _templates() -> Environment:
    """Everything that is put into a template is escaped; nothing switches that off."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        pretty=shown.pretty,
        one_line=shown.one_line,
        plain=shown.plain,
        short=shown.short_key,
        moment=shown.moment,
        op_name=shown.operation_name,
    )
    return environment


def _live_events(watch: Watch) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Server-sent events: one for each change, which the page then fetches itself anew for."""

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            data = b"event: changed\ndata: {}\n\n"
            while True:
                await send({"type": "http.response.body", "body": data, "more_body": True})
                with trio.move_on_after(KEEP_ALIVE_SECONDS) as idle:
                    await watch.wait()
                data = b":\n\n" if idle.cancelled_caught else b"event: changed\ndata: {}\n\n"

    return live


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _failed(request: Request, error: Exception) -> Response:
    failure = failure_of(error)
    assert failure is not None, "cancellation is no Exception"
    status = _STATUSES.get(failure.exit_code, 500)
    return Site.of(request).page(request, "failure.html", status=status, failure=failure)


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    failure = VitraError("There is no such page.")
    return Site.of(request).page(request, "failure.html", status=error.status_code, failure=failure)
