"""The accessibility check finds the faults that it should."""

import pytest
from playwright.sync_api import Browser

from tests.support.axe import grave_faults

pytestmark = pytest.mark.browser


def test_axe_notices_what_cannot_be_read_or_named(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content(
        '<html lang="en"><title>t</title><main style="background:#fff">'
        '<p style="color:#999">pale</p><button></button></main>'
    )

    found = " ".join(grave_faults(page))

    page.close()
    assert "color-contrast" in found
    assert "button-name" in found
