"""How this shop reaches Stripe, and why it does not.

Of what a machine's environment holds only this counts: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
NO_PROXY, and a certificate authority by REQUESTS_CA_BUNDLE, SSL_CERT_FILE or CURL_CA_BUNDLE. No
`.netrc`, whose login would take the place of the key, and no redirect, which Stripe never sends.
"""

import importlib.util
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import requests
from requests import exceptions
from requests.utils import should_bypass_proxies

STRIPE = "https://api.stripe.com"
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
"""Variables that name a file of certificate authorities, the one that wins first."""
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class Named(NamedTuple):
    """A value and the variable that it comes from."""

    variable: str
    value: str


class Session(requests.Session):
    """The HTTP session of the SDK, which trusts nothing but what this module names."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: a redirect is an answer that is not Stripe's."""

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """`verify` is the SDK's own list of authorities."""
        proxy, authorities = proxy_for(str(url)), authorities_named()
        return {
            "proxies": {urlsplit(str(url)).scheme: proxy.value} if proxy else {},
            "stream": stream,
            "verify": authorities.value if authorities else verify,
            "cert": cert,
        }


def is_loopback(host: str) -> bool:
    """Whether this is the machine itself, which no proxy can reach for us."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def proxy_for(url: str) -> Named | None:
    """The proxy for an address; None for the machine itself and for what NO_PROXY lists."""
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return None
    found = getproxies_environment()
    kind = next((kind for kind in (parts.scheme, "all") if found.get(kind)), None)
    if kind is None or should_bypass_proxies(url, no_proxy=None):
        return None
    return Named(f"{kind.upper()}_PROXY", found[kind])


def authorities_named() -> Named | None:
    """The file, or the folder, of certificate authorities that the environment names."""
    for variable in AUTHORITIES:
        if value := os.environ.get(variable, "").strip():
            return Named(variable, value)
    return None


def fault(url: str) -> str:
    """What the environment says that cannot work for an address, in one sentence; else empty."""
    proxy, authorities = proxy_for(url), authorities_named()
    if proxy and (sentence := _proxy_fault(proxy)):
        return sentence
    if authorities and url.startswith("https:"):
        return _authorities_fault(authorities)
    return ""


def _proxy_fault(proxy: Named) -> str:
    try:
        parts = urlsplit(proxy.value if "://" in proxy.value else f"http://{proxy.value}")
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.scheme not in PROXY_SCHEMES:
        return f"{proxy.variable} names no proxy such as http://proxy.example:3128."
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
        return (
            f"{proxy.variable} names a SOCKS proxy, for which the package PySocks is missing: "
            "install it, or name an HTTP proxy with HTTPS_PROXY."
        )
    return ""


def _authorities_fault(named: Named) -> str:
    folder = Path(named.value).is_dir()
    try:
        ssl.create_default_context(
            cafile=None if folder else named.value, capath=named.value if folder else None
        )
    except FileNotFoundError:
        return f"The certificate file of {named.variable} is not there: {named.value}."
    except ssl.SSLError:
        return f"{named.variable} names a file that holds no PEM certificate: {named.value}."
    except OSError as error:
        return f"{named.variable} cannot be read ({error.strerror}): {named.value}."
    return ""


# The first row that fits decides: what is in the chain of errors, and what to look at.
CAUSES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (exceptions.ProxyError,),
        "No way to {host}{through}: it cannot be reached, or refuses.",
    ),
    (
        (exceptions.SSLError, ssl.SSLError),
        "No TLS connection to {host} comes about{through}: its port may speak plain HTTP.",
    ),
    ((exceptions.Timeout, TimeoutError), "Time-out: {host} does not answer{through} in time."),
    ((socket.gaierror,), "DNS: the name {host} is not known here."),
    ((ConnectionRefusedError,), "Nothing listens at {url}."),
    ((BaseException,), "The connection to {host}{through} breaks."),
)


def cause(error: BaseException, url: str) -> str:
    """Why a request to an address brought no answer: one sentence with what to look at."""
    if sentence := fault(url):
        return sentence
    chain = list(_chain(error))
    host = urlsplit(url).hostname or url
    if failed := next((e for e in chain if isinstance(e, ssl.SSLCertVerificationError)), None):
        return _certificate(failed, host)
    proxy = proxy_for(url)
    through = f" through the proxy of {proxy.variable}" if proxy else ""
    fitting = (text for kinds, text in CAUSES if any(isinstance(e, kinds) for e in chain))
    return next(fitting).format(host=host, url=url, through=through)


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in (9, 10):  # not valid yet, or not any more
        return f"The certificate of {host} is out of date by this machine's clock."
    if error.verify_code == 62:
        return f"The certificate that answers for {host} is another host's."
    if named := authorities_named():
        advice = f"the authority that signed it is not in {named.value} ({named.variable})"
    else:
        advice = (
            "where a proxy signs it anew, name its certificate authority with REQUESTS_CA_BUNDLE"
        )
    return f"The certificate of {host} is not trusted: {advice}."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps: as a cause, as a `reason`, or as an argument."""
    waiting, seen = [error], set[int]()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = (found.__cause__, found.__context__, getattr(found, "reason", None), *found.args)
        waiting += [each for each in inner if isinstance(each, BaseException)]
