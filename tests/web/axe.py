"""axe-core (https://github.com/dequelabs/axe-core) on a page, as the tests ask it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from playwright.async_api import Page

SCRIPT = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
# Moving colours are neither the one nor the other, and what a closed part of the page hides nobody sees.
RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
STILL = "*, *::before, *::after { animation: none !important; transition: none !important; }"


async def faults(page: Page) -> list[str]:
    """The serious and critical faults of a page as it is now: rule, place and what is there."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(SCRIPT)
        await page.add_style_tag(content=STILL)
    violations: list[dict[str, Any]] = await page.evaluate(RUN)
    return [
        f"{fault['id']}: {' '.join(map(str, node['target']))}: {node['html'][:160]}: {node['failureSummary'][:400]}"
        for fault in violations
        for node in fault["nodes"]
        if fault["impact"] in ("serious", "critical")
    ]
