"""`python -m store doctor`: what is set, what answers, what is wrong, and how to repair it.

Exit codes: 0, all is well; 1, something must be repaired; 2, nothing could be examined (an unknown
option, an environment that is not ready).
"""

import json
from argparse import Namespace
from collections.abc import Iterator
from itertools import chain

from store.catalog import products
from store.cli import machine_findings, preflight, stripe_findings
from store.cli.findings import NOTE, OK, WRONG, Finding, guarded
from store.cli.process_findings import processes
from store.core import shop_profile
from store.core.errors import StoreError
from store.core.wording import counted
from store.db import engine as db


def doctor(arguments: Namespace) -> int:
    """Print every finding; 1 if one of them is wrong, else 0."""
    results = findings(arguments)
    if arguments.json:
        every = list(results)
        print(json.dumps([finding._asdict() for finding in every], indent=2, ensure_ascii=False))
    else:
        every = [print_finding(finding) for finding in results]
    return int(any(finding.state == WRONG for finding in every))


def print_finding(finding: Finding) -> Finding:
    """Print a finding and return it; called for each at once, because the next may take long."""
    state = "WRONG" if finding.state == WRONG else finding.state
    print(f"{state:>6}  {finding.message}", flush=True)
    if finding.remedy:
        print(f"        → {finding.remedy}", flush=True)
    return finding


def findings(arguments: Namespace) -> Iterator[Finding]:
    yield from guarded("programs", machine_findings.programs())
    yield from guarded("setting files", machine_findings.setting_files())
    try:
        config = preflight.settings_for(arguments)
    except StoreError as error:
        remedy = "Change it in the environment or in the file; see .env.example."
        yield Finding(WRONG, "settings", str(error), remedy)
        return
    examinations = {
        "settings": machine_findings.setting_values(config),
        "shop.toml": shop_file(),
        "price list": price_list(),
        "data folder": machine_findings.data_folder(config),
        "way to Stripe": stripe_findings.stripe(config),
        "webhooks": stripe_findings.webhooks(config),
        "database": database(),
        "processes": processes(config, arguments),
    }
    yield from chain.from_iterable(guarded(name, each) for name, each in examinations.items())


def shop_file() -> Iterator[Finding]:
    """Whether `data/shop.toml` can be read."""
    try:
        yield Finding(OK, "shop.toml", f"The shop is called {shop_profile.current().name}")
    except StoreError as error:
        yield Finding(WRONG, "shop.toml", str(error), "Correct the file.")


def price_list() -> Iterator[Finding]:
    """Whether the products of a fresh shop can be read and sold in its currency."""
    try:
        count = len(products.seed_rows())
    except StoreError as error:
        remedy = "Correct the file, or choose another CURRENCY."
        yield Finding(WRONG, "price list", str(error), remedy)
    else:
        yield Finding(OK, "price list", f"{counted(count, 'product')} in data/products.toml")


def database() -> Iterator[Finding]:
    try:
        if not db.exists():
            message = f"There is no shop in {db.location()} yet"
            yield Finding(NOTE, "database", message, "python -m store makes it.")
            return
    except StoreError:
        pass  # reported below, with the reason
    sound = True
    for check in db.findings():
        sound &= check.ok
        state = OK if check.ok else WRONG
        yield Finding(state, "database", check.sentence, check.remedy)
    if not sound:
        return
    if db.schema_is_current():
        message = f"The database {db.location()} answers and its schema is current"
        yield Finding(OK, "database", message)
    else:
        message = f"The database {db.location()} answers; its schema is not current"
        remedy = "python -m store migrate (starting the shop does it, too)."
        yield Finding(NOTE, "database", message, remedy)
