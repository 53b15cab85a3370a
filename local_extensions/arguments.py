"""The arguments of a beat job: Python literals that JSON carries, and the parameters that they become."""

from __future__ import annotations

import ast
import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

from local_extensions.errors import shown
from local_extensions.names import parameter_problem

LARGEST_INTEGER = 2**63 - 1
"""Beyond it, not every reader of JSON keeps a number as it is."""

NO_LITERALS = "has arguments that are not Python literals"

DEEPEST = 20
"""Lists and dicts within each other."""


class ArgumentError(ValueError):
    """An argument that a message cannot carry, or that no parameter can be named after. Completes "'piece' ..."."""


@dataclass(frozen=True)
class Argument:
    """An argument and its parameter.

    Attributes:
        name: the parameter's name.
        annotation: its type.
        value: what beat sends.
        keyword: whether it is passed by name.
    """

    name: str
    annotation: str
    value: Any
    keyword: bool


def parse_arguments(text: str) -> tuple[Argument, ...]:
    """The arguments of `(30, dry_run=False)`, brackets included.

    Raises:
        ArgumentError: something in it is no literal, or no name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an escape that means nothing ("\d") is a mistake
            call = ast.parse(f"f{text}", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ArgumentError("has arguments that Python cannot read") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ArgumentError(NO_LITERALS)
    values = [_value(node) for node in call.args]
    keywords = {item.arg or "**": _value(item.value) for item in call.keywords}
    for name in keywords:
        if problem := "write each by name" if name == "**" else parameter_problem(name):
            raise ArgumentError(f"has the argument {shown(name)}: {problem}")
    if len(keywords) < len(call.keywords):
        raise ArgumentError("has the same argument twice")
    positional = zip(_names(values, set(keywords)), values, strict=True)
    return (
        *(Argument(name, annotation(value), value, keyword=False) for name, value in positional),
        *(Argument(name, annotation(value), value, keyword=True) for name, value in keywords.items()),
    )


def _value(node: ast.expr, depth: int = 0) -> Any:
    """The value of a literal.

    Raises:
        ArgumentError: it is none, or JSON has no such thing.
    """
    match node:
        case ast.List() | ast.Dict() if depth == DEEPEST:
            raise ArgumentError(f"has lists or dicts more than {DEEPEST} deep")
        case ast.List():
            return [_value(item, depth + 1) for item in node.elts]
        case ast.Dict():
            return _dict(node, depth + 1)
        case ast.UnaryOp(op=sign, operand=ast.Constant(value=number)):
            return _signed(sign, number)
        case ast.Constant():
            return _scalar(node.value)
        case ast.Tuple() | ast.Set():
            raise ArgumentError("has a tuple or a set, which a message cannot carry: write a list")
        case ast.Name():
            raise ArgumentError(f"has {shown(node.id)}, which is a name and not a literal: a text needs quotes")
    raise ArgumentError(NO_LITERALS)


def _signed(sign: ast.unaryop, number: object) -> Any:
    if isinstance(number, bool) or not isinstance(number, int | float) or not isinstance(sign, ast.USub | ast.UAdd):
        raise ArgumentError(NO_LITERALS)
    return _scalar(-number if isinstance(sign, ast.USub) else number)


def _dict(node: ast.Dict, depth: int) -> dict[str, Any]:
    keys = [None if key is None else _value(key, depth) for key in node.keys]
    if not all(isinstance(key, str) for key in keys):
        raise ArgumentError("has a dict with a key that is not a text, which a message cannot carry")
    if len(set(keys)) < len(keys):
        raise ArgumentError("has a dict with the same key twice")
    return {str(key): _value(item, depth) for key, item in zip(keys, node.values, strict=True)}


def _scalar(value: object) -> Any:
    match value:
        case None | bool():
            return value
        case int() if abs(value) <= LARGEST_INTEGER:
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise ArgumentError("has a number that a message cannot carry: it is too large")
        case str() if not any("\ud800" <= character <= "\udfff" for character in value):
            return value
        case str():
            raise ArgumentError("has a text with half a character (a lone surrogate)")
    raise ArgumentError(f"has a value of type {type(value).__name__}, which a message cannot carry")


def annotation(value: Any) -> str:
    """The type of a parameter that takes such a value."""
    match value:
        case None:
            return "Any"
        case dict():
            return "dict[str, Any]"
        case list():
            types = {annotation(item) for item in value}
            return f"list[{types.pop() if len(types) == 1 else 'Any'}]"
    return type(value).__name__


def _names(values: list[Any], taken: set[str]) -> list[str]:
    """Parameter names for positional values: what they are, with a number where a name would come twice."""
    words = {int: "number", float: "number", str: "text", bool: "flag", list: "items", dict: "options"}
    wanted = [words.get(type(value), "value") for value in values]
    count = Counter(wanted)
    seen: Counter[str] = Counter()
    names = []
    for word in wanted:
        name = word
        while name in taken or (name == word and count[word] > 1):
            seen[word] += 1
            name = f"{word}_{seen[word]}"
        taken.add(name)
        names.append(name)
    return names
