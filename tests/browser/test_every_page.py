"""Every page a reader may meet, in a real browser: for everyone, on anything, and asking nobody else.

Standards: WCAG 2.2 AA (1.4.3, 1.4.4, 1.4.10, 1.4.12, 2.4.3, 2.4.7, 2.5.8), CSP Level 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from chromium import DESKTOP, PHONE, Window, window
from harbour_site import Harbour
from playwright.sync_api import Browser
from reader_pages import PAGES, ReaderPage, Visit

MOST_BYTES = 30_000
SMALLEST = 320
"""CSS pixels: an old telephone, or a desktop window at 400 % (WCAG 1.4.10)."""

FINGER = 44
"""CSS pixels; WCAG 2.5.8 asks for 24."""

EVERY_RULE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "resultTypes": ["violations"],
}
RULES_OF_LOOKS = {
    "runOnly": {
        "type": "rule",
        "values": [
            "color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable",
            "css-orientation-lock",
        ],
    },
    "resultTypes": ["violations"],
}  # fmt: skip
WHOLE = {(PHONE, "light"), (DESKTOP, "dark")}
"""Looks in which every rule is run: the rules that colours or width can change run in all."""

VISITS = [
    pytest.param((page, language), id=f"{page.name}-{language}")
    for page in PAGES
    for language in (("en", "ar") if page.per_language else ("en",))
]


FAULTS = """options => axe.run(options).then(found => found.violations.map(
  one => `${one.id} (${one.impact}): ${one.nodes.map(node => node.target).join(', ')}`))"""

Shown = tuple[ReaderPage, Visit]


@pytest.fixture(scope="module")
def walked(browser: Browser, served: Harbour) -> Iterator[Window]:
    """The one window in which every page is reached: a cookie of any of them would be found."""
    served.open_doors()
    with window(browser) as one:
        yield one


@pytest.fixture(scope="module", params=VISITS)
def shown(walked: Window, served: Harbour, request: pytest.FixtureRequest) -> Shown:
    """The page as a visit has reached it; tests look at it from all sides and press nothing."""
    page, language = request.param
    walked.begin(language)
    walked.look()
    visit = Visit(served, walked, language)
    page.reach(visit)
    return page, visit


def test_it_is_light_and_leaves_nothing_behind(shown: Shown) -> None:
    _, visit = shown
    last = max(
        at for at, one in enumerate(visit.window.answers) if one.request.is_navigation_request()
    )
    parts = visit.window.answers[last:]
    assert sum(len(one.body()) for one in parts) < MOST_BYTES
    assert visit.page.context.cookies() == []
    kept = visit.page.evaluate(
        """async () => [localStorage.length, sessionStorage.length, document.cookie,
        (await indexedDB.databases()).length, (await caches.keys()).length,
        (await navigator.serviceWorker.getRegistrations()).length]"""
    )
    assert kept == [0, 0, "", 0, 0, 0]


def test_language_and_direction(shown: Shown) -> None:
    page, visit = shown
    visit.window.look(DESKTOP)
    found = visit.page.evaluate(
        """() => {
          const main = document.querySelector('main'), sides = [];
          for (const block of main.querySelectorAll('h1, h2, p')) {
            if (!block.textContent.trim() || !block.getClientRects().length) continue;
            const words = document.createRange();
            words.selectNodeContents(block);
            const parts = [...words.getClientRects()].filter(one => one.width);
            const line = parts.filter(one => one.top < parts[0].bottom);
            const box = block.getBoundingClientRect(), style = getComputedStyle(block);
            const [start, end] = style.direction === 'rtl' ? ['Right', 'right'] : ['Left', 'left'];
            const edge = parseFloat(style[`border${start}Width`]) + parseFloat(style[`padding${start}`]);
            const reach = end === 'right'
              ? box.right - Math.max(...line.map(one => one.right))
              : Math.min(...line.map(one => one.left)) - box.left;
            sides.push([block.textContent.trim().slice(0, 40), reach - edge]);
          }
          const root = document.documentElement;
          return {lang: root.lang, dir: root.dir, direction: getComputedStyle(main).direction, sides};
        }"""
    )
    wanted = "rtl" if visit.language == "ar" else "ltr"
    if page.per_language:
        assert (found["lang"], found["dir"]) == (visit.language, wanted)
    assert found["direction"] == wanted
    assert found["sides"]
    for words, gap in found["sides"]:
        assert gap <= 1, f"{words} does not begin at the side from which it is read"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_axe_finds_nothing(shown: Shown, width: int, scheme: str) -> None:
    _, visit = shown
    visit.window.look(width, color_scheme=scheme)
    # By the debugger, which no Content-Security-Policy keeps out.
    if not visit.page.evaluate("'axe' in window"):
        visit.page.evaluate(AXE_SCRIPT)
    whole = (width, scheme) in WHOLE
    assert visit.page.evaluate(FAULTS, EVERY_RULE if whole else RULES_OF_LOOKS) == []


TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.scrollingElement.scrollWidth > width) found.push(document.scrollingElement.scrollWidth);
  for (const one of document.querySelectorAll('body *')) {
    const box = one.getBoundingClientRect();
    if (!one.closest('[aria-hidden=true]') && box.width && (box.left < -1 || box.right > width + 1))
      found.push(`${one.localName}: ${one.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""
"""What reaches over the window's sides."""

