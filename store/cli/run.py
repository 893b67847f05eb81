"""`python -m store`: the storefront imports its libraries while everything else is checked.

Without this, or without starting the emulator after the page (`ShopProcesses.wait_for_page`), the
page takes longer than `bench startup` allows: 0.87 s or 1.2 s instead of 0.7 s on two cores.
"""

import os
from argparse import Namespace

from store.cli.child_process import child_command, kill_group, raise_file_limit, start

LIBRARIES = (
    "streamlit.web.server.starlette.starlette_app",
    "uvicorn.logging",
    "store.storefront.server",
)


def run(arguments: Namespace) -> int:
    """Run the shop until a signal stops it; the exit code."""
    raise_file_limit()
    with start(child_command("--preload", *LIBRARIES), os.environ) as storefront:
        try:
            from store.cli import launch  # noqa: PLC0415 - a fifth of a second, in the meantime

            return launch.run(arguments, storefront)
        finally:
            kill_group(storefront)
