"""`python -m store`: the storefront loads its libraries while everything is being checked."""

from argparse import Namespace

from store.cli import listening
from store.cli.child_process import raise_file_limit, standing_by

LIBRARIES = (
    "streamlit.web.server.starlette.starlette_app",
    "uvicorn.logging",
    "store.storefront.server",
)


def run(arguments: Namespace) -> int:
    raise_file_limit()
    with standing_by(LIBRARIES, listening.storefront_command(arguments)) as storefront:
        from store.cli import shop  # noqa: PLC0415 - a tenth of a second, while that one loads

        return shop.keep_open(arguments, storefront)
