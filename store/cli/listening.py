"""The addresses that the servers listen on: loopback, and more only with `--host`.

Standard library only. Used by the checks before a start and by the servers themselves.
"""

import errno
import socket
import sys

from store.core.errors import StoreError

# `localhost` is ::1 first on many systems and 127.0.0.1 on others, so both are served.
LOOPBACK = ("127.0.0.1", "::1")
ANY_IPV4, ANY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - only bound for --host, or to find a conflict
ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.EINVAL}
BACKLOG = 2048

# Makes a second listener fail, and lets a port be reused a moment after its last use.
if sys.platform == "win32":
    ALONE_ON_PORT = socket.SO_EXCLUSIVEADDRUSE
else:
    ALONE_ON_PORT = socket.SO_REUSEADDR


def addresses(host: str | None) -> list[str]:
    """The addresses to listen on for `--host`: always loopback, then what the name stands for."""
    if host is None:
        return list(LOOPBACK)
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise StoreError(
            f"--host {host} is not an address or name that this computer knows; use 0.0.0.0 for "
            "every network, or leave it out for this computer alone."
        ) from None
    named = [str(info[4][0]) for info in infos]
    every = [ANY_IPV4, ANY_IPV6] if ANY_IPV6 in named else named
    families = {family_of(address) for address in every if address in (ANY_IPV4, ANY_IPV6)}
    own = [address for address in LOOPBACK if family_of(address) not in families]
    return list(dict.fromkeys([*own, *every]))


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bound(address: str, port: int) -> socket.socket:
    """A socket that owns the port at this one address, and does not listen yet."""
    family = family_of(address)
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, ALONE_ON_PORT, 1)
        if family == socket.AF_INET6:  # IPv4 has a socket of its own
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(socket.getaddrinfo(address, port, family, socket.SOCK_STREAM)[0][4])
    except BaseException:
        listener.close()
        raise
    return listener


def listeners(hosts: list[str], port: int) -> list[socket.socket]:
    """A bound socket for each address; ::1 is left out on a computer without IPv6.

    Raises:
        OSError: the port is in use at one of them.
    """
    made = []
    for address in hosts:
        try:
            made.append(bound(address, port))
        except OSError as error:
            if not is_absent(address, error):
                raise
    return made


def is_absent(address: str, error: OSError) -> bool:
    """True if the error only means that this computer has no IPv6."""
    return family_of(address) == socket.AF_INET6 and (
        error.errno in ABSENT or isinstance(error, socket.gaierror)
    )


def port_fault(port: int, hosts: list[str]) -> str | None:
    """Why our servers cannot listen on the port; None if they can.

    Tries the wildcard addresses, too: a program that has the port at another address, or only for
    IPv6, would get some of the shop's requests.
    """
    for address in dict.fromkeys([ANY_IPV4, ANY_IPV6, *hosts]):
        try:
            bound(address, port).close()
        except PermissionError:
            return "may not be used by this user"
        except OSError as error:
            if is_absent(address, error) and address in (ANY_IPV6, *LOOPBACK):
                continue
            if error.errno == errno.EADDRNOTAVAIL:
                return f"cannot be opened at {address}, which is not an address of this computer"
            return "is in use, perhaps by a shop that is already running"
    return None


def beyond_loopback(hosts: list[str]) -> list[str]:
    """The addresses that other computers can reach, as people write them."""
    reachable = [each for each in hosts if each not in LOOPBACK and not each.startswith("127.")]
    return [f"[{address}]" if ":" in address else address for address in reachable]
