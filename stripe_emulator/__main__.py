"""`python -m stripe_emulator --port 8502 --webhook http://… --secret whsec_… --data FILE`"""

import argparse
import contextlib
import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI

from stripe_emulator.app import create_app
from stripe_emulator.base.config import API_VERSION, RETRY_SCHEDULES, Config
from stripe_emulator.base.errors import StripeError
from stripe_emulator.resources.webhook_endpoints import new_secret


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    options = _arguments(arguments)
    secret = options.secret
    if options.webhook and not secret:
        secret = new_secret()
        print_line(f"Deliveries are signed with {secret}")
    config = Config(
        data_path=None if options.data == ":memory:" else Path(options.data),
        host=options.host,
        port=options.port,
        allowed_hosts=tuple(options.allow_host),
        business_name=options.business_name,
        webhook_url=options.webhook,
        webhook_secret=secret,
        retries=options.retries,
        api_version=options.api_version,
        clock_off_seconds=options.clock_off,
    )
    with contextlib.ExitStack() as opened:
        try:
            config.check_hosts()
            _check_webhook(config)
            # Bind before opening the account: if the port is taken, its owner may be serving the
            # file.
            listener = opened.enter_context(_bind(config.host, config.port))
            app = create_app(config)
        except (ValueError, OSError, OverflowError, StripeError) as problem:
            print_line(f"The emulator cannot start: {problem}")
            return 2
        print_line(f"Emulator at {config.address}, account in {options.data}")
        _serve(app, listener, options.log_level)
    return 0


def _serve(app: FastAPI, listener: socket.socket, log_level: str) -> None:
    # The timeout keeps one connection that waits for a page from blocking Ctrl-C.
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level=log_level,
            access_log=False,
            date_header=False,  # the application sends the header itself, with Stripe's time
            timeout_graceful_shutdown=3,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has already shut down
        server.run(sockets=[listener])


def _check_webhook(config: Config) -> None:
    """Raise ValueError for a webhook address that this emulator may not call."""
    host = urlsplit(config.webhook_url).hostname if config.webhook_url else "localhost"
    if not config.is_allowed(host):
        raise ValueError(
            f"events are delivered to this machine only, not to {host}; --allow-host {host} lets "
            "them go there."
        )


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound but not yet listening, so that clients connect only once it
    serves."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name == "posix":  # on Windows this would share a port that is in use
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stripe_emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8502, help="where to listen (8502)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="an address beyond loopback needs --allow-host"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name for requests to it and for its deliveries; may be repeated",
    )
    parser.add_argument(
        "--business-name", default="", metavar="NAME", help="the seller's name on the pages"
    )
    parser.add_argument("--webhook", help="the address of a webhook endpoint for every event")
    parser.add_argument("--secret", help="its signing secret; generated and printed without it")
    parser.add_argument(
        "--data",
        default="data/emulator.db",
        help="the account's file (data/emulator.db), or :memory:",
    )
    parser.add_argument(
        "--retries",
        choices=sorted(RETRY_SCHEDULES),
        default="sandbox",
        help="the schedule for retries of failed deliveries (sandbox)",
    )
    parser.add_argument(
        "--api-version",
        default=API_VERSION,
        help=f"the default version of requests and events ({API_VERSION})",
    )
    parser.add_argument(
        "--clock-off",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how far Stripe's clock is ahead of this machine's; below 0: behind (0)",
    )
    parser.add_argument(
        "--log-level",
        choices=tuple(uvicorn.config.LOG_LEVELS),
        default="warning",
        help="the log level of the server (warning)",
    )
    return parser.parse_args(arguments)


def print_line(sentence: str) -> None:
    """Print one line and flush it."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