GROW = """factor => {
  const texts = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (walk.currentNode.data.trim()) texts.add(walk.currentNode.parentElement);
  const sizes = [...texts].map(one => [one, parseFloat(getComputedStyle(one).fontSize)]);
  for (const [one, size] of sizes) one.style.fontSize = `${size * factor}px`;
}"""
SPREAD = """() => {
  for (const one of document.querySelectorAll('body *')) {
    one.style.lineHeight = '1.5'; one.style.letterSpacing = '.12em'; one.style.wordSpacing = '.16em';
    if (one.localName === 'p') one.style.marginBottom = '2em';
  }
}"""
RESTORE = "() => document.querySelectorAll('body *').forEach(one => one.removeAttribute('style'))"


def test_nothing_is_wider_than_a_small_telephone(shown: Shown) -> None:
    _, visit = shown
    visit.window.look(SMALLEST)
    assert visit.page.evaluate(TOO_WIDE) == []


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_text_of_twice_the_size_fits(shown: Shown, width: int) -> None:
    _, visit = shown
    visit.window.look(width)
    visit.page.evaluate(GROW, 2)
    wide = visit.page.evaluate(TOO_WIDE)
    visit.page.evaluate(RESTORE)
    assert wide == []


def test_text_that_the_reader_spreads_fits(shown: Shown) -> None:
    """WCAG 1.4.12."""
    _, visit = shown
    visit.window.look(SMALLEST)
    visit.page.evaluate(SPREAD)
    wide = visit.page.evaluate(TOO_WIDE)
    visit.page.evaluate(RESTORE)
    assert wide == []


CONTROLS = """() => [...document.querySelectorAll('button, input, select, textarea, summary')]
  .filter(one => one.type !== 'hidden' && !one.closest('[aria-hidden=true]')).map(one => {
    const boxes = [one, ...(one.labels || [])].map(each => each.getBoundingClientRect());
    const name = `${one.localName} ${one.name} ${one.textContent.trim()}`;
    return [name, Math.max(...boxes.map(box => box.width)), Math.max(...boxes.map(box => box.height))];
  })"""


def test_what_is_pressed_is_large_enough_for_a_finger(shown: Shown) -> None:
    """Links, which may be smaller, are axe's to judge (`target-size`)."""
    _, visit = shown
    visit.window.look(PHONE)
    small = [
        (name, width, height)
        for name, width, height in visit.page.evaluate(CONTROLS)
        if min(width, height) < FINGER
    ]
    assert small == []


COLOURS = """() => {
  const luminance = colour => {
    const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number);
    return (.2126 * red + .7152 * green + .0722 * blue) / 255;
  };
  const ground = one => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return luminance(colour);
    }
    return 1;
  };
  const fields = 'main input:not([type=hidden], [type=checkbox], [type=radio]), main select';
  return [...document.querySelectorAll(`main h1, main p:not([class]), ${fields}`)]
    .filter(one => !one.closest('[aria-hidden=true]'))
    .map(one => [one.localName + (one.name || ''), ground(one), luminance(getComputedStyle(one).color)])
    .concat([['body', ground(document.body), luminance(getComputedStyle(document.body).color)]]);
}"""
"""How light the ground of texts and fields is, and what is written on it."""


