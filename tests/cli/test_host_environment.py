"""The shop beside other programs' variables, files and processes, and which addresses it serves."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from store.cli import listening
from store.cli.clean_environment import cleaned, pip_options
from tests.support import loopback
from tests.support.command_line import (
    ROOT,
    clean,
    is_alive,
    one_sentence,
    processes_in,
    running_with,
    store,
)
from tests.support.ports import free_port, port_flags
from tests.support.waiting import wait_until

HOSTILE_CONFIG = """
[global]
developmentMode = true
[server]
port = 1
address = "0.0.0.0"
baseUrlPath = "other"
sslCertFile = "/nowhere"
sslKeyFile = "/nowhere"
enableXsrfProtection = false
enableCORS = false
[browser]
gatherUsageStats = true
"""
OF_OTHERS = {
    "WEB_CONCURRENCY": "4",
    "FORWARDED_ALLOW_IPS": "*",
    "UVICORN_WORKERS": "3",
    "UVICORN_HOST": "0.0.0.0",
    "UVICORN_PORT": "1",
    "UVICORN_ROOT_PATH": "/other",
    "UVICORN_SSL_CERTFILE": "/nowhere",
    "UVICORN_RELOAD": "1",
    "UVICORN_LOG_CONFIG": "/nowhere",
    "STREAMLIT_SERVER_BASE_URL_PATH": "shop",
    "STREAMLIT_SERVER_PORT": "1",
    "STREAMLIT_SERVER_ADDRESS": "0.0.0.0",
    "STREAMLIT_SERVER_SSL_CERT_FILE": "/nowhere",
    "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION": "false",
    "STREAMLIT_GLOBAL_DEVELOPMENT_MODE": "true",
    "STREAMLIT_LOGGER_LEVEL": "nonsense",
    "PROMETHEUS_MULTIPROC_DIR": "/nowhere",
    "SSLKEYLOGFILE": "/nowhere/keys",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONINSPECT": "1",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONDEVMODE": "1",
    "PYTHONSTARTUP": "/nowhere",
    "PYTHONASYNCIODEBUG": "1",
}


class Running:
    """`python -m store` in an environment, until it says that it is open."""

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        flags = port_flags()
        self.shop, self.webhook_server, self.emulator = (int(flag.split("=")[1]) for flag in flags)
        self.log = folder / "launcher.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "store", f"--data-dir={folder / 'data'}", *flags, *words],
                cwd=ROOT,
                env=clean(**environment),
                stdout=output,
                stderr=output,
            )
        wait_until(self.is_open, seconds=120)

    def is_open(self) -> bool:
        assert self.process.poll() is None, self.said()
        return "Ctrl-C stops everything" in self.said()

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def pids(self) -> list[int]:
        return processes_in(self.log)

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        finally:
            self.process.kill()


@contextmanager
def running(folder: Path, *words: str, **environment: str) -> Iterator[Running]:
    shop = Running(folder, *words, **environment)
    try:
        yield shop
    finally:
        shop.end()


@pytest.fixture
def shadow(tmp_path: Path) -> Path:
    """A folder that offers its own, broken versions of what the shop imports."""
    folder = tmp_path / "shadow"
    folder.mkdir()
    for name in ("stripe", "streamlit", "uvicorn", "sqlalchemy", "fastapi", "sitecustomize"):
        (folder / f"{name}.py").write_text("raise RuntimeError('not the one that is meant')\n")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of somebody who configured Streamlit for another application."""
    folder = tmp_path / "home"
    (folder / ".streamlit").mkdir(parents=True)
    (folder / ".streamlit" / "config.toml").write_text(HOSTILE_CONFIG)
    (folder / ".streamlit" / "secrets.toml").write_text('CURRENCY = "jpy"\nbroken = [')
    return folder


