"""What axe-core finds on a page in a real browser: contrast, names, roles, keyboard."""

from collections.abc import Iterable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

VIOLATIONS = {"resultTypes": ["violations"]}
GRAVE = ("serious", "critical")
PROJECTOR, PHONE = (1280, 720), (390, 844)
EVERY_LOOK = tuple((size, scheme) for size in (PROJECTOR, PHONE) for scheme in ("light", "dark"))
BOTH_LOOKS = ((PROJECTOR, "light"), (PHONE, "dark"))  # each size and each scheme once
# Until nothing fades or slides any more; asked in one go, because a page's policy may forbid
# Playwright's own way of waiting for a function.
ENOUGH_MOVED = """() => Promise.allSettled(
    document.getAnimations()
        .filter(a => a.playState === 'running' && a.effect.getComputedTiming().endTime <= 5000)
        .map(a => a.finished)
).then(() => null)"""


def grave_faults(page: Page) -> list[str]:
    """Every serious or critical fault, as a line that says what and where; none is the aim."""
    page.evaluate(ENOUGH_MOVED)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate("options => axe.run(options).then(all => all.violations)", VIOLATIONS)
    return [
        f"{fault['impact']} {fault['id']}: {fault['help']}: {node['target']} {node['html'][:160]}"
        f" {node['failureSummary'].splitlines()[-1].strip()}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


def grave_faults_in(page: Page, looks: Iterable[tuple[tuple[int, int], str]]) -> list[str]:
    """The same on a projector and a phone, in the light and in the dark."""
    found = []
    for (width, height), scheme in looks:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.wait_for_function(
            "scheme => getComputedStyle(document.querySelector('.stApp')).colorScheme"
            ".startsWith(scheme)",
            arg=scheme,
        )
        found += [f"{width} px, {scheme}: {fault}" for fault in grave_faults(page)]
    return found