def test_dark_is_dark_and_light_is_light(shown: Shown) -> None:
    """Fields, too: on a light one a browser draws the signs of dark ones, which nobody sees."""
    _, visit = shown
    visit.window.look(color_scheme="dark")
    found = visit.page.evaluate(COLOURS)
    assert [one for one in found if one[1] > 0.25 or one[2] < 0.6] == []
    visit.window.look(color_scheme="light")
    found = visit.page.evaluate(COLOURS)
    assert [one for one in found if one[1] < 0.75 or one[2] > 0.45] == []


BUTTONS = """() => [...document.querySelectorAll('button')].map(one => {
  const style = getComputedStyle(one);
  return [style.borderTopStyle, parseFloat(style.borderTopWidth), style.borderTopColor, style.backgroundColor];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_the_readers_own_colours_buttons_have_an_edge(shown: Shown, scheme: str) -> None:
    _, visit = shown
    visit.window.look(forced_colors="active", color_scheme=scheme)
    for style, width, edge, ground in visit.page.evaluate(BUTTONS):
        assert style == "solid" and width >= 1 and edge != ground


def test_nothing_moves(shown: Shown) -> None:
    """Whether or not the reader has asked for that."""
    _, visit = shown
    moving = """() => document.getAnimations().length + [...document.querySelectorAll('*')]
      .filter(one => /[1-9]/.test(getComputedStyle(one).transitionDuration)
        || getComputedStyle(one).animationName !== 'none'
        || getComputedStyle(one).scrollBehavior === 'smooth').length"""
    for asked in ("no-preference", "reduce"):
        visit.window.look(reduced_motion=asked)
        assert visit.page.evaluate(moving) == 0


STOPS = """() => {
  document.activeElement.blur();
  const own = 'a[href], button, input, select, textarea, summary, [tabindex]', groups = new Set();
  window.stops = [...document.querySelectorAll(own)].filter(one => {
    if (one.tabIndex < 0 || one.type === 'hidden' || !one.getClientRects().length) return false;
    if (one.type !== 'radio') return true;
    return !groups.has(one.name) && groups.add(one.name);
  });
  return window.stops.length;
}"""
FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    place: window.stops.indexOf(one), name: `${one.localName} ${one.name || ''}`,
    outline: style.outlineStyle, width: parseFloat(style.outlineWidth),
    seen: box.bottom > 0 && box.top < innerHeight,
  };
}"""
"""The focus, and its place in the order of the document."""


def test_the_tab_key_stops_everywhere_in_order_and_is_seen(shown: Shown) -> None:
    _, visit = shown
    visit.window.look(DESKTOP)
    count = visit.page.evaluate(STOPS)
    places = [-1]
    for _ in range(4 * count):
        visit.page.keyboard.press("Tab")
        focused = visit.page.evaluate(FOCUSED)
        if focused["place"] == places[-1]:  # a date has several parts
            continue
        if focused["place"] < 0:  # the end of the page
            break
        places.append(focused["place"])
        assert focused["seen"], focused
        assert focused["outline"] == "solid" and focused["width"] >= 2, focused
        if len(places) == count + 1:
            break
    assert places[1:] == list(range(count))


def test_it_has_asked_nobody_but_us(shown: Shown) -> None:
    page, visit = shown
    ours = urlsplit(visit.harbour.url).netloc
    assert {urlsplit(address).netloc for address in visit.window.asked} == {ours}
    # The browser itself complains of a page that is not 200.
    usual = f"the server responded with a status of {page.status} "
    assert [
        one for one in visit.window.complaints if not (page.status != 200 and usual in one)
    ] == []
    for answer in visit.window.answers:
        policy = answer.headers.get("content-security-policy", "")
        assert "default-src 'none'" in policy and "unsafe" not in policy, answer.url
        assert "set-cookie" not in answer.headers
        assert answer.request.resource_type in ("document", "stylesheet", "image"), answer.url
    last = [one for one in visit.window.answers if one.request.is_navigation_request()][-1]
    assert last.status == page.status
    for source, nonce in visit.page.evaluate("[...document.scripts].map(it => [it.src, it.nonce])"):
        assert source == "" and f"script-src 'nonce-{nonce}'" in policy