@pytest.mark.scenario("L2", "L3", "L9", "P1")
@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="looks into /proc")
def test_variables_and_files_of_other_programs_change_nothing(
    tmp_path: Path, shadow: Path, home: Path
) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        there = OF_OTHERS | {"PYTHONPATH": str(shadow), "HOME": str(home)}
        with running(tmp_path, **there) as shop:
            page = loopback.get(f"http://127.0.0.1:{shop.shop}/")
            health = loopback.get(f"http://127.0.0.1:{shop.webhook_server}/readyz")
            pids = shop.pids()
            workers = [pid for pid in pids if children_of(pid)]
            limits = [limit_of(pid) for pid in pids]
            listens = {address for _, address in listening_sockets(pids)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert (page.status_code, health.status_code) == (200, 200)
    assert len(pids) == 3
    assert workers == []
    assert limits == [hard] * 3
    assert listens <= {"127.0.0.1", "::1"}
    assert "Traceback" not in shop.said()


def children_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return ""


def limit_of(pid: int) -> int:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        if line.startswith("Max open files")
    ]
    return int(line.split()[3])


def listening_sockets(pids: list[int]) -> list[tuple[int, str]]:
    psutil = pytest.importorskip("psutil")
    return [
        (pid, connection.laddr.ip)
        for pid in pids
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]


@pytest.mark.scenario("P1")
def test_localhost_is_served_on_ipv4_and_ipv6_and_no_other_address_is(tmp_path: Path) -> None:
    with running(tmp_path) as shop:
        for host in ("127.0.0.1", "[::1]") if has_ipv6() else ("127.0.0.1",):
            assert loopback.get(f"http://{host}:{shop.shop}/_stcore/health").status_code == 200
            assert loopback.get(f"http://{host}:{shop.webhook_server}/healthz").status_code == 200
        for port in (shop.shop, shop.webhook_server, shop.emulator):
            assert not accepts(own_address(), port)
        assert "WARNING" not in shop.said()


@pytest.mark.scenario("P1")
def test_the_host_flag_opens_the_shop_and_says_what_that_means(tmp_path: Path) -> None:
    with running(tmp_path, "--host", "0.0.0.0") as shop:
        opened = [
            accepts(own_address(), p) for p in (shop.shop, shop.webhook_server, shop.emulator)
        ]
        here = loopback.get(f"http://127.0.0.1:{shop.shop}/_stcore/health").status_code

    assert (opened, here) == ([True, True, False], 200)
    assert f"WARNING: other computers can reach the shop (http://0.0.0.0:{shop.shop})" in (
        shop.said()
    )
    assert "The back office needs its password" in shop.said()
    assert "The emulator and its pay page stay on this computer" in shop.said()


