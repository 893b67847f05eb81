"""The address that a request was sent to, and the client that sent it.

Read from the connection and the headers of a request or WebSocket handshake only. What later
messages contain is never used: a script can send anything.
"""

import ipaddress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from store.core import addresses, settings

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
UNKNOWN_CLIENT = "unknown"
# Headers in which proxies report HTTPS. The first entry is the hop nearest to the browser.
SCHEME_HEADERS = ("x-forwarded-proto", "x-forwarded-scheme", "cloudfront-forwarded-proto")
HTTPS_FLAGS = ("x-forwarded-ssl", "front-end-https")
PROXY_HEADERS = "forwarded via x-real-ip x-client-ip true-client-ip cf-connecting-ip".split()


@dataclass(frozen=True)
class Origin:
    scheme: str
    host: addresses.Host

    @classmethod
    def parse(cls, text: str) -> "Origin | None":
        """None for `null` and for everything but http(s)://host[:port]."""
        scheme, separator, rest = text.partition("://")
        host = addresses.Host.parse(rest)
        if not separator or host is None or scheme.lower() not in addresses.DEFAULT_PORTS:
            return None
        return cls(scheme.lower(), host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


def host_of(headers: Headers) -> addresses.Host | None:
    """The Host header; None where it is missing, repeated or malformed."""
    values = headers.getlist("host")
    return addresses.Host.parse(values[0]) if len(values) == 1 else None


def over_https(scope: Scope) -> bool:
    """True where the browser uses HTTPS, be it to a proxy."""
    if scope["scheme"] in ("https", "wss"):
        return True
    headers = Headers(scope=scope)
    for name in SCHEME_HEADERS:
        if value := first(headers.get(name, "")):
            return value in ("https", "wss")
    if any(first(headers.get(name, "")) == "on" for name in HTTPS_FLAGS):
        return True
    parts = (part.partition("=") for part in first(headers.get("forwarded", "")).split(";"))
    return any(name.strip() == "proto" and value.strip(' "') == "https" for name, _, value in parts)


def first(value: str) -> str:
    return value.partition(",")[0].strip().lower()


def own_origin(scope: Scope) -> Origin | None:
    """The Origin header where it is this shop's: the host of the request, or `STORE_URL`.

    A page on another port, another scheme or a subdomain is another site: the browser sends our
    cookies along with what such a page opens, so it must be refused.
    """
    headers = Headers(scope=scope)
    values = headers.getlist("origin")
    origin = Origin.parse(values[0]) if len(values) == 1 else None
    if origin is None:
        return None
    host = host_of(headers)
    if host and origin.host.same(host, origin.scheme):
        return origin if origin.scheme == "https" or not over_https(scope) else None
    scheme, _, rest = (settings.current().store_url or "").partition("://")
    store = Origin.parse(f"{scheme}://{rest.partition('/')[0]}")
    if store and origin.scheme == store.scheme and origin.host.same(store.host, store.scheme):
        return origin
    return None


def visited_address(scope: Scope) -> str | None:
    """`scheme://host[:port]` as the browser has it; None without a usable Host header."""
    host = host_of(Headers(scope=scope))
    if host is None:
        return None
    origin = own_origin(scope)
    if origin and origin.host.same(host, origin.scheme):
        return str(origin)  # the browser's scheme, also behind a proxy that does not report it
    return f"{'https' if over_https(scope) else 'http'}://{host}"


def is_local(scope: Scope) -> bool:
    """True where the client runs on this computer and used no proxy.

    The Host header names this computer as well, or else this may be DNS rebinding.
    """
    headers = Headers(scope=scope)
    if any(name.startswith("x-forwarded-") or name in PROXY_HEADERS for name in headers):
        return False
    host, client = host_of(headers), scope.get("client")
    address = addresses.ip_address(client[0]) if client else None
    return bool(host and host.is_loopback and address and address.is_loopback)


def client_networks(text: str) -> tuple[str, ...]:
    """The networks that count as one client, narrowest first.

    An IPv4 address; of IPv6 the /64 that one subscriber owns, then the /48 that one site may own.
    Both loopback addresses are one client, and so are all unknown addresses.
    """
    address = addresses.ip_address(text)
    if address is None:
        return (UNKNOWN_CLIENT,)
    if str(address) in ("127.0.0.1", "::1"):
        return ("this computer",)
    if isinstance(address, ipaddress.IPv6Address):  # one that carries an IPv4 address is that
        ipv4 = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else None
        address = ipv4 or address.sixtofour or address
    if address.version == 4 or address.is_link_local:
        return (str(address),)
    return tuple(str(ipaddress.ip_network((int(address), bits), strict=False)) for bits in (64, 48))
