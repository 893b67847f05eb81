"""On what a figure was measured: without it no figure means anything."""

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

SYNCED_PAGES = 100
PAGE = b"x" * 4096
PACKAGES = (
    "streamlit",
    "fastapi",
    "uvicorn",
    "sqlmodel",
    "sqlalchemy",
    "psycopg2-binary",
    "stripe",
)


def describe(folder: Path) -> dict[str, object]:
    """Processor, system, versions, how busy it is, and how quick the disk under `folder` is."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: version(name) for name in PACKAGES},
        "load_average": load_average(),
        "sync_milliseconds": sync_milliseconds(folder),
    }


def sentence(machine: dict[str, object]) -> str:
    """The machine in one line, for people."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, load average {machine['load_average']} at the start, "
        f"{machine['sync_milliseconds']} ms for a synced page"
    )


def processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load_average() -> float | None:
    """How many programs wanted a core in the last minute; Windows does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def sync_milliseconds(folder: Path) -> float:
    """How long the disk takes to keep one page for good (the median of some)."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(SYNCED_PAGES):
            started = time.perf_counter()
            file.write(PAGE)
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1000, 2)
