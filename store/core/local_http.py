"""HTTP requests to the shop's own servers on this computer, never through a proxy.

Standard library only: the launcher uses it, and a larger client takes longer to import than a
whole start saves.
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
HEALTH_SECONDS = 2.0
READY_SECONDS = 4.0  # it may wait a moment for a write of its own
GOOD_STATES = ("ok", "not compared with Stripe's yet")


class NoResponse(Exception):
    """Nothing answers at the address, or not in time."""


class Response(NamedTuple):
    status: int
    body: bytes


def send(
    method: str,
    url: str,
    *,
    timeout: float,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """The response, also one that reports an error; raises `NoResponse` if there is none."""
    try:
        request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310 - our own
        try:
            response = LOCAL.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return Response(response.status, response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NoResponse(url) from error


def is_up(url: str) -> bool:
    """True where a request to `url` is answered without an error."""
    try:
        return send("GET", url, timeout=HEALTH_SECONDS).status < 400
    except NoResponse:
        return False


def readiness(webhook_server: str) -> tuple[bool, dict[str, str]] | None:
    """Whether the webhook server at this address is ready, and the states in its `/readyz` that
    are not good, by name.

    None if no webhook server of ours answers there.
    """
    try:
        status, body = send("GET", f"{webhook_server}/readyz", timeout=READY_SECONDS)
        states = json.loads(body)
    except (NoResponse, ValueError):
        return None
    if not isinstance(states, dict) or "database" not in states or status not in (200, 503):
        return None
    return status == 200, {name: s for name, s in states.items() if s not in GOOD_STATES}
