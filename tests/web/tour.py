"""A walk through the faces in a real browser: by their links from page to page, looking at each.

Which pages there are is what the URL resolver knows; which addresses they have is what links lead to. So a new page
is looked at as soon as something leads to it, and a page that nothing leads to is seen missing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.web import messages

FACES: Final = ("front", "join", "docs", "portal:", "till:", "console:", "widget:")


FILES: Final = {
    "portal:demo", "portal:export", "portal:manifest", "portal:pocket", "portal:worker", "till:demo", "till:manifest",
    "till:worker", "till:shell", "console:demo", "console:studio:file", "console:studio:version-file",
    "console:people:statement", "console:people:settlement-lines", "console:people:orders-sheet",
    "console:people:payouts-sheet", "console:people:history-sheet", "console:people:export",
    "console:people:import-refused", "docs",
}  # fmt: skip
"""Where links lead to something that is taken away, or that belongs to no face."""


class Look(NamedTuple):
    """How a page is looked at: its language, the colours, the width of the screen."""

    language: str
    scheme: Any
    width: int

    def __str__(self) -> str:
        return f"{self.scheme}-{self.width}-{self.language}"


def names() -> set[str]:
    """Every address of the faces by its name."""

    def walk(patterns: list[URLPattern | URLResolver], space: str) -> Iterator[str]:
        for found in patterns:
            if isinstance(found, URLResolver):
                yield from walk(
                    found.url_patterns, f"{space}{found.namespace}:" if found.namespace else space
                )
            else:
                yield f"{space}{found.name}"

    return {name for name in walk(get_resolver().url_patterns, "") if name.startswith(FACES)}


def name_of(address: str) -> str:
    """The name of the page at an address; "" where there is none of the faces."""
    try:
        found = resolve(urlsplit(address).path).view_name
    except Resolver404:
        return ""
    return found if found.startswith(FACES) else ""


_LINKS = "[...document.querySelectorAll('a[href]')].map((link) => link.href)"

# What axe does not look at: one heading of the page, nothing that goes before its place by tabindex, the main action
# reached by the keyboard, a ring around what has the focus, and texts, to see in which language they are.
_SEEN = """() => {
    const shown = (found) => found.checkVisibility();
    const wrong = [];
    const heads = [...document.querySelectorAll("h1")].filter(shown);
    if (heads.length !== 1) wrong.push(`${heads.length} headings h1`);
    if (!document.title.trim()) wrong.push("no title");
    for (const found of document.querySelectorAll("[tabindex]"))
        if (found.tabIndex > 0) wrong.push(`tabindex ${found.tabIndex}`);
    for (const found of document.querySelectorAll("main :is(a, button, input).button.primary"))
        if (shown(found) && found.tabIndex < 0) wrong.push(`not reached by keys: ${found.textContent.trim()}`);
    for (const found of document.querySelectorAll("img"))
        if (shown(found) && found.complete && !found.naturalWidth) wrong.push(`no picture: ${found.src}`);
    return wrong;
}"""
_RING = """() => {
    let found = document.activeElement;
    while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
    if (!found || found === document.body) return "";
    const style = getComputedStyle(found);
    const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    return drawn || style.boxShadow !== "none" ? "" : `no ring around ${found.outerHTML.slice(0, 120)}`;
}"""
_TEXTS = """() => {
    const found = [];
    const said = (one) => one.closest("[lang]").lang === document.documentElement.lang
        && !one.closest("code, pre, textarea, [translate=no]") && one.checkVisibility();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.replace(/\\s+/g, " ").trim();
        const parent = walker.currentNode.parentElement;
        // A choice that is named by its own key is a word of the document, in no language.
        if (text && said(parent) && parent.value !== text) found.push(text);
    }
    for (const one of document.querySelectorAll("[aria-label], [placeholder], [title], [alt]"))
        for (const name of ["aria-label", "placeholder", "title", "alt"])
            if (one.getAttribute(name) && said(one)) found.push(one.getAttribute(name).replace(/\\s+/g, " ").trim());
    return found;
}"""
_WIDE = """() => {
    const more = document.documentElement.scrollWidth - window.innerWidth;
    if (more <= 0) return "";
    const found = [...document.querySelectorAll("main *")].filter(
        (one) => one.getBoundingClientRect().right > window.innerWidth + 1);
    return `${more} px wider than ${window.innerWidth}: ${found.slice(-1).map((one) => one.outerHTML.slice(0, 120))}`;
}"""
# A bar that stays in view lies over what can be scrolled from under it: it is looked at where it stands.
_AXE = """async (options) => {
    const bars = [...document.querySelectorAll(".till-action")];
    for (const bar of bars) bar.style.position = "static";
    const found = await axe.run(document, options);
    for (const bar of bars) bar.style.position = "";
    return found.violations.map((one) => `${one.id}: ${one.nodes.map(
        (node) => `${node.html.slice(0, 160)} ${node.any.map((why) => why.message).join("; ")}`).join(" | ")}`);
}"""
WHOLE: Final = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
COLOURS: Final = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}


class Tongues:
    """What is said in the one language, and never in the other: texts of the catalogues, and of documents."""

    def __init__(self, documents: Iterable[Any] = ()) -> None:
        pairs = [
            (message.id, message.string)
            for area in messages.areas()
            for message in messages.catalogue(area)
            if isinstance(message.id, str) and isinstance(message.string, str) and message.id
        ]
        # A key is a word of the document, in no language.
        keys: set[str] = set()
        for document in documents:
            pairs += _said(document)
            keys |= set(_keys(document))
        english = {one for one, _ in pairs} - keys
        french = {other for _, other in pairs} - keys
        self.foreign = {
            "fr": {one for one in english - french if len(one) > 3},
            "en": {other for other in french - english if len(other) > 3},
        }

    def wrong(self, language: str, texts: Iterable[str]) -> list[str]:
        """The texts that are of the other language."""
        return sorted({f"not {language}: {text!r}" for text in texts if text in self.foreign[language]})


def _keys(document: Any) -> Iterator[str]:
    """The keys that a document gives to its parts."""
    if isinstance(document, dict):
        if isinstance(document.get("key"), str):
            yield document["key"]
        for part in document.values():
            yield from _keys(part)
    elif isinstance(document, list):
        for part in document:
            yield from _keys(part)


def _said(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        if isinstance(part.get("en"), str) and isinstance(part.get("fr"), str):
            yield part["en"], part["fr"]
        part = part.values()
    if not isinstance(part, str) and isinstance(part, Iterable):
        for one in part:
            yield from _said(one)


class Eyes:
    """One browser window with a look; what it was refused or could not load is remembered."""

    def __init__(self, browser: Browser, address: str, look: Look) -> None:
        self.look, self.address = look, address
        self.context: BrowserContext = browser.new_context(
            viewport={"width": look.width, "height": 844 if look.width < 700 else 900},
            locale=look.language,
            color_scheme=look.scheme,
            reduced_motion="reduce",
            base_url=address,
        )
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("requestfailed", self._failed)

    def _said(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.faults.append(f"console: {said.text}")

    def _asked(self, asked: Request) -> None:
        if not asked.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"asked of another host: {asked.url}")

    def _failed(self, asked: Request) -> None:
        # What the browser itself gives up, because it goes on to another page, is no fault.
        if asked.failure != "net::ERR_ABORTED":
            self.faults.append(f"not loaded: {asked.url}")

    def open(self, path: str) -> int:
        """Goes there; the status of what came."""
        answer = self.page.goto(path)
        return answer.status if answer is not None else 0

    def links(self) -> list[str]:
        """Where the page's links lead on the same host, as paths."""
        found: list[str] = self.page.evaluate(_LINKS)
        return [link.removeprefix(self.address) for link in found if link.startswith(f"{self.address}/")]

    def wrong(self, tongues: Tongues, other: Look) -> list[str]:
        """What is wrong with the page by its look, and by another's colours and width."""
        found, self.faults = self.faults, []
        self.page.evaluate(AXE_SCRIPT)
        found += self.page.evaluate(_AXE, WHOLE)
        found += self.page.evaluate(_SEEN)
        found += tongues.wrong(self.look.language, self.page.evaluate(_TEXTS))
        for _ in range(3):
            self.page.keyboard.press("Tab")
            found.append(self.page.evaluate(_RING))
        found.append(self.page.evaluate(_WIDE))
        self.page.emulate_media(color_scheme=other.scheme)
        self.page.set_viewport_size({"width": other.width, "height": 844})
        found += self.page.evaluate(_AXE, COLOURS)
        found.append(self.page.evaluate(_WIDE))
        self.page.set_viewport_size({"width": 320, "height": 844})
        found.append(self.page.evaluate(_WIDE))
        self.page.emulate_media(color_scheme=self.look.scheme)
        self.page.set_viewport_size({"width": self.look.width, "height": 844})
        return [fault for fault in found if fault]

    def picture(self, folder: Path, name: str, other: Look) -> None:
        """Pictures of the whole page, by the look and by the other's colours and width."""
        folder.mkdir(parents=True, exist_ok=True)
        for look in (other, self.look):
            self.page.emulate_media(color_scheme=look.scheme)
            self.page.set_viewport_size({"width": look.width, "height": 844 if look.width < 700 else 900})
            self.page.screenshot(path=folder / f"{name.replace(':', '-')}-{look}.png", full_page=True)

    def close(self) -> None:
        self.context.close()


