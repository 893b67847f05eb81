"""What a page consists of, written down from the messages that drew it."""

from collections.abc import Sequence
from typing import Any

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

MAIN = 0  # the containers beside it hold no more than the style sheet


def elements_of(deltas: Sequence[ForwardMsg]) -> list[dict[str, Any]]:
    """The elements of a page as a tree: kind, text, and what lies below."""
    tree: dict[tuple[int, ...], dict[str, Any]] = {}
    top: list[dict[str, Any]] = []
    for message in deltas:
        path = tuple(message.metadata.delta_path)
        known = tree.get(path)
        node = node_of(message) | {"below": known["below"] if known else []}
        if known is not None:  # drawn a second time in the same place
            known.update(node)
            continue
        tree[path] = node
        above = tree.get(path[:-1])
        (above["below"] if above else top).append(node)
    return top


def node_of(message: ForwardMsg) -> dict[str, Any]:
    if message.delta.HasField("add_block"):
        block = message.delta.add_block
        kind = "column" if block.HasField("column") else "block"
        return {"kind": kind, "key": block.id or "/".join(map(str, message.metadata.delta_path))}
    element = message.delta.new_element
    kind = element.WhichOneof("type") or "empty"
    if kind == "html":
        return {"kind": kind, "body": element.html.body}
    if kind in ("button", "number_input"):
        return {"kind": kind, "label": getattr(element, kind).label}
    return {"kind": kind}


def count(nodes: Sequence[dict[str, Any]]) -> int:
    return sum(1 + count(node["below"]) for node in nodes)
