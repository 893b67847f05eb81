"""`python -m store`: the storefront loads its libraries while everything is being checked."""

from argparse import Namespace

from store.launcher.process import standing_by

LIBRARIES = ("streamlit.web.cli", "uvicorn", "store.server")


def run(arguments: Namespace) -> int:
    with standing_by(LIBRARIES, storefront_words(arguments)) as storefront:
        from store.launcher import shop  # noqa: PLC0415 - a tenth of a second, while that one loads

        return shop.keep_open(arguments, storefront)


def storefront_words(arguments: Namespace) -> list[str]:
    return [
        *("streamlit", "run", "streamlit_app.py"),
        *("--server.port", str(arguments.port)),
        *("--server.headless", "true"),
        *("--logger.hideWelcomeMessage", "true"),
    ]
