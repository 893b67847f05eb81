"""Start the shop in the environments of other people's computers, one after the other.

`python scripts/foreign_environments.py [--short] [--list] [NAME …]`

Each case is a row of `CASES`. It passes where `python -m store` ends in an open shop (every process
is ready, a page is served, Ctrl-C ends it with 0), or in one sentence on standard error with exit
code 2, as the row says; never in a traceback, and never later than `LONGEST_SECONDS`. Run it with
the Python of an environment in which the shop has been started before. For Linux and macOS.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("store", "stripe_emulator", "data", ".streamlit", "streamlit_app.py", "webhook_server.py")
LEFT_OUT = shutil.ignore_patterns("*.pyc.*", "*.db*", "*.lock", "*secret", "admin_password")
LONGEST_SECONDS = 90
OPEN = "open"
READ_ONLY = 'mount --bind "$P" "$P" && mount -o remount,ro,bind "$P"'
FULL = 'mkdir -p "$D" && mount -t tmpfs -o size=64k none "$D" && head -c 65536 /dev/zero > "$D/x"'
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Case:
    """One environment. `{home}`, `{project}`, `{data}` and `{folder}` in its texts are folders of
    this case; `mount` runs as root in a mount namespace of its own, with them as $P and $D.
    """

    name: str
    ends: str = OPEN  # or a pattern of the sentence
    environment: Mapping[str, str] = field(default_factory=dict)
    without: Sequence[str] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    folders: Sequence[str] = ()
    folder: str = "shop"  # what the project's folder is called
    data: str = "{folder}/data"
    before: str = ""  # before the command, in the same shell
    redirect: str = ""
    mount: str = ""
    port_held_at: str = ""
    may_open: bool = False  # instead of ending so
    short: bool = False


PROXY = "http://127.0.0.1:9"
HOSTILE = "[server]\nport = 1\nbaseUrlPath = 'x'\naddress = '0.0.0.0'\nsslCertFile = '/nowhere'\n"
CASES = (
    Case("plain", short=True),
    Case("HOME is not set", without=["HOME"]),
    Case("HOME does not exist", environment={"HOME": "/nowhere"}),
    Case(".netrc with a default entry", files={"{home}/.netrc": "default login a password b\n"}),
    Case(
        "variables of another web server",
        environment={
            "WEB_CONCURRENCY": "4",
            "UVICORN_WORKERS": "4",
            "UVICORN_PORT": "1",
            "UVICORN_ROOT_PATH": "/x",
            "FORWARDED_ALLOW_IPS": "*",
            "PORT": "1",
            "HOST": "0.0.0.0",
        },
        short=True,
    ),
    Case(
        "variables of another Streamlit application",
        environment={
            "STREAMLIT_SERVER_BASE_URL_PATH": "shop",
            "STREAMLIT_SERVER_PORT": "1",
            "STREAMLIT_SERVER_ADDRESS": "192.0.2.1",
            "STREAMLIT_GLOBAL_DEVELOPMENT_MODE": "true",
            "STREAMLIT_LOGGER_LEVEL": "nonsense",
        },
    ),
    Case("hostile Streamlit configuration", files={"{home}/.streamlit/config.toml": HOSTILE}),
    Case("broken Streamlit configuration", files={"{home}/.streamlit/config.toml": "broken = ["}),
    Case("broken Streamlit secrets at home", files={"{home}/.streamlit/secrets.toml": "x = ["}),
    Case("PIP_USER and PIP_TARGET", environment={"PIP_USER": "1", "PIP_TARGET": "/nowhere"}),
    Case("SOCKS proxy", environment={"ALL_PROXY": "socks5://127.0.0.1:9"}, short=True),
    Case("dead proxies", environment={"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}),
    Case("dead proxies, lower case", environment={"http_proxy": PROXY, "all_proxy": PROXY}),
    Case("SSL_CERT_FILE is missing", environment={"SSL_CERT_FILE": "/nowhere.pem"}),
    Case("SSLKEYLOGFILE cannot be written", environment={"SSLKEYLOGFILE": "/nowhere/keys"}),
    Case("LANG=C", environment={"LANG": "C", "LC_ALL": "C"}),
    Case("Turkish locale", environment={"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}),
    Case("locale that is not installed", environment={"LC_ALL": "xx_YY.KOI8-R"}),
    Case("the latest time zone", environment={"TZ": "Pacific/Kiritimati"}),
    Case("no such time zone", environment={"TZ": "Nowhere/Nothing"}),
    Case("PYTHONOPTIMIZE=2", environment={"PYTHONOPTIMIZE": "2"}),
    Case("PYTHONWARNINGS=error", environment={"PYTHONWARNINGS": "error"}),
    Case("PYTHONHASHSEED=0", environment={"PYTHONHASHSEED": "0"}),
    Case("PYTHONDONTWRITEBYTECODE=1", environment={"PYTHONDONTWRITEBYTECODE": "1"}),
    Case(
        "PYTHONINSPECT and PYTHONDEVMODE", environment={"PYTHONINSPECT": "1", "PYTHONDEVMODE": "1"}
    ),
    Case("PYTHONIOENCODING=latin-1", environment={"PYTHONIOENCODING": "latin-1"}),
    Case(
        "PYTHONPATH with other libraries",
        environment={"PYTHONPATH": "{folder}/other"},
        files={
            "{folder}/other/stripe.py": "raise RuntimeError\n",
            "{folder}/other/streamlit.py": "raise RuntimeError\n",
        },
        short=True,
    ),
    Case("PROMETHEUS_MULTIPROC_DIR", environment={"PROMETHEUS_MULTIPROC_DIR": "/nowhere"}),
    Case("64 file descriptors", before="ulimit -Sn 64;"),
    Case("256 file descriptors", before="ulimit -n 256;"),
    Case("1,024 file descriptors", before="ulimit -Sn 1024;"),
    Case("folder with blanks and signs", folder="my %41 shop #1 ?a=b 'x' [y] ü"),
    Case("data folder with blanks and signs", data="{folder}/da ta %41#?ß"),
    Case("read-only checkout", mount=READ_ONLY),
    Case("data folder on a full disk", ends="data folder|disk is full|No space", mount=FULL),
    Case(".env in UTF-16", ends=r"\.env", files={"{project}/.env": "DEBUG=1\n".encode("utf-16")}),
    Case(".env is a folder", ends=r"\.env", folders=["{project}/.env"]),
    Case(
        ".env with junk",
        ends=r"\.env",
        may_open=True,
        files={"{project}/.env": b"\x00\xff = what\n====\n"},
    ),
    Case("DATABASE_URL of MySQL", ends="DATABASE_URL", environment={"DATABASE_URL": "mysql://a/b"}),
    Case(
        "database that does not answer",
        ends="cannot be used",
        environment={"DATABASE_URL": "postgresql://a:b@127.0.0.1:9/c"},
    ),
    Case("a live key", ends="live key", environment={"STRIPE_SECRET_KEY": "sk_live_51abcdefghij"}),
    Case("CURRENCY=hrk", ends="CURRENCY", environment={"CURRENCY": "hrk"}, short=True),
    Case("CURRENCY=isk", ends="isk|ISK|whole", environment={"CURRENCY": "isk"}),
    Case("DEBUG of another program", ends="DEBUG", environment={"DEBUG": "express:*"}),
    Case("DATA_DIR is a file", ends="DATA_DIR|data folder", files={"{data}": "a file"}),
    Case("DATA_DIR cannot be written", ends="data folder", data="/proc/shop"),
    Case(
        "emulator.db is no database", ends="emulator", files={"{data}/emulator.db": "garbage" * 999}
    ),
    Case("store.db is no database", ends="database", files={"{data}/store.db": "garbage" * 999}),
    Case("port held on IPv4", ends="in use", port_held_at="127.0.0.1", short=True),
    Case("port held on IPv6", ends="in use", port_held_at="::1"),
    Case("umask 0", before="umask 0;"),
    Case("umask 077", before="umask 077;"),
    Case("nohup, no input", before="trap '' HUP;", redirect="</dev/null"),
    Case("closed input", redirect="<&-"),
    Case("closed output", redirect=">&-"),
    Case("closed errors", redirect="2>&-"),
    Case("output to a full device", redirect=">/dev/full"),
    Case("TMPDIR does not exist", environment={"TMPDIR": "/nowhere"}),
    Case("NO_PROXY=*", environment={"NO_PROXY": "*"}),
    Case("an empty PATH", environment={"PATH": ""}),
)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="only the cases of the quick check")
    parser.add_argument("--list", action="store_true", help="name the cases and run none")
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a case's name")
    asked = parser.parse_args(words)
    chosen = [case for case in CASES if is_chosen(case, asked)]
    if asked.list:
        print("\n".join(case.name for case in chosen))
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="store-foreign-") as name:
        for number, case in enumerate(chosen):
            began = time.monotonic()
            fault = "skipped" if case.mount and not can_mount() else run(case, Path(name), number)
            failed += bool(fault) and fault != "skipped"
            state = {"": "ok", "skipped": "skipped"}.get(fault, "FAILED")
            print(f"{state:>7}  {time.monotonic() - began:5.1f} s  {case.name}", flush=True)
            if state == "FAILED":
                print("\n".join(f"         {line}" for line in fault.splitlines()), flush=True)
    print(f"{len(chosen)} environments, {failed} failed.")
    return 1 if failed else 0


def is_chosen(case: Case, asked: argparse.Namespace) -> bool:
    named = not asked.names or any(name in case.name for name in asked.names)
    return named and (case.short or not asked.short)


def run(case: Case, base: Path, number: int) -> str:
    """What was wrong; empty where nothing was."""
    folder = base / str(number)
    places = {"folder": str(folder), "home": str(folder / "home")}
    places["project"] = str(folder / case.folder)
    places["data"] = case.data.format(**places)
    make_project(Path(places["project"]))
    Path(places["home"]).mkdir()
    for name in case.folders:
        Path(name.format(**places)).mkdir(parents=True)
    for name, content in case.files.items():
        file = Path(name.format(**places))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with ports(case.port_held_at) as numbers, ExitStack() as stack:
        out, err = folder / "out", folder / "err"
        started = subprocess.Popen(
            command(case, places, numbers),
            cwd=places["project"],
            env=environment(case, places),
            stdout=stack.enter_context(out.open("wb")),
            stderr=stack.enter_context(err.open("wb")),
        )
        try:
            return judge(case, started, numbers, (out, err))
        finally:
            started.kill()
            started.wait()


def make_project(project: Path) -> None:
    project.mkdir(parents=True)
    for name in (*COPIED, *(file.name for file in ROOT.glob("requirements*.txt"))):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=LEFT_OUT)
        else:
            shutil.copy2(source, project / name)


def environment(case: Case, places: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    kept["HOME"] = places["home"]
    kept |= {name: value.format(**places) for name, value in case.environment.items()}
    kept |= {"P": places["project"], "D": places["data"]}
    return {name: value for name, value in kept.items() if name not in case.without}


def command(case: Case, places: Mapping[str, str], numbers: Sequence[int]) -> list[str]:
    flags = zip(("--port", "--webhook-port", "--emulator-port"), numbers, strict=True)
    words = [sys.executable, "-m", "store", "--data-dir", places["data"]]
    words += [f"{flag}={number}" for flag, number in flags]
    bash = shutil.which("bash") or "/bin/sh"
    line = f'{case.before} exec "$@" {case.redirect}'
    if not case.mount:
        return [bash, "-c", line, "bash", *words]
    unshare = shutil.which("unshare") or "unshare"
    return [unshare, "-m", bash, "-c", f'{case.mount} && cd "$P" && {line}', "bash", *words]


def can_mount() -> bool:
    unshare = shutil.which("unshare")
    if not unshare or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    probe = [unshare, "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@contextmanager
def ports(held_at: str) -> Iterator[list[int]]:
    """Three free ports; the first one is held by somebody else at that address, if any."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(3)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        numbers = [probe.getsockname()[1] for probe in probes]
        for probe in probes:
            probe.close()
        if held_at:
            family = socket.AF_INET6 if ":" in held_at else socket.AF_INET
            holder = stack.enter_context(socket.socket(family))
            holder.bind((held_at, numbers[0]))
            holder.listen()
        yield numbers


