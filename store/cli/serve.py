"""Serves the storefront or the webhook server by uvicorn, with every option set explicitly.

`python -m store.cli.serve "storefront"|"webhook server" PORT ADDRESS …`

Started by their own command lines, uvicorn and Streamlit read dozens of environment variables and
files in the home folder. Here they read none: only the project's `.streamlit/config.toml`
configures the storefront. Checked with Streamlit 1.67 and uvicorn 0.54.
"""

import sys
from collections.abc import Sequence
from typing import Any

import uvicorn

from store.cli.listening import BACKLOG, LOOPBACK, listeners
from store.cli.virtualenv import ROOT
from store.core import logs

APPS = {"storefront": "streamlit_app:app", "webhook server": "webhook_server:app"}
MAX_MESSAGE_BYTES = 1024 * 1024  # over the WebSocket; a page of ours sends far less
PING_SECONDS = 30
GRACE_SECONDS = 3  # for open connections, when the server stops


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal; 1 if the port cannot be opened, 3 if the application did not start."""
    name, port, *addresses = arguments
    logs.configure()
    options: dict[str, Any] = {"ws": "none"}
    if name == "storefront":
        configure_streamlit(int(port))
        options = {"ws": "websockets-sansio", "ws_per_message_deflate": False}
    config = uvicorn.Config(
        APPS[name],
        lifespan="on",  # a failed start ends the process
        workers=1,
        reload=False,
        access_log=False,
        log_config=None,
        use_colors=False,
        backlog=BACKLOG,
        proxy_headers=True,
        forwarded_allow_ips=list(LOOPBACK),
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **options,
    )
    try:
        sockets = listeners(addresses, int(port))
    except OSError as error:
        sys.stderr.write(f"Port {port} cannot be opened ({error.strerror}).\n")
        return 1
    server = uvicorn.Server(config)
    server.run(sockets=sockets)
    return 0 if server.started else 3


def configure_streamlit(port: int) -> None:
    """Set the port, and let Streamlit read the project's own files only."""
    from streamlit import config  # noqa: PLC0415 - not in the webhook server

    config.get_config_files = lambda file_name: [str(ROOT / ".streamlit" / file_name)]
    options = config.get_config_options(
        force_reparse=True, options_from_flags={"server.port": port, "server.headless": True}
    )
    assert options["server.port"].value == port, "this version of Streamlit is configured otherwise"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
