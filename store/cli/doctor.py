"""`python -m store doctor`: what is set, what answers, what is wrong, and how to mend it.

Exit codes: 0, all is well; 1, something has to be mended; 2, it could not even look (a command
line that is not understood, an environment that is not ready).
"""

import json
from argparse import Namespace
from collections.abc import Iterator
from itertools import chain

from store.catalog import products
from store.cli import machine, preflight, stripe_findings
from store.cli.findings import NOTE, OK, WRONG, Finding, guarded
from store.cli.process_findings import processes
from store.core.errors import StoreError
from store.core.wording import counted
from store.db import engine as db


def doctor(arguments: Namespace) -> int:
    """Print every finding; 1 where something has to be mended, 0 otherwise."""
    found = findings(arguments)
    if arguments.json:
        every = list(found)
        print(json.dumps([finding._asdict() for finding in every], indent=2, ensure_ascii=False))
    else:
        every = [shown(finding) for finding in found]
    return int(any(finding.state == WRONG for finding in every))


def shown(finding: Finding) -> Finding:
    """The finding, printed at once: the next one may take a while."""
    state = "WRONG" if finding.state == WRONG else finding.state
    print(f"{state:>6}  {finding.message}", flush=True)
    if finding.remedy:
        print(f"        → {finding.remedy}", flush=True)
    return finding


def findings(arguments: Namespace) -> Iterator[Finding]:
    yield from guarded("programs", machine.programs())
    yield from guarded("setting files", machine.setting_files())
    try:
        chosen = preflight.settings_for(arguments)
    except StoreError as error:
        remedy = "Change it in the environment or in the file; see .env.example."
        yield Finding(WRONG, "settings", str(error), remedy)
        return
    looks = {
        "settings": machine.setting_values(chosen),
        "price list": price_list(),
        "data folder": machine.data_folder(chosen),
        "way to Stripe": stripe_findings.stripe(chosen),
        "webhooks": stripe_findings.webhooks(chosen),
        "database": database(),
        "processes": processes(chosen, arguments),
    }
    yield from chain.from_iterable(guarded(name, look) for name, look in looks.items())


def price_list() -> Iterator[Finding]:
    """The products of the first day and of a fresh demo."""
    try:
        count = len(products.seeds())
    except StoreError as error:
        remedy = "Correct the file, or choose another CURRENCY."
        yield Finding(WRONG, "price list", str(error), remedy)
    else:
        yield Finding(OK, "price list", f"{counted(count, 'product')} in data/products.toml")


def database() -> Iterator[Finding]:
    try:
        if not db.exists():
            message = f"There is no shop in {db.place()} yet"
            yield Finding(NOTE, "database", message, "python -m store makes it.")
            return
    except StoreError:
        pass  # said below, with the reason
    sound = True
    for found in db.findings():
        sound &= found.ok
        state = OK if found.ok else WRONG
        yield Finding(state, "database", found.sentence, found.remedy)
    if not sound:
        return
    if db.schema_is_current():
        message = f"The database {db.place()} answers and its schema is current"
        yield Finding(OK, "database", message)
    else:
        message = f"The database {db.place()} answers; its schema is not current"
        remedy = "python -m store migrate (starting the shop does it, too)."
        yield Finding(NOTE, "database", message, remedy)
