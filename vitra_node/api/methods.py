"""The table of all methods of the control API. Add a line here and a handler beside the others.

The parameters of a method are the keyword-only arguments of its handler, with their types
(``parameters.py``); ``api.describe`` tells them to programs in other languages.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import NotFound
from .control.frames import API_VERSION
from .control.parameters import Parameter, bind, parameters_of
from .failures import telling
from .handlers import (
    audit,
    contract,
    index,
    joined,
    logs,
    node,
    operations,
    oplogs,
    rollback,
    transactions,
)
from .session import Session
from .watched import Watch, watched

Events = AbstractAsyncContextManager[AsyncIterator[Any]]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
      name: as it stands in a request.
      handler: what answers; for a stream, what gives its events.
      changes: whether it can change anything, so that a read-only door can leave it out.
      stream: whether it gives events instead of one answer.
      stops_node: whether the node stops once the answer is out.
      progress: whether the handler tells how far it is, to a ``Progress`` behind the session.
    """

    name: str
    handler: Callable[..., Any]
    changes: bool = False
    stream: bool = False
    stops_node: bool = False
    progress: bool = False

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Typed parameters, from the handler's signature."""
        return parameters_of(self.handler)

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]


async def describe(session: Session) -> dict[str, Any]:
    """This table: every method with its parameters."""
    return {
        "api": API_VERSION,
        "methods": [
            {
                "name": method.name,
                "summary": method.summary,
                "changes": method.changes,
                "stream": method.stream,
                "progress": method.progress,
                "params": [
                    {"name": p.name, "kind": p.kind, "required": p.required}
                    for p in method.parameters
                ],
            }
            for method in METHODS.values()
        ],
    }


_TABLE = (
    Method("api.describe", describe),
    # The process and the database
    Method("node.status", node.status),
    Method("node.stop", node.stop, changes=True, stops_node=True),
    Method("node.watch", node.watch, stream=True),
    Method("node.hold", node.hold, changes=True, stream=True),
    Method("node.release", node.release, changes=True),
    Method("node.connect", node.connect, changes=True),
    Method("node.peers", node.peers),
    Method("node.doctor", node.doctor),
    Method("database.info", node.info),
    Method("database.sync", node.sync, changes=True, progress=True),
    # The contract
    Method("contract.call", contract.call, changes=True),
    Method("contract.source", contract.source),
    Method("contract.versions", contract.versions),
    Method("contract.rollback", rollback.rollback, changes=True),
    Method("contract.withdraw", rollback.withdraw, changes=True),
    Method("contract.votes", rollback.votes),
    Method("contract.methods", contract.methods),
    # The index and the logs
    Method("index.get", index.get),
    Method("index.list", index.list_),
    Method("index.dangerous_batch", index.dangerous_batch, changes=True),
    Method("log.history", logs.history, stream=True),
    Method("log.operations", joined.operations),
    Method("log.prove", logs.prove),
    Method("log.consistency", logs.consistency),
    Method("oplog.list", oplogs.list_),
    Method("oplog.new", oplogs.new, changes=True),
    Method("oplog.remove", oplogs.remove, changes=True),
    Method("oplog.use", oplogs.use, changes=True),
    # Transactions
    Method("tx.list", transactions.list_),
    Method("tx.show", transactions.show),
    Method("tx.wait", transactions.wait),
    Method("tx.verify", transactions.verify),
    Method("tx.prove", transactions.prove),
    # Operations
    Method("node.backup", operations.backup, changes=True, progress=True),
    Method("index.export", operations.export, stream=True),
    # Auditing
    Method("audit.verify", audit.verify, changes=True, progress=True),
    Method("audit.events", audit.events, stream=True),
    Method("monitor.start", audit.start_monitor, changes=True),
    Method("monitor.stop", audit.stop_monitor, changes=True),
    Method("fraud.list", audit.list_frauds),
    Method("fraud.show", audit.show_fraud),
)

METHODS: Mapping[str, Method] = {method.name: method for method in _TABLE}


def find_method(name: str) -> Method:
    """The method of a name; raises NotFound."""
    method = METHODS.get(name)
    if method is None:
        raise unknown_method(name)
    return method


def unknown_method(name: str) -> NotFound:
    """What to say of a method that is not in the table."""
    return NotFound(
        f"The control API has no method {name[:100]!r}.",
        unchanged="Nothing was changed.",
        advice="Ask api.describe for all of them.",
        unknown_method=True,
    )


async def invoke(
    session: Session, method: Method, params: Mapping[str, Any], watch: Watch | None = None
) -> Any:
    """Answer one question; every failure comes out as a VitraError.

    ``watch`` is told of how far a method is that takes long.
    """
    arguments = bind(method.name, method.parameters, params)
    with telling():
        if not method.progress:
            answer: Awaitable[Any] = method.handler(session, **arguments)
            return await answer
        async with watched(watch) as progress:
            return await method.handler(session, progress, **arguments)


def open_events(session: Session, method: Method, params: Mapping[str, Any]) -> Events:
    """The events of a stream; what goes wrong while it runs is for the caller to translate."""
    events: Events = method.handler(session, **bind(method.name, method.parameters, params))
    return events
