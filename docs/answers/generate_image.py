"""`make answers-image`: write docs/answers.png, a screenshot of the page in this folder."""

from __future__ import annotations

from pathlib import Path

from tests.support.browser import open_page, run_chromium

IMAGE = Path(__file__).resolve().parents[1] / "answers.png"
QUEUES = "emails:8, reports:2, webhooks:50@threads"
JOBS = "cleanup(days=30) = 0 3 * * * -> reports; digest('weekly') = 30 8 * * mon-fri; sync = every 90s -> webhooks"


def main() -> None:
    """Show some answers, and write the part of the page with the queues, the periodic tasks and the command."""
    with run_chromium() as browser, open_page(browser, {"width": 1280, "height": 950}, scale=1.5) as page:
        page.clock.set_fixed_time("2027-03-25T09:00:00Z")  # clocks in Berlin change three days later
        page.get_by_label("Project name").fill("Mail Room")
        page.locator("#broker-rabbitmq").check()
        for name, text in {"queues": QUEUES, "beat_jobs": JOBS}.items():
            page.locator(f"details:has(#{name})").evaluate("(details) => details.setAttribute('open', '')")
            page.locator(f"#{name}").fill(text)
            page.locator(f"details:has(#{name})").evaluate("(details) => details.removeAttribute('open')")
        page.get_by_label("Time zone of the beat schedule").fill("Europe/Berlin")
        page.evaluate("document.activeElement.blur()")
        page.evaluate("document.getElementById('question-queues').closest('section').scrollIntoView()")
        page.screenshot(path=IMAGE)


if __name__ == "__main__":
    main()
