"""Ports for the servers of tests, of which several processes start many at once."""

import random
import socket
from collections.abc import Generator
from contextlib import ExitStack, suppress

FIRST, BLOCK, BLOCKS = 11_000, 50, 400
FLAGS = ("--port", "--webhook-port", "--emulator-port")


def _own_ports() -> Generator[int, None, None]:
    """Ports that no other process of the tests gives out, each of them once.

    Whoever holds the UDP port at the beginning of a block owns the block until its process ends;
    no test serves UDP. To ask for a free port is not enough: between the answer and the start of
    the server another process may be given the same one, and a server that is killed and started
    again must find its port free.
    """
    with ExitStack() as claims:
        for block in random.sample(range(BLOCKS), BLOCKS):
            first = FIRST + block * BLOCK
            claim = claims.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            with suppress(OSError):
                claim.bind(("127.0.0.1", first))
                yield from range(first, first + BLOCK)


_OWN_PORTS = _own_ports()


def free_port() -> int:
    """A port that nobody listens on, and nobody else in these tests will.

    None of those that systems give to outgoing connections, so it stays free.
    """
    for port in _OWN_PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def is_listening(port: int) -> bool:
    """True where a server accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def port_flags() -> list[str]:
    """The command line that gives a whole shop ports of its own."""
    return [f"{flag}={free_port()}" for flag in FLAGS]
