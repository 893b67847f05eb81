"""Proxies and certificate authorities for the way to Stripe, and explanations of what fails there.

Of the environment only these count: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, and the
certificate authorities in REQUESTS_CA_BUNDLE, SSL_CERT_FILE or CURL_CA_BUNDLE. `.netrc` is ignored,
whose login would replace the key, and so are redirects, which Stripe never sends.
"""

import importlib.util
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

from store.core import addresses

STRIPE = "https://api.stripe.com"
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
"""Variables that name a file of certificate authorities, the one that wins first."""
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class Variable(NamedTuple):
    """An environment variable with its value."""

    variable: str
    value: str


class Session(requests.Session):
    """An HTTP session for the SDK that uses only the variables in this module."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: redirects are not followed, because Stripe never sends one."""

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """`verify` is the SDK's own list of authorities."""
        proxy, authorities = proxy_for(str(url)), authorities_variable()
        proxies = {urlsplit(str(url)).scheme: proxy.value} if proxy else {}
        verify = authorities.value if authorities else verify
        return {"proxies": proxies, "stream": stream, "verify": verify, "cert": cert}


def proxy_for(url: str) -> Variable | None:
    """The proxy for an address; None for this machine itself and for hosts in NO_PROXY."""
    parts = urlsplit(url)
    if addresses.Host((parts.hostname or "").rstrip("."), None).is_loopback:
        return None
    proxies = getproxies_environment()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), None)
    if kind is None or should_bypass_proxies(url, no_proxy=None):
        return None
    return Variable(f"{kind.upper()}_PROXY", proxies[kind])


def authorities_variable() -> Variable | None:
    """The file or folder of certificate authorities in the environment, if any."""
    for variable in AUTHORITIES:
        if value := os.environ.get(variable, "").strip():
            return Variable(variable, value)
    return None


def fault(url: str) -> str:
    """What cannot work in the environment for this address, as one sentence; empty if nothing."""
    proxy, authorities = proxy_for(url), authorities_variable()
    if proxy and (sentence := _proxy_fault(proxy)):
        return sentence
    if authorities and url.startswith("https:"):
        return _authorities_fault(authorities)
    return ""


def _proxy_fault(proxy: Variable) -> str:
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


def _authorities_fault(authorities: Variable) -> str:
    path = authorities.value
    folder = Path(path).is_dir()
    try:
        ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    except FileNotFoundError:
        return f"The certificate file of {authorities.variable} is not there: {path}."
    except ssl.SSLError:
        return f"{authorities.variable} holds no PEM certificate: {path}."
    except OSError as error:
        return f"{authorities.variable} cannot be read ({error.strerror}): {path}."
    return ""


# The first row with an error of the chain decides.
CAUSES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (exceptions.ProxyError, "No way to {host}{through}: it cannot be reached, or refuses."),
    (
        (exceptions.SSLError, ssl.SSLError),
        "No TLS connection to {host} comes about{through}: its port may speak plain HTTP.",
    ),
    ((exceptions.Timeout, TimeoutError), "Time-out: {host} does not answer{through} in time."),
    (socket.gaierror, "DNS: the name {host} is not known here."),
    (ConnectionRefusedError, "Nothing listens at {url}."),
    (BaseException, "The connection to {host}{through} breaks."),
)


def cause(error: BaseException, url: str) -> str:
    """Why a request to an address got no answer, as one sentence that says what to check."""
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
    advice = "where a proxy signs it anew, name its certificate authority with REQUESTS_CA_BUNDLE"
    if named := authorities_variable():
        advice = f"the authority that signed it is not in {named.value} ({named.variable})"
    return f"The certificate of {host} is not trusted: {advice}."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all errors that it wraps: as a cause, as a `reason`, or as an argument."""
    waiting, seen = [error], set[int]()
    while waiting:
        error = waiting.pop()
        if id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        inner = (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args)
        waiting += [each for each in inner if isinstance(each, BaseException)]
