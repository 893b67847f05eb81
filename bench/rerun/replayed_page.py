"""The yardstick: a page that shows what ours showed, element for element, and works nothing out.

`EMPTY_PAGE` names the file in which `element_recorder.py` wrote down what that was.
"""

import json
import os
from pathlib import Path
from typing import Any

import streamlit as st


@st.cache_resource
def recorded() -> list[dict[str, Any]]:
    return list(json.loads(Path(os.environ["EMPTY_PAGE"]).read_text("utf-8")))


def draw(nodes: list[dict[str, Any]]) -> None:
    for place, node in enumerate(nodes):
        below, kind = node["below"], node["kind"]
        if below and all(child["kind"] == "column" for child in below):
            for column, child in zip(st.columns(len(below)), below, strict=True):
                with column:
                    draw(child["below"])
        elif kind == "block":
            with st.container(key=f"{node['key']}-{place}", border=bool(node["key"])):
                draw(below)
        elif kind == "html":
            st.html(node["body"], unsafe_allow_javascript="<script" in node["body"])
        elif kind == "number_input":
            st.number_input(node["label"], 0, 10, key=node["label"])
        elif kind == "button":
            st.button(node["label"], key=node["label"])
        else:
            st.text(kind)


draw(recorded())
