"""Typed parameters of a request, read by the table in `parameters.json`.

The table is generated from the type declarations of the pinned SDK, and a test compares the two. So
every parameter that Stripe documents is known here, and any other is refused at any depth. Limits
of length and count are in `limits.py`.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.parameters import limits
from stripe_emulator.parameters.form_encoding import Raw
from stripe_emulator.parameters.undocumented import CALLS


def load(file: Path) -> dict[str, Any]:
    """Return call → spec; `{"$shared": name}` is a spec that several calls have in common."""
    text = json.loads(file.read_text())

    def resolved(spec: Any) -> Any:
        if not isinstance(spec, dict):
            return spec
        if "$shared" in spec:
            return shared(spec["$shared"])
        return {name: resolved(inner) for name, inner in spec.items()}

    @cache
    def shared(name: str) -> Any:
        return resolved(text["shared"][name])

    return {call: resolved(spec) for call, spec in text["calls"].items()}


TABLE = CALLS | load(Path(__file__).parent / "parameters.json")
INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?", re.ASCII)
Parameters = dict[str, Any]


def read(call: str, raw: Raw) -> Parameters:
    """Return the typed parameters of one call. Raises InvalidRequest in Stripe's words."""
    values: Parameters = _fields(TABLE[call], raw, "")
    return values


def _value(spec: Any, raw: Any, path: str) -> Any:
    """Return one value by its spec: a type name, or a dictionary that names its shape."""
    if isinstance(spec, str):
        return PLAIN[spec](raw, path)
    for shape, reader in SHAPES.items():
        if shape in spec:
            return reader(spec, raw, path)
    raise LookupError(f"parameters.json says nothing about {path}")


def _fields(spec: Any, raw: Any, path: str) -> Parameters:
    specs = spec["fields"]
    values: Parameters = {}
    for name, value in _object(raw, path).items():
        param = param_path(path, name)
        if name not in specs:
            raise InvalidRequest(
                f"Received unknown parameter: {param}", code="parameter_unknown", param=param
            )
        values[name] = _value(specs[name], value, param)
    for name in spec.get("required", ()):
        if name not in values:
            raise missing_param(param_path(path, name))
    return values


def missing_param(path: str) -> InvalidRequest:
    """Return the error of a missing required parameter."""
    return InvalidRequest(f"Missing required param: {path}.", code="parameter_missing", param=path)


def param_path(path: str, name: str) -> str:
    """Return `name` below `path`, as Stripe writes it."""
    return f"{path}[{name}]" if path else name


def _object(raw: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise InvalidRequest("Invalid object", param=path)
    return raw


def _list(spec: Any, raw: Any, path: str) -> list[Any]:
    """Return the elements in the order of their indexes."""
    if raw == "":
        return []  # an empty value unsets a list
    if not isinstance(raw, dict) or not all(INTEGER.fullmatch(index) for index in raw):
        raise InvalidRequest("Invalid array", param=path)
    most = limits.items(path)
    if most is not None and len(raw) > most:
        raise InvalidRequest(f"Array {path} exceeded maximum {most} allowed elements.", param=path)
    element = spec["list"]
    return [_value(element, raw[index], f"{path}[{index}]") for index in sorted(raw, key=int)]


def _or_empty(spec: Any, raw: Any, path: str) -> Any:
    return "" if raw == "" else _value(spec["or_empty"], raw, path)


def _map(spec: Any, raw: Any, path: str) -> dict[str, Any]:
    return {
        name: _value(spec["map"], value, f"{path}[{name}]")
        for name, value in _object(raw, path).items()
    }


def _enum(spec: Any, raw: Any, path: str) -> str:
    value, choices = _filled(raw, path), spec["enum"]
    if value not in choices:
        listed = ", ".join(choices[:-1]) + f", or {choices[-1]}" if choices[1:] else choices[0]
        raise InvalidRequest(f"Invalid {path}: must be one of {listed}", param=path)
    return value


def _any(spec: Any, raw: Any, path: str) -> Any:
    """Return the value by the first alternative of the same shape; a plain type is the last one."""
    *shaped, plain = spec["any"]
    for choice in shaped:
        fits = raw in choice["enum"] if "enum" in choice else isinstance(raw, dict)
        if fits:
            return _value(choice, raw, path)
    return _value(plain, raw, path)


def _filled(raw: Any, path: str) -> str:
    """Return a non-empty string. Stripe takes an empty one as an attempt to unset the parameter."""
    if not isinstance(raw, str):
        raise InvalidRequest("Invalid string: expected a string", param=path)
    if raw == "":
        raise InvalidRequest(
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{path}' cannot be unset. You should remove '{path}' "
            "from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=path,
        )
    return raw


def _string(raw: Any, path: str) -> str:
    value = _filled(raw, path)
    most = limits.characters(path)
    if len(value) > most:
        raise InvalidRequest(
            f"Invalid string: {value[:20]}...{value[-10:]}; must be at most {most} characters",
            param=path,
        )
    return value


def _integer(raw: Any, path: str) -> int:
    text = _filled(raw, path)
    if not INTEGER.fullmatch(text):
        raise InvalidRequest(
            f"Invalid integer: {text[:100]}", code="parameter_invalid_integer", param=path
        )
    value = int(text)
    least, most = limits.numbers(path)
    if least is not None and value < least:
        raise InvalidRequest(
            f"This value must be greater than or equal to {least}.",
            code="parameter_invalid_integer",
            param=path,
        )
    if most is not None and value > most:
        raise InvalidRequest(
            f"This value must be less than or equal to {most}.",
            code="parameter_invalid_integer",
            param=path,
        )
    return value


def _boolean(raw: Any, path: str) -> bool:
    """Return a boolean in any case: stripe-python up to 12 and Stripe.net send `True`."""
    text = _filled(raw, path)
    if text.lower() not in ("true", "false"):
        raise InvalidRequest(f"Invalid boolean: {text[:100]}", param=path)
    return text.lower() == "true"


def _decimal(raw: Any, path: str) -> Decimal:
    text = _filled(raw, path)
    try:
        if DECIMAL.fullmatch(text):
            return Decimal(text)
    except InvalidOperation:
        pass
    raise InvalidRequest(f"Invalid decimal: {text[:100]}", param=path)


def _metadata(raw: Any, path: str) -> dict[str, str]:
    """Return up to 50 pairs of text; an empty value unsets its key."""
    pairs = _object(raw, path)
    if len(pairs) > limits.METADATA_KEYS:
        raise InvalidRequest(
            f"Metadata can have up to {limits.METADATA_KEYS} keys, but you passed in {len(pairs)}.",
            param=path,
        )
    for name, value in pairs.items():
        param = f"{path}[{name}]"
        if len(name) > limits.METADATA_NAME:
            raise InvalidRequest(
                f"Metadata keys can have up to {limits.METADATA_NAME} characters, but you passed "
                f"in a key that is {len(name)} characters. Invalid key: {name[:100]}",
                param=path,
            )
        if not isinstance(value, str):
            raise InvalidRequest("Invalid string: metadata values are strings", param=param)
        if len(value) > limits.METADATA_VALUE:
            raise InvalidRequest(
                f"Metadata values can have up to {limits.METADATA_VALUE} characters, but you "
                f"passed in a value that is {len(value)} characters. Invalid value: {value}",
                param=param,
            )
    return dict(pairs)


PLAIN = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "decimal": _decimal,
    "map": _metadata,
}
SHAPES = {
    "fields": _fields,
    "list": _list,
    "enum": _enum,
    "or_empty": _or_empty,
    "map": _map,
    "any": _any,
}
