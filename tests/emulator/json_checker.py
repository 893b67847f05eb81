"""Holds JSON against the type declarations of the installed SDK.

Every object of Stripe's API is declared there as a class: a key whose type is not Optional must
be there and not null, an enumeration lists its values, and a key that is not declared is wrong.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from stripe._object_classes import OBJECT_CLASSES

from tests.emulator.sdk_declarations import SDK, members

LISTS = {
    "list": {"object", "data", "has_more", "url"},
    "search_result": {"object", "data", "has_more", "next_page", "url"},
}
PLAIN: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "Decimal": (str,),
}


@dataclass(frozen=True)
class Scope:
    """A declared class, and the classes around it, in which names are looked up."""

    node: ast.ClassDef
    outer: "Scope | None" = None

    def named(self, name: str) -> "Scope | None":
        """The nested class of this name, here or further out."""
        for item in self.node.body:
            if isinstance(item, ast.ClassDef) and item.name == name:
                return Scope(item, self)
        return self.outer.named(name) if self.outer else None

    def keys(self) -> dict[str, ast.expr]:
        """Declared keys with their types."""
        return {
            item.target.id: item.annotation
            for item in self.node.body
            if isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and "ClassVar" not in ast.unparse(item.annotation)
        }


@cache
def declared(kind: str) -> Scope:
    """The class of an object by its `object` value."""
    module, name = OBJECT_CLASSES[kind]
    tree = ast.parse((SDK / f"{module.removeprefix('stripe.').replace('.', '/')}.py").read_text())
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return Scope(found[0])


def expandable(kind: str) -> set[str]:
    """The fields of a kind that are declared expandable, those of nested objects as `a.b`."""
    return set(_expandable(declared(kind), ""))


def _expandable(scope: Scope, prefix: str) -> Iterator[str]:
    for name, annotation in scope.keys().items():
        for member in members(annotation):
            inner = member
            while isinstance(inner, ast.Subscript) and ast.unparse(inner.value) == "List":
                inner = inner.slice
            written = ast.unparse(inner)
            if written.startswith("ExpandableField"):
                yield prefix + name
            elif isinstance(inner, ast.Name | ast.Constant) and (nested := _named(scope, written)):
                yield from _expandable(nested, f"{prefix}{name}.")


def _named(scope: Scope, written: str) -> Scope | None:
    return scope.named(written.strip("'"))


def faults(thing: dict[str, Any]) -> list[str]:
    """What is wrong with an object, or with a list of objects; empty when nothing is."""
    if thing["object"] in LISTS:
        odd = [] if set(thing) == LISTS[thing["object"]] else ["list: odd keys"]
        return odd + [fault for element in thing["data"] for fault in faults(element)]
    if thing.get("deleted"):
        return [] if set(thing) == {"id", "object", "deleted"} else ["deleted: odd keys"]
    found = _object(declared(thing["object"]), thing, thing["object"])
    if thing["object"] == "event":
        found += faults(thing["data"]["object"])
    return found


def _object(scope: Scope, thing: dict[str, Any], path: str) -> list[str]:
    keys = scope.keys()
    found = [f"{path}.{name}: not declared" for name in thing if name not in keys]
    for name, annotation in keys.items():
        where = f"{path}.{name}"
        optional = ast.unparse(annotation).startswith("Optional")
        if name not in thing:
            found += [] if optional or name.startswith("_") else [f"{where}: missing"]
        elif thing[name] is None:
            found += [] if optional else [f"{where}: null"]
        else:
            found += _value(scope, annotation, thing[name], where)
    return found


def _value(scope: Scope, annotation: ast.expr, value: Any, path: str) -> list[str]:
    """Judge a value by the members of its declared type: one of them has to accept it."""
    choices = members(annotation)
    literals = [choice for member in choices for choice in _literals(member)]
    if literals:  # `Union[Literal[...], str]` is how the SDK writes an enumeration
        return [] if value in literals else [f"{path}: {value!r} is not one of {literals}"]
    tries = [_member(scope, member, value, path) for member in choices]
    return min(tries, key=len)


def _literals(member: ast.expr) -> list[Any]:
    if isinstance(member, ast.Subscript) and ast.unparse(member.value) == "Literal":
        inner = member.slice.elts if isinstance(member.slice, ast.Tuple) else [member.slice]
        return [ast.literal_eval(choice) for choice in inner]
    return []


def _member(scope: Scope, member: ast.expr, value: Any, path: str) -> list[str]:
    if isinstance(member, ast.Subscript):
        return _generic(scope, member, value, path)
    name = ast.unparse(member)
    if name == "Any":
        return []
    if name in PLAIN:
        fits = isinstance(value, PLAIN[name]) and (name == "bool") == isinstance(value, bool)
        return [] if fits else [f"{path}: {value!r} is no {name}"]
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no {name}"]
    nested = scope.named(name)
    return _object(nested, value, path) if nested else faults(value)


def _generic(scope: Scope, member: ast.Subscript, value: Any, path: str) -> list[str]:
    outer = ast.unparse(member.value)
    if outer == "ExpandableField":
        return [] if isinstance(value, str) else faults(value)
    if outer == "ListObject":
        return faults(value)
    if outer in ("List", "list"):
        if not isinstance(value, list):
            return [f"{path}: {value!r} is no list"]
        return [
            fault
            for index, element in enumerate(value)
            for fault in _value(scope, member.slice, element, f"{path}[{index}]")
        ]
    if outer in ("UntypedStripeObject", "Dict"):
        return [] if isinstance(value, dict) else [f"{path}: {value!r} is no object"]
    raise AssertionError(f"{path}: what is {ast.unparse(member)}?")
