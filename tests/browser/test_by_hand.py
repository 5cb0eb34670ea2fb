"""What readers do on the pages, in a real browser: with scripts or without, by keyboard alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from chromium import Window, window
from harbour_site import Harbour
from playwright.sync_api import Browser

from mailout.core.subscription import SubscriptionState
from mailout.store import people
from mailout.web import gate
from newcomers import state_of

ACTIVE, UNSUBSCRIBED = SubscriptionState.ACTIVE, SubscriptionState.UNSUBSCRIBED
ON_BUTTON = "document.activeElement.matches('main button')"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_leaving_and_staying(browser: Browser, served: Harbour, scripts: bool) -> None:
    reader = served.newcomer()
    with window(browser, scripts=scripts) as one:
        one.page.goto(f"{served.url}/u/{reader.token}")
        assert state_of(served.store, reader) is ACTIVE
        one.page.click("main button")
        assert one.page.text_content("h1") == "You are unsubscribed"
        assert state_of(served.store, reader) is UNSUBSCRIBED
        one.page.click("main button")
        assert one.page.text_content("h1") == "You are on the list again"
        assert state_of(served.store, reader) is ACTIVE


def test_leaving_by_keyboard_alone(opened: Window, served: Harbour) -> None:
    reader, page = served.newcomer(), opened.page
    page.goto(f"{served.url}/u/{reader.token}")
    before = page.screenshot()
    page.keyboard.press("Tab")
    assert page.evaluate(ON_BUTTON), "the button comes first"
    assert page.screenshot() != before, "the focus is seen"
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert state_of(served.store, reader) is UNSUBSCRIBED
    page.keyboard.press("Tab")
    assert page.evaluate(ON_BUTTON)
    with page.expect_navigation():
        page.keyboard.press("Space")
    assert state_of(served.store, reader) is ACTIVE


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_the_language_is_changed_and_stays(
    browser: Browser, served: Harbour, scripts: bool
) -> None:
    reader = served.newcomer("de")
    with window(browser, scripts=scripts) as one:
        root = one.page.locator("html")
        one.page.goto(f"{served.url}/u/{reader.token}")
        assert (root.get_attribute("lang"), root.get_attribute("dir")) == ("de", "ltr")
        for code in ("ru", "ar"):
            one.page.click(f"footer a[lang={code}]")
            assert root.get_attribute("lang") == code
        assert root.get_attribute("dir") == "rtl"
        for _ in range(2):
            one.page.click("main button")
            assert (root.get_attribute("lang"), root.get_attribute("dir")) == ("ar", "rtl")
    assert state_of(served.store, reader) is ACTIVE


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_from_the_first_page_to_saved_settings(
    browser: Browser, served: Harbour, scripts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not scripts:  # then people are asked for patience, which takes no test
        monkeypatch.setattr(gate, "PATIENCE", timedelta(0))
    served.open_doors()
    address = served.stranger()
    with window(browser, scripts=scripts, locale="en") as one:
        page = one.page
        page.goto(f"{served.url}/")
        page.click("a[href*='/join/bulletin']")
        page.fill("#address", address)
        page.fill("#name", "Ines")
        page.click("main button")
        # The browser proves its work first, which takes a slow machine a while.
        page.wait_for_selector("h1:text-is('Look into your mail')")
        page.goto(f"{served.url}/j/{served.letter(address)}")
        page.click("main button")
        assert page.text_content("h1") == "You are on the list"
        page.click("main button")
        assert page.input_value("#name") == "Ines"
        page.fill("#name", "Ines Falk")
        page.check("[name='bulletin.segment'][value=journalists]")
        page.select_option("#language", "de")
        page.click("form[action*='/s/save'] button")
        assert page.is_checked("[name='bulletin.segment'][value=journalists]")
        assert page.locator("html").get_attribute("lang") == "de"
    key = served.key(address)
    with served.store.reading() as tx:
        found = people.find(tx, key)
    assert found is not None
    assert (found.name, found.language, found.tags) == ("Ines Falk", "de", ("journalists",))
