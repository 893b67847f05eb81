"""HTTP requests to the shop's own servers on this computer, never through a proxy.

Standard library only: the launcher uses it, and a larger client takes longer to import than a
whole start saves.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
HEALTH_SECONDS = 2.0


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
