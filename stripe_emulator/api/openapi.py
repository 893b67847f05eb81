"""The OpenAPI description of the API, built from the two tables that serve it."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from stripe_emulator.api.routes import OPERATIONS
from stripe_emulator.parameters import limits, parameters

PLAIN: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "minLength": 1},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "decimal": {"type": "number"},
    "map": {
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": limits.METADATA_VALUE},
        "maxProperties": limits.METADATA_KEYS,
    },
}
RESPONSES = {
    "200": {"description": "The object", "content": {"application/json": {"schema": {}}}},
    **{
        str(status): {"description": "Stripe's error", "content": {"application/json": {}}}
        for status in (400, 401, 402, 404, 409, 429, 500)
    },
}
FORM = "application/x-www-form-urlencoded"


def describe(app: FastAPI) -> None:
    """Add the calls of Stripe's API to FastAPI's description of the control API."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made_by_fastapi()
            schema["paths"] = schema["paths"] | paths()
            schema.setdefault("components", {})["securitySchemes"] = {
                "key": {"type": "http", "scheme": "bearer"}
            }
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def paths() -> dict[str, Any]:
    """Return every call of the API."""
    described: dict[str, Any] = {}
    for name in OPERATIONS:
        method, path = name.split(" ")
        described.setdefault(path, {})[method.lower()] = _operation(name)
    return described


def _operation(name: str) -> dict[str, Any]:
    spec = parameters.TABLE[name]
    operation: dict[str, Any] = {
        "operationId": name.replace(" ", "_").replace("/", "_"),
        "responses": RESPONSES,
        "security": [{"key": []}],
        "parameters": [],
    }
    if "{id}" in name:
        parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        operation["parameters"].append(parameter)
    if name.startswith("POST"):
        content = {FORM: {"schema": schema(spec), "encoding": _encoding(spec)}}
        operation["requestBody"] = {"content": content, "required": bool(spec.get("required"))}
    else:
        operation["parameters"] += [
            {"name": field, "in": "query", "schema": schema(kind), "style": "deepObject"}
            if not isinstance(kind, str) and "any" in kind
            else {"name": field, "in": "query", "schema": schema(kind)}
            for field, kind in spec["fields"].items()
            if isinstance(kind, str) or "enum" in kind or "any" in kind
        ]
    return operation


def _encoding(spec: Any) -> dict[str, Any]:
    """Return the form encoding of a call: objects and lists are written with brackets."""
    nested = [name for name, kind in spec["fields"].items() if not isinstance(kind, str)]
    return {name: {"style": "deepObject", "explode": True} for name in nested}


def schema(spec: Any) -> dict[str, Any]:
    """Return one entry of `parameters.json` as a JSON schema."""
    if isinstance(spec, str):
        return PLAIN[spec]
    ((shape, inner), *_) = spec.items()
    return SHAPES[shape](inner, spec)


def _object(fields: Any, spec: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: schema(kind) for name, kind in fields.items()},
        "required": spec.get("required", []),
        "additionalProperties": False,
    }


SHAPES: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "fields": _object,
    "list": lambda inner, _: {"type": "array", "items": schema(inner)},
    "enum": lambda inner, _: {"type": "string", "enum": inner},
    "map": lambda inner, _: {"type": "object", "additionalProperties": schema(inner)},
    "or_empty": lambda inner, _: {"anyOf": [{"type": "string", "enum": [""]}, schema(inner)]},
    "any": lambda inner, _: {"anyOf": [schema(choice) for choice in inner]},
}
