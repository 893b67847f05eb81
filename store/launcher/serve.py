"""`python -m store`: the storefront loads its libraries while everything is being checked."""

from argparse import Namespace

from store.launcher import listening
from store.launcher.process import raise_file_limit, standing_by

LIBRARIES = ("streamlit.web.server.starlette.starlette_app", "uvicorn.logging", "store.server")


def run(arguments: Namespace) -> int:
    raise_file_limit()
    with standing_by(LIBRARIES, storefront_words(arguments)) as storefront:
        from store.launcher import shop  # noqa: PLC0415 - a tenth of a second, while that one loads

        return shop.keep_open(arguments, storefront)


def storefront_words(arguments: Namespace) -> list[str]:
    return ["store.launcher.asgi", "storefront", str(arguments.port), *addresses(arguments)]


def addresses(arguments: Namespace) -> list[str]:
    """Where the storefront and the sidecar listen."""
    return listening.addresses(getattr(arguments, "host", None))