class Way(NamedTuple):
    """How the tour gets in: the program, signatures of the demonstration's doors, a member and his card."""

    key: str
    member: str
    owner: str
    cashier: str
    ref: str
    card: str


class Act(NamedTuple):
    """A page that a form leads to: what it is called, who sees it, where it begins, what is done there."""

    name: str
    who: str
    start: str
    do: Callable[[Page, Way], None]


def _press(where: str, then: str) -> Callable[[Page, Way], None]:
    """Presses something, and waits for an address or for something to be seen."""

    def pressed(page: Page, way: Way) -> None:
        page.locator(where).first.click()
        if then.startswith("**"):
            page.wait_for_url(then)
        else:
            page.locator(then).first.wait_for()

    return pressed


def _fill(where: str, text: str, then: str) -> Callable[[Page, Way], None]:
    """Writes into a field and sends it."""

    def filled(page: Page, way: Way) -> None:
        page.locator(where).first.fill(text.format(way=way))
        page.keyboard.press("Enter")
        if then.startswith("**"):
            page.wait_for_url(then)
        else:
            page.locator(then).first.wait_for()

    return filled


def _adjust(page: Page, way: Way) -> None:
    page.locator("[name=points]").fill("12")
    page.locator("[name=reason]").fill("late parcel")
    page.keyboard.press("Enter")
    page.locator("[name=sure]").wait_for(state="attached")


