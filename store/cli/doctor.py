"""`python -m store doctor`: what is set, what answers, what is wrong, and how to repair it.

Exit codes: 0, all is well; 1, something must be repaired; 2, nothing could be examined (an unknown
option, an environment that is not ready).
"""

import json
from argparse import Namespace
from collections.abc import Iterator

from store.cli import findings, preflight, stripe_findings
from store.cli.findings import WRONG, Finding, guarded
from store.cli.process_findings import processes
from store.core.errors import StoreError


def doctor(arguments: Namespace) -> int:
    """Print every finding; 1 if one of them is wrong, else 0."""
    results = examine(arguments)
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


def examine(arguments: Namespace) -> Iterator[Finding]:
    yield from guarded("programs", findings.programs())
    yield from guarded("setting files", findings.setting_files())
    try:
        config = preflight.settings_for(arguments)
    except StoreError as error:
        remedy = "Change it in the environment or in the file; see .env.example."
        yield Finding(WRONG, "settings", str(error), remedy)
        return
    currency = "Correct the file, or choose another CURRENCY."
    yield from guarded("settings", findings.setting_values(config))
    yield from guarded("shop.toml", findings.shop_file(), "Correct the file.")
    yield from guarded("price list", findings.price_list(), currency)
    yield from guarded("data folder", findings.data_folder(config))
    yield from guarded("way to Stripe", stripe_findings.stripe(config))
    yield from guarded("webhooks", stripe_findings.webhooks(config))
    yield from guarded("database", findings.database())
    yield from guarded("processes", processes(config, arguments))
