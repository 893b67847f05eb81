"""No two servers of the tests get the same port."""

import socket
from itertools import islice

import pytest

from tests.support import ports


def test_a_block_of_ports_has_one_owner_who_gives_each_port_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "FIRST", 31_500)
    monkeypatch.setattr(ports, "BLOCKS", 4)
    owner, all_of_them = ports._own_ports(), 4 * ports.BLOCK

    given = list(islice(owner, all_of_them))

    assert sorted(given) == list(range(31_500, 31_500 + all_of_them))
    assert list(ports._own_ports()) == []  # as for any other process: all have their owner
    owner.close()
    assert len(list(ports._own_ports())) == all_of_them


def test_a_port_in_use_is_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        free = ports.free_port()
        monkeypatch.setattr(ports, "_OWN_PORTS", iter([taken, free]))

        assert ports.free_port() == free