ACTS: Final = (
    Act("portal:code", "nobody", "/portal/{key}/door", _fill("main .input", "b@example.org", "**/code")),
    Act("portal:ordered", "member", "/portal/{key}/rewards/fruit_basket", _press("main form .primary", "**/mine/**")),
    Act("portal:shown", "member", "", _press("form[action*='/show/'] button", ".shown-code")),
    Act("portal:saving", "member", "/portal/{key}/rewards/iron_pan", _press("form[action$='/save'] button", ".way")),
    Act("portal:played", "member", "/portal/{key}/games/wheel", _press("main form .primary", "**/plays/**")),
    Act("console:sure", "member", "/console/{key}/members/{ref}/adjust", _adjust),
    Act("till:found", "cashier", "/till/{key}/", _fill("#who", "{way.card}", ".till-balance")),
    Act("till:reward", "cashier", "", _press(".till-choice:not([disabled])", "form[action$='/give']")),
    Act("till:voucher", "cashier", "/till/{key}/", _press("form[action$='/voucher'] button", "#voucher")),
    Act("till:return", "cashier", "", _press("form[action$='/close'] button", "form[action$='/return'] button")),
    Act("till:basket", "cashier", "/till/{key}/", _fill("#amount", "42.10", "form[action$='/credit'] .till-big")),
    Act("till:done", "cashier", "", _press("form[action$='/credit'] .till-big", ".till-band")),
    Act("till:unlock", "cashier", "", _press("#lock-form button", "**/unlock")),
)  # fmt: skip


