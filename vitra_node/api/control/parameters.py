"""Typed parameters of API methods, taken from the signatures of their handlers.

A handler's keyword-only arguments are its parameters. Their annotations say what JSON is accepted
and what the handler is given: ``str``, ``bool``, ``Count``, ``Number``, ``Key``, ``Keys``,
``Changes`` and ``AnyJson``, each optionally ``| None``.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from ...errors import UsageProblem
from ...key_text import parse_key

Count = Annotated[int, "count"]
"""A whole number from 0 on."""
Number = Annotated[float, "number"]
"""A finite number from 0 on."""
Key = Annotated[bytes, "key"]
"""32 bytes, in JSON hex or z-base-32."""
Keys = Annotated[list[bytes], "keys"]
"""A list of keys."""
Changes = Annotated[list[dict[str, Any]], "changes"]
"""A list of ``{"type": "put", "path", "value"}`` and ``{"type": "del", "path"}``."""
AnyJson = Annotated[Any, "json"]
"""Any JSON value."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name, the kind of JSON it takes, and whether it may be left out."""

    name: str
    kind: str
    required: bool
    nullable: bool


def parameters_of(handler: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters that a handler takes after the session."""
    signature = inspect.signature(handler, eval_str=True)
    return tuple(
        _parameter(argument)
        for argument in signature.parameters.values()
        if argument.kind is inspect.Parameter.KEYWORD_ONLY
    )


def bind(
    method: str, parameters: tuple[Parameter, ...], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments for a handler; raises UsageProblem naming what is wrong."""
    known = {parameter.name for parameter in parameters}
    for name in given:
        if name not in known:
            raise _problem(method, f"has no parameter {name!r}")
    arguments: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name not in given:
            if parameter.required:
                raise _problem(method, f"needs the parameter {parameter.name!r}")
            continue
        value = given[parameter.name]
        if value is None and parameter.nullable:
            arguments[parameter.name] = None
            continue
        try:
            arguments[parameter.name] = _CONVERTERS[parameter.kind](value)
        except (TypeError, ValueError) as error:
            raise _problem(method, f"takes for {parameter.name!r} {error}") from error
    return arguments


def _parameter(argument: inspect.Parameter) -> Parameter:
    annotation, nullable = argument.annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        choices = [choice for choice in get_args(annotation) if choice is not type(None)]
        annotation, nullable = choices[0], True
    kind = "text" if annotation is str else "flag" if annotation is bool else ""
    if get_origin(annotation) is Annotated:
        kind = get_args(annotation)[1]
    if kind not in _CONVERTERS:
        raise TypeError(f"{argument.name}: no kind of parameter is {annotation!r}")
    return Parameter(
        argument.name, kind, argument.default is inspect.Parameter.empty, nullable or kind == "json"
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise TypeError("a whole number from 0 on")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number from 0 on")
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError("a number from 0 on")
    return number


def _key(value: Any) -> bytes:
    try:
        return parse_key(_text(value))
    except UsageProblem as problem:
        raise ValueError("a key of 64 hex digits or 52 letters of z-base-32") from problem


def _keys(value: Any) -> list[bytes]:
    if not isinstance(value, list):
        raise TypeError("a list of keys")
    return [_key(item) for item in value]


def _changes(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise TypeError("a list of changes")
    for change in value:
        if not isinstance(change, dict) or change.get("type") not in ("put", "del"):
            raise TypeError('changes with the type "put" or "del"')
        if not isinstance(change.get("path"), str):
            raise TypeError("changes with a path")
        if change["type"] == "put" and "value" not in change:
            raise TypeError("puts with a value")
    return value


def _json(value: Any) -> Any:
    return value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "flag": _flag,
    "count": _count,
    "number": _number,
    "key": _key,
    "keys": _keys,
    "changes": _changes,
    "json": _json,
}


def _problem(method: str, reason: str) -> UsageProblem:
    return UsageProblem(f"The method {method} {reason}.", unchanged="Nothing was changed.")
