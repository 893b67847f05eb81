"""The command line: parses the arguments and calls the command's function.

Standard library only: `--help` works before anything is installed.
"""

import argparse
import importlib
import platform
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from store import __version__
from store.cli import dev, failures, virtualenv
from store.core.errors import StoreError

RUNTIME = ["requirements.txt"]
DEVELOPMENT = ["requirements.txt", "requirements-dev.txt"]


class Command(NamedTuple):
    """What `--help` says of a command, and the module of the function with the command's name."""

    summary: str
    module: str = "commands"
    requirements: list[str] = RUNTIME
    passes_on: str = ""  # what unknown arguments are, for a command that passes them on


PYTEST = "pytest arguments: then only pytest runs, with them"
COMMANDS = {
    "run": Command("start the shop (the same as no command at all)", "run"),
    "test": Command("formatter, linter, types and every test", "dev", DEVELOPMENT, PYTEST),
    "migrate": Command("bring the database schema up to date"),
    "doctor": Command("explain what is set, reachable or wrong, and how to repair it", "doctor"),
    "reconcile": Command("catch up with Stripe now"),
    "audit": Command("compare every payment at Stripe with ours"),
    "export": Command("write every order to a CSV file"),
    "backup": Command("copy the database, consistent while the shop runs"),
    "prune": Command("delete old events, in small steps, while the shop runs"),
    "reset": Command("a fresh demo: delete all orders (offline only)"),
    "bench": Command(
        "run the benchmarks, or the named one", "dev", DEVELOPMENT, "arguments of that benchmark"
    ),
}


def whole_number(text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdecimal() and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")


port = partial(whole_number, least=1, most=65_535)
# As long as Stripe lists an event: one deleted sooner is fetched again.
days = partial(whole_number, least=30, most=36_500)


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
    subparsers = {
        name: commands.add_parser(
            name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=command.passes_on and f"What follows is passed on as {command.passes_on}.",
            allow_abbrev=False,
            add_help=name != "bench",  # each benchmark has a help of its own
        )
        for name, command in COMMANDS.items()
    }

    def add(names: str, flag: str, **options: Any) -> None:
        for name in names.split():
            subparsers[name].add_argument(flag, **options)

    add_common_options(add)
    add_own_options(add)
    top.epilog = (
        f"options of run, which may be left out: python -m store --port 8080\n"
        f"{options_of(subparsers['run'])}\n\n"
        "Expected failures are one sentence on standard error, with exit code 2."
    )
    return top


def add_common_options(add: Callable[..., None]) -> None:
    """The options that several commands have."""
    add(
        " ".join(name for name in COMMANDS if COMMANDS[name].requirements == RUNTIME),
        "--data-dir",
        type=folder,
        metavar="FOLDER",
        help="where the database and the secrets are stored (default: DATA_DIR, else data)",
    )
    for flag, default, what, names in (
        ("--port", 8501, "the shop", "run doctor"),
        ("--webhook-port", 8000, "the webhook server", "run doctor"),
        ("--emulator-port", 8502, "the emulator", "run doctor reconcile audit reset"),
    ):
        text = f"where {what} listens (default: {default})"
        add(names, flag, type=port, default=default, metavar="PORT", help=text)
    text = "no emulator, even without a Stripe key"
    add("run doctor", "--no-emulator", action="store_true", help=text)


def add_own_options(add: Callable[..., None]) -> None:
    """The options and arguments that only one command has."""
    add(
        "run",
        "--host",
        metavar="ADDRESS",
        help="also listen there (0.0.0.0: every network), so that other computers reach the shop "
        "and the webhooks; the emulator never leaves this computer (default: this computer alone)",
    )
    text = "open the shop in the browser once it is ready"
    add("run", "--open", action="store_true", help=text)
    add("audit", "--json", action="store_true", help="print JSON, not a table")
    add("doctor", "--json", action="store_true", help="print JSON, for scripts")
    add("export", "file", type=Path, metavar="FILE.csv")
    add("backup", "file", type=Path, metavar="FILE")
    text = "how old they must be (default: 90, at least 30)"
    add("prune", "--days", type=days, default=90, help=text)
    text = "also delete entries of the orders' history that are older than this"
    add("prune", "--history-days", type=days, metavar="DAYS", help=text)
    add("reset", "--yes", action="store_true", help="do not ask")
    add("bench", "name", nargs="?", help="which one (see --list); default: all")
    text = "list the benchmarks and exit"
    add("bench", "--list", action="store_true", help=text)


def options_of(command: argparse.ArgumentParser) -> str:
    """The lines of a command's help that explain its options, without `--help`."""
    text = re.split(r"options:.*\n", command.format_help())[-1].rstrip()
    return re.sub(r"^.*-h.*, .*--help.*\n", "", text, count=1, flags=re.MULTILINE)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The parsed command line; `rest` holds what is passed on to another program."""
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
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
    """Run one command line; returns the exit code."""
    failures.repair_streams()
    arguments = parse(words)
    command = COMMANDS[arguments.command]
    try:
        if arguments.command == "bench" and arguments.list:
            print(dev.listing())
            return 0
        if arguments.command == "bench" and arguments.name:
            arguments.name = dev.module(arguments.name)
        virtualenv.ensure_ready(command.requirements, words)
        module = importlib.import_module(f"store.cli.{command.module}")
        code = int(getattr(module, arguments.command)(arguments))
        failures.flush()
        return code
    except StoreError as error:
        failures.print_error(error.for_operator)
        return 2
    except KeyboardInterrupt:
        failures.print_error("Stopped.")
        return 130
    except BrokenPipeError:  # as with `| head -1`
        failures.stop_printing()
        return 1
    except Exception as error:  # noqa: BLE001 - shown as one sentence, with a number for the log
        return failures.report(error)