class Tour:
    """Windows of everybody who looks, all with one look."""

    def __init__(self, browser: Browser, address: str, way: Way, look: Look) -> None:
        self.way = way
        self.eyes = {who: Eyes(browser, address, look) for who in ("member", "cashier", "nobody")}
        self.member.open(f"/portal/{way.key}/demo?as={way.member}")
        # What the page still asks for in the background would answer with the session that signing in anew ends.
        self.member.page.wait_for_load_state("networkidle")
        # A person of the staff may be a member too: one window for both.
        self.member.open(f"/console/demo-sign-in?as={way.owner}")
        cashier = self.eyes["cashier"]
        cashier.open(f"/till/{way.key}/demo?as={way.cashier}")
        cashier.page.locator("main .primary").click()
        cashier.page.wait_for_url(f"**/till/{way.key}/")

    @property
    def member(self) -> Eyes:
        return self.eyes["member"]

    def of(self, name: str) -> Eyes:
        """Who looks at a page."""
        if name in STRANGERS:
            return self.eyes["nobody"]
        return self.eyes["cashier" if name.startswith("till:") else "member"]

    def acted(self, act: Act) -> Eyes:
        """Goes to a page that only a form leads to."""
        looking = self.eyes[act.who]
        if act.start:
            looking.open(act.start.format(key=self.way.key, ref=self.way.ref))
        act.do(looking.page, self.way)
        return looking

    def close(self) -> None:
        for one in self.eyes.values():
            one.close()


STRANGERS: Final = {"front", "portal:door", "portal:erased", "console:sign-in", "console:welcome"}
"""Pages for whoever is not signed in."""
STARTS: Final = (
    "/", "/portal/{key}/", "/console/", "/console/{key}/", "/console/{key}/members/{ref}", "/till/{key}/",
    "/till/{key}/enrol-till", "/console/ui-components", "/console/set-up/gallery", "/portal/{key}/erased",
    "/widget/{key}/sample", "/portal/{key}/offline", "/portal/{key}/door", "/console/sign-in", "/console/set-up/member",
    "/console/{key}/studio/versions/1/publish",
)  # fmt: skip
"""Where the walk begins: each face's first page, and pages to which no link leads."""


def walk(
    starts: Iterable[str], eyes: Callable[[str], Eyes], skipped: Callable[[str], bool], most: dict[str, int]
) -> Iterator[tuple[str, str, Eyes]]:
    """Opens pages by their links, breadth first: of each name as many as `most` says, or one.

    Yields the name, the path and who looks, with the page open; `eyes` says who looks at a page of a name.
    """
    waiting, known, seen = deque(starts), set[str](), Counter[str]()
    while waiting:
        path = waiting.popleft().split("#")[0]
        name = name_of(path)
        if not name or path in known or skipped(name) or seen[name] >= most.get(name, 1):
            continue
        known.add(path)
        looking = eyes(name)
        status = looking.open(path)
        here = name_of(looking.page.url)
        if here != name:
            # Led on: what was asked for has no page of its own here.
            known.add(urlsplit(looking.page.url).path)
            if not here or seen[here] >= most.get(here, 1):
                continue
            name = here
        seen[name] += 1
        if status != 200:
            looking.faults.append(f"answered {status}")
        yield name, path, looking
        waiting.extend(looking.links())