def judge(
    case: Case, started: subprocess.Popen[bytes], numbers: Sequence[int], logs: tuple[Path, Path]
) -> str:
    until = time.monotonic() + LONGEST_SECONDS
    while started.poll() is None and not is_open(numbers) and time.monotonic() < until:
        time.sleep(0.1)
    if started.poll() is not None:
        fault = fault_of_refusal(case, started.returncode, logs)
    elif is_open(numbers):
        fault = fault_of_opening(case, started, numbers[0])
    else:
        fault = f"neither open nor refused after {LONGEST_SECONDS} s"
    if "Traceback" in said(*logs):
        fault = f"a traceback; {fault}"
    return f"{fault}\n{said(*logs)}" if fault else ""


def fault_of_opening(case: Case, started: subprocess.Popen[bytes], port: int) -> str:
    if not page_is_served(port):
        return "the page is not served"
    started.send_signal(signal.SIGINT)
    try:
        code = started.wait(30)
    except subprocess.TimeoutExpired:
        return "Ctrl-C does not end it"
    if code:
        return f"Ctrl-C ends it with {code}"
    return "" if case.ends == OPEN or case.may_open else "it is open instead of refused"


def fault_of_refusal(case: Case, code: int, logs: tuple[Path, Path]) -> str:
    lines = logs[1].read_text("utf-8", "replace").splitlines()
    if case.ends == OPEN or code != 2 or len(lines) != 1 or not re.search(case.ends, lines[0]):
        return f"exit code {code}, expected: {case.ends}"
    return ""


def said(*logs: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace")[-3000:] for log in logs).strip()


def is_open(numbers: Sequence[int]) -> bool:
    paths = ("/_stcore/health", "/readyz", "/emulator/health")
    return all(
        answers(number, path) is not None for number, path in zip(numbers, paths, strict=True)
    )


def page_is_served(port: int) -> bool:
    return b"<title>Three Good Things</title>" in (answers(port, "/") or b"")


def answers(port: int, path: str) -> bytes | None:
    try:
        with LOCAL.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
