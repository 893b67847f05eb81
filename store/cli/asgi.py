"""One of the two servers as the launcher runs it: every option is explicit, none is inherited.

`python -m store.cli.asgi storefront|sidecar PORT ADDRESS …`

uvicorn and Streamlit read dozens of environment variables and files in the home folder when they
are started by their own command lines. Built from their parts, they read none: the storefront is
configured by the project's `.streamlit/config.toml` alone. Checked with Streamlit 1.67 and
uvicorn 0.54.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn

from store.cli.listening import BACKLOG, LOOPBACK, listeners
from store.cli.virtualenv import ROOT
from store.core import logs

APPS = {"storefront": "streamlit_app:app", "sidecar": "webhook_server:app"}
LARGEST_MESSAGE = 1024 * 1024  # bytes; what a page of ours sends over its WebSocket is far smaller
PING_SECONDS = 30
GRACE_SECONDS = 3  # a connection that is left open must not hold up the end


def main(words: Sequence[str]) -> int:
    name, port, *wanted = words
    logs.configure()
    options: dict[str, Any] = {"ws": "none"}
    if name == "storefront":
        configure_streamlit(int(port))
        options = {"ws": "websockets-sansio", "ws_per_message_deflate": False}
    config = uvicorn.Config(
        APPS[name],
        lifespan="on",  # a start that fails ends the process instead of serving half a shop
        workers=1,
        reload=False,
        access_log=False,
        log_config=None,
        use_colors=False,
        backlog=BACKLOG,
        proxy_headers=True,
        forwarded_allow_ips=list(LOOPBACK),
        ws_max_size=LARGEST_MESSAGE,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **options,
    )
    try:
        sockets = listeners(wanted, int(port))
    except OSError as error:
        sys.stderr.write(f"Port {port} cannot be opened ({error.strerror}).\n")
        return 1
    server = uvicorn.Server(config)
    server.run(sockets=sockets)
    return 0 if server.started else 3


def configure_streamlit(port: int) -> None:
    """Let Streamlit read the project's own files only, and know its port."""
    from streamlit import config  # noqa: PLC0415 - the sidecar has no need of it

    def project_files(file_name: str) -> list[str]:
        return [str(Path(ROOT, ".streamlit", file_name))]

    config.get_config_files = project_files
    options = config.get_config_options(
        force_reparse=True, options_from_flags={"server.port": port, "server.headless": True}
    )
    assert options["server.port"].value == port, "this version of Streamlit is configured otherwise"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