def own_address() -> str:
    """An address of this computer that is not loopback; skipped where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address = str(probe.getsockname()[0])
        if not address.startswith("127."):
            return address
    pytest.skip("this computer has no address but loopback")


def accepts(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


def has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def test_a_host_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    for host in ("nowhere.invalid", "300.1.1.1", "a..b", "192.0.2.77"):
        said = one_sentence(store("--host", host, *port_flags(), DATA_DIR=str(tmp_path)))
        assert host in said


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (None, ["127.0.0.1", "::1"]),
        ("127.0.0.1", ["127.0.0.1", "::1"]),
        ("0.0.0.0", ["::1", "0.0.0.0"]),
        ("::", ["0.0.0.0", "::"]),
        ("192.0.2.7", ["127.0.0.1", "::1", "192.0.2.7"]),
        ("127.0.0.2", ["127.0.0.1", "::1", "127.0.0.2"]),
    ],
)
def test_loopback_is_always_among_the_addresses(host: str | None, expected: list[str]) -> None:
    assert listening.addresses(host) == expected


# A port that is held at one address only.


@pytest.mark.scenario("O4")
@pytest.mark.parametrize("flag", ["--port", "--webhook-port"])
@pytest.mark.parametrize("address", ["::1", "::", "127.0.0.1", "0.0.0.0", "own"])
def test_a_port_held_at_any_address_is_seen_before_anything_starts(
    tmp_path: Path, address: str, flag: str
) -> None:
    if ":" in address and not has_ipv6():
        pytest.skip("this computer has no IPv6")
    address = own_address() if address == "own" else address
    with listening.bound(address, free_port()) as holder:
        holder.listen()
        port = holder.getsockname()[1]

        said = one_sentence(store(*port_flags(), flag, str(port), DATA_DIR=str(tmp_path)))

    assert f"Port {port} is in use" in said
    assert running_with(str(port)) == []


def test_a_computer_without_ipv6_is_served_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def no_ipv6(family: int = socket.AF_INET, *more: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *more)

    monkeypatch.setattr(socket, "socket", no_ipv6)
    port = free_port()

    made = listening.listeners(listening.addresses(None), port)

    assert [one.getsockname() for one in made] == [("127.0.0.1", port)]
    for one in made:
        one.close()
    assert listening.port_fault(port, ["127.0.0.1", "::1"]) is None


# What reaches our children, and what does not.


@pytest.mark.scenario("L2", "L3")
def test_only_harmless_environment_variables_are_passed_on() -> None:
    kept = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy:3128",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_INDEX_URL": "https://example.com",
        "STRIPE_SECRET_KEY": "sk_test_1",
        "STREAMLITE": "an application of somebody's",
    }

    assert cleaned(kept | OF_OTHERS | {"PYTHONPATH": "/x", "PYTHONHOME": "/x"}) == kept


@pytest.mark.scenario("L4")
def test_pip_keeps_its_index_and_network_and_nothing_else() -> None:
    listed = """
:env:.index-url='https://user:secret@mirror.example/simple'
:env:.target='/elsewhere'
global.index-url='https://example.com/simple'
global.extra-index-url='https://a.example\\nhttps://b.example'
global.cert='/etc/company.pem'
global.user='true'
install.no-deps='true'
install.proxy='http://proxy:3128'
freeze.timeout='10'
a line that pip may have warned with
"""
    assert pip_options(listed) == {
        "PIP_INDEX_URL": "https://user:secret@mirror.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://a.example\nhttps://b.example",
        "PIP_CERT": "/etc/company.pem",
        "PIP_PROXY": "http://proxy:3128",
    }


# What a program has started ends with it.


@pytest.mark.scenario("L2")
@pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")
@pytest.mark.parametrize("victim", ["program", "launcher"])
def test_child_processes_end_with_their_program_or_the_launcher(
    tmp_path: Path, victim: str
) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    launcher = subprocess.Popen(
        [sys.executable, "-c", SUPERVISED],
        env=clean(PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path)]), PIDS=str(tmp_path)),
    )
    try:
        wait_until(lambda: pids_in(tmp_path, "child"))
        (first,) = pids_in(tmp_path, "child")
        (parent,) = pids_in(tmp_path, "parent")

        os.kill(parent if victim == "program" else launcher.pid, signal.SIGKILL)

        wait_until(lambda: not is_alive(first) and not is_alive(parent))
    finally:
        launcher.kill()
        launcher.wait()
        wait_until(lambda: not any(map(is_alive, pids_in(tmp_path, "*"))))


PARENT = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
folder = pathlib.Path(os.environ["PIDS"])
(folder / f"parent.{os.getpid()}").touch()
(folder / f"child.{child.pid}").touch()
time.sleep(60)
"""
SUPERVISED = """
import sys
from store.cli import supervisor
from store.cli.supervisor import Program, supervise
async def started(log):
    pass
command = [sys.executable, "-m", "store.cli.child_process", "parent"]
supervisor.PAUSE_SECONDS, supervisor.GRACE_SECONDS = 30, 0.5
supervise([Program("parent", command)], started)
"""


def pids_in(folder: Path, name: str) -> list[int]:
    return [int(file.suffix[1:]) for file in folder.glob(f"{name}.[0-9]*")]
