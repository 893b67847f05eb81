"""What axe-core finds on a page in a real browser: contrast, names, roles, keyboard."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")


def grave_faults(page: Page) -> list[str]:
    """Every serious or critical fault, as a line that says what and where; none is the aim."""
    page.wait_for_function(
        "document.getAnimations().every("
        "a => a.playState !== 'running' || a.effect.getComputedTiming().endTime > 5000)"
    )
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['impact']} {fault['id']}: {fault['help']}: {node['target']} {node['html'][:160]}"
        f" {node['failureSummary'].splitlines()[-1].strip()}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]
