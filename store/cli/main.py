"""The command line: what can be asked for, and the way from the words to the work.

Standard library only: `--help` answers on a machine where nothing is installed yet.
"""

import argparse
import importlib
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from store import __version__
from store.cli import benchmarks, failures, virtualenv
from store.core.errors import StoreError

RUNTIME = ["requirements.txt"]
DEVELOPMENT = ["requirements.txt", "requirements-dev.txt"]
PORTS = {
    "--port": (8501, "the shop"),
    "--webhook-port": (8000, "the sidecar (webhooks and health)"),
    "--emulator-port": (8502, "the emulator"),
}


OF_ALL = ("-h", "--help", "--version")


class Command(NamedTuple):
    summary: str
    function: str
    requirements: list[str] = RUNTIME
    passes_on: str = ""  # what the arguments that it does not know are, where it has a use for them


COMMANDS = {
    "run": Command("start the shop (the same as no command at all)", "run:run"),
    "test": Command(
        "formatter, linter, types and every test",
        "commands:test",
        DEVELOPMENT,
        passes_on="pytest arguments: then only pytest runs, with them",
    ),
    "migrate": Command("bring the database schema up to date", "commands:migrate"),
    "doctor": Command(
        "explain what is set, reachable or wrong, and how to mend it", "doctor:doctor"
    ),
    "reconcile": Command("catch up with Stripe now", "commands:reconcile"),
    "audit": Command("put Stripe's book and ours side by side", "audit_command:audit"),
    "export": Command("write every order to a CSV file", "commands:export"),
    "backup": Command("copy the database, consistent while the shop runs", "commands:backup"),
    "prune": Command("forget old events, in small steps, while the shop runs", "commands:prune"),
    "reset": Command("a fresh demo: forget all orders (offline only)", "commands:reset"),
    "bench": Command(
        "run the benchmarks, or the named one",
        "commands:bench",
        DEVELOPMENT,
        passes_on="arguments of that benchmark",
    ),
}


def whole(text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdecimal() and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")


def port(text: str) -> int:
    return whole(text, 1, 65_535)


def days(text: str) -> int:
    """Stripe lists an event for 30 days: what is forgotten sooner would only be fetched again."""
    return whole(text, 30, 36_500)


class ListBenchmarks(argparse.Action):
    """`--list`: answered at once, before anything is installed."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> None:
        sys.stdout.write(f"{benchmarks.listing()}\n")
        parser.exit()


def folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m store",
        description="A small shop that sells through Stripe Checkout. Without a Stripe key it "
        "runs offline, with an emulator in Stripe's place.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = f"store {__version__}, Python {platform.python_version()}"
    top.add_argument("--version", action="version", version=version)
    commands = top.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    made = {}
    for name, command in COMMANDS.items():
        made[name] = commands.add_parser(
            name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=command.passes_on and f"What follows is passed on as {command.passes_on}.",
            allow_abbrev=False,
            add_help=name != "bench",  # each benchmark has a help of its own
        )
    for name in (
        "run",
        "migrate",
        "doctor",
        "reconcile",
        "audit",
        "export",
        "backup",
        "prune",
        "reset",
    ):
        made[name].add_argument(
            "--data-dir",
            type=folder,
            metavar="FOLDER",
            help="where the database and the made secrets live (default: DATA_DIR, else data)",
        )
    add_ports(made["run"], "--port", "--webhook-port", "--emulator-port")
    made["run"].add_argument(
        "--host",
        metavar="ADDRESS",
        help="also listen there (0.0.0.0: every network), so that other computers reach the shop "
        "and the webhooks; the emulator never leaves this computer (default: this computer alone)",
    )
    add_ports(made["doctor"], "--port", "--webhook-port", "--emulator-port")
    add_ports(made["reconcile"], "--emulator-port")
    add_ports(made["audit"], "--emulator-port")
    add_ports(made["reset"], "--emulator-port")
    for name in ("run", "doctor"):
        made[name].add_argument(
            "--no-emulator", action="store_true", help="no emulator, even without a Stripe key"
        )
    made["audit"].add_argument("--json", action="store_true", help="print JSON instead of a table")
    made["doctor"].add_argument("--json", action="store_true", help="print JSON, for scripts")
    made["export"].add_argument("file", type=Path, metavar="FILE.csv")
    made["backup"].add_argument("file", type=Path, metavar="FILE")
    made["prune"].add_argument(
        "--days", type=days, default=90, help="how old they must be (default: 90, at least 30)"
    )
    made["prune"].add_argument(
        "--history-days",
        type=days,
        metavar="DAYS",
        help="also forget lines of the orders' history that are older than this",
    )
    made["reset"].add_argument("--yes", action="store_true", help="do not ask")
    made["run"].add_argument(
        "--open", action="store_true", help="open the shop in the browser once it is ready"
    )
    made["bench"].add_argument("name", nargs="?", help="which one (see --list); without it, all")
    made["bench"].add_argument(
        "--list", action=ListBenchmarks, nargs=0, help="name the benchmarks and end"
    )
    top.epilog = (
        f"options of run, which may be left out: python -m store --port 8080\n"
        f"{options_of(made['run'])}\n\n"
        "Expected failures are one sentence on standard error, with exit code 2."
    )
    return top


def options_of(command: argparse.ArgumentParser) -> str:
    """The lines of a command's help that explain its options, without `--help` itself."""
    text = re.split(r"options:.*\n", command.format_help())[-1].rstrip()
    return re.sub(r"^.*-h.*, .*--help.*\n", "", text, count=1, flags=re.MULTILINE)


def add_ports(command: argparse.ArgumentParser, *flags: str) -> None:
    for flag in flags:
        default, what = PORTS[flag]
        command.add_argument(
            flag,
            type=port,
            default=default,
            metavar="PORT",
            help=f"where {what} listens (default: {default})",
        )


def read(words: Sequence[str]) -> argparse.Namespace:
    """The parsed command line; what belongs to another program is left in `rest`."""
    if not words or (words[0].startswith("-") and words[0] not in OF_ALL):
        words = ["run", *words]
    top = parser()
    if words[0] == "bench" and words[1:2] in (["-h"], ["--help"]):
        words = ["bench", "--list"]
    arguments, rest = top.parse_known_args(words)
    if rest and not COMMANDS[arguments.command].passes_on:
        top.error(f"{arguments.command} does not know {' '.join(rest)}")
    arguments.rest = rest
    return arguments


def main(words: Sequence[str]) -> int:
    """Run one command line; the result is the exit code."""
    failures.repair_streams()
    arguments = read(words)
    command = COMMANDS[arguments.command]
    try:
        if arguments.command == "bench" and arguments.name:
            arguments.name = benchmarks.module(arguments.name)
        virtualenv.ready(command.requirements, words)
        module, function = command.function.split(":")
        work = getattr(importlib.import_module(f"store.cli.{module}"), function)
        code = int(work(arguments))
        failures.flush()
        return code
    except StoreError as error:
        failures.say(error.for_operator)
        return 2
    except KeyboardInterrupt:
        failures.say("Stopped.")
        return 130
    except BrokenPipeError:  # as with `| head -1`
        failures.stop_printing()
        return 1
    except Exception as error:  # noqa: BLE001 - the last place where it can become a sentence
        return failures.report(error)
