"""The parser for the arguments of a beat job: Python literals that JSON can represent."""

from __future__ import annotations

import ast
import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

from local_extensions.errors import quote_piece
from local_extensions.names import find_parameter_name_problem

MAX_INTEGER = 2**63 - 1
"""Some JSON parsers lose precision above 64-bit integers."""

INVALID_SYNTAX = "has invalid Python syntax in its arguments"
NOT_LITERALS = "has arguments that are not Python literals"

MAX_DEPTH = 20
"""Nesting levels of lists and dicts."""


class ArgumentError(ValueError):
    """An invalid argument. The message is the predicate of a sentence whose subject is the job."""


@dataclass(frozen=True)
class Argument:
    """An argument and the parameter that receives it.

    Attributes:
        name: The parameter name.
        annotation: The type annotation of the parameter.
        value: The value that beat sends.
        keyword: Whether the argument is passed by keyword.
    """

    name: str
    annotation: str
    value: Any
    keyword: bool


def parse_arguments(text: str) -> tuple[Argument, ...]:
    """Parse an argument list with its parentheses, for example `(30, dry_run=False)`.

    Raises:
        ArgumentError: A value is not a literal, or an argument name is invalid.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # reject invalid escape sequences such as "\d"
            call = ast.parse(f"f{text}", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ArgumentError(INVALID_SYNTAX) from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ArgumentError(NOT_LITERALS)
    values = [_parse_value(node) for node in call.args]
    keywords = {item.arg or "**": _parse_value(item.value) for item in call.keywords}
    for name in keywords:
        if name == "**":
            raise ArgumentError("has arguments unpacked with '**'; write each one as name=value")
        if problem := find_parameter_name_problem(name):
            raise ArgumentError(f"has the invalid argument name {quote_piece(name)}: {problem}")
    if len(keywords) < len(call.keywords):
        raise ArgumentError("has a duplicate keyword argument")
    positional = zip(_name_parameters(values, set(keywords)), values, strict=True)
    return (
        *(Argument(name, infer_annotation(value), value, keyword=False) for name, value in positional),
        *(Argument(name, infer_annotation(value), value, keyword=True) for name, value in keywords.items()),
    )


def _parse_value(node: ast.expr, depth: int = 0) -> Any:
    """Return the value of a literal.

    Raises:
        ArgumentError: It is not a literal, or JSON cannot represent it.
    """
    match node:
        case ast.List() | ast.Dict() if depth == MAX_DEPTH:
            raise ArgumentError(f"has lists or dicts nested more than {MAX_DEPTH} levels deep")
        case ast.List():
            return [_parse_value(item, depth + 1) for item in node.elts]
        case ast.Dict():
            return _parse_dict(node, depth + 1)
        case ast.UnaryOp(op=sign, operand=ast.Constant(value=number)):
            return _parse_signed_number(sign, number)
        case ast.Constant():
            return _check_scalar(node.value)
        case ast.Tuple() | ast.Set():
            raise ArgumentError("has a tuple or a set, which JSON does not support; use a list")
        case ast.Name():
            raise ArgumentError(f"has the name {quote_piece(node.id)}, which is not a literal; put strings in quotes")
    raise ArgumentError(NOT_LITERALS)


def _parse_signed_number(sign: ast.unaryop, number: object) -> Any:
    if isinstance(number, bool) or not isinstance(number, int | float) or not isinstance(sign, ast.USub | ast.UAdd):
        raise ArgumentError(NOT_LITERALS)
    return _check_scalar(-number if isinstance(sign, ast.USub) else number)


def _parse_dict(node: ast.Dict, depth: int) -> dict[str, Any]:
    keys = [None if key is None else _parse_value(key, depth) for key in node.keys]
    if not all(isinstance(key, str) for key in keys):
        raise ArgumentError("has a dict key that is not a string, which JSON does not support")
    if len(set(keys)) < len(keys):
        raise ArgumentError("has a dict with a duplicate key")
    return {str(key): _parse_value(item, depth) for key, item in zip(keys, node.values, strict=True)}


def _check_scalar(value: object) -> Any:
    match value:
        case None | bool():
            return value
        case int() if abs(value) <= MAX_INTEGER:
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise ArgumentError("has a number that is out of range")
        case str() if not any("\ud800" <= character <= "\udfff" for character in value):
            return value
        case str():
            raise ArgumentError("has a string with a lone surrogate")
    raise ArgumentError(f"has a value of type {type(value).__name__}, which JSON does not support")


def infer_annotation(value: Any) -> str:
    """Return the type annotation of a parameter that receives this value."""
    match value:
        case None:
            return "Any"
        case dict():
            return "dict[str, Any]"
        case list():
            types = {infer_annotation(item) for item in value}
            return f"list[{types.pop() if len(types) == 1 else 'Any'}]"
    return type(value).__name__


def _name_parameters(values: list[Any], taken: set[str]) -> list[str]:
    """Return parameter names for positional values: each is named after its type, and numbered if not unique."""
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
