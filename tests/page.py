#!/usr/bin/env python3
"""Opens report.html in a headless Chromium that has no network, and uses it as a reader does.

usage: tests/page.py BENCH FAKE_REPORT [--out DIR] [--browser PATH]

BENCH runs the suite `smoke`; FAKE_REPORT (the example of bench-report) draws made-up records: hostile names, three
maps of 50,000 points, and corrected embeddings with metrics and plates. Checked: nothing is loaded and nothing complains; every part is there without scripts; sorting,
filters, copies and downloads give what the files beside the page hold; the lasso exports the rows that lie in it;
names from outside stay text; 50,000 points stay under 5 MB and answer within 100 ms; keyboard, contrast, 400 px.
Screenshots in light, dark, print and 400 px go to DIR, to be looked at.

Needs Python 3.9 and a Chromium; no packages: the browser is driven through a pipe. Exit code 3 if there is no browser.
"""

import argparse
import base64
import csv
import fcntl
import io
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"]
LIMIT_BYTES = 5_000_000
LIMIT_MS = 100

failures = []


def check(holds, what):
    print(("  ok    " if holds else "  FAIL  ") + what)
    if not holds:
        failures.append(what)


class Browser:
    """A Chromium on the other end of a pipe, with one page."""

    def __init__(self, path, profile):
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()

        def wire():
            # Out of the way first: either end may already be number 3 or 4.
            commands, answers = fcntl.fcntl(to_read, fcntl.F_DUPFD, 20), fcntl.fcntl(from_write, fcntl.F_DUPFD, 20)
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
                 # A proxy that nobody serves: what asks for the network fails and is seen to.
                 "--proxy-server=127.0.0.1:9", "--force-device-scale-factor=1", "--remote-debugging-pipe",
                 f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen([path, *flags], pass_fds=(3, 4), preexec_fn=wire, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.out, self.inn, self.buffer = to_write, from_read, b""
        self.number, self.session, self.events = 0, None, []
        target = self.call("Target.getTargets")["targetInfos"]
        target = next(t for t in target if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"]:
            self.call(f"{domain}.enable")
        # Processor time of the page's thread: what it needs, however busy the machine is.
        self.call("Performance.enable", timeDomain="threadTicks")

    def call(self, method, timeout=120, **params):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if self.session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            answer = self.receive(deadline)
            if answer is None:
                raise TimeoutError(f"{method} was not answered in {timeout} s")
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.inn], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return None
            data = os.read(self.inn, 1 << 20)
            if not data:
                raise RuntimeError("the browser ended")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def open(self, path, scripts=True):
        self.events.clear()
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        deadline = time.monotonic() + 120
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            event = self.receive(deadline)
            if event is None:
                raise TimeoutError(f"{path} was not loaded")
            self.events.append(event)

    def js(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description", "exception"))
        return answer["result"].get("value")

    def complaints(self):
        """Errors, warnings, dialogs and requests since the page was opened."""
        # Timers of a page without scripts never end: wait here, and let what has happened arrive.
        time.sleep(0.2)
        self.js("0")
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append("exception: " + str(params["exceptionDetails"].get("exception", {}).get("description")))
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append("console: " + str([a.get("value") for a in params["args"]]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append("log: " + params["entry"]["text"])
            elif method == "Page.javascriptDialogOpening":
                found.append("dialog: " + params["message"])
            elif method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("data:", "blob:")) and not (url.startswith("file:") and url.endswith("report.html")):
                    found.append("request: " + url)
        return found

    def busy_ms(self):
        """Processor time that the page has taken so far."""
        metrics = {m["name"]: m["value"] for m in self.call("Performance.getMetrics")["metrics"]}
        return 1000 * metrics["TaskDuration"]

    def mouse(self, kind, x, y, button="none"):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=1 if button == "left" else 0,
                  clickCount=1 if kind != "mouseMoved" else 0)

    def key(self, key, code=None):
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else None)
        more = {"text": text} if text else {}
        numbers = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode=numbers.get(key, ord(key[0])), **(more if kind == "keyDown" else {}))

    def size(self, width, height=900, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def media(self, scheme="light", media=""):
        self.call("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])

    def shoot(self, path, clip=None):
        more = {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True} if clip else {}
        shot = self.call("Page.captureScreenshot", format="png", **more)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def sheets(self, folder, name, step=2400, most=6):
        """The page from its top in pieces of `step` pixels."""
        self.js("scrollTo(0, 0)")
        width, height = self.js("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        for at in range(min(most, -(-height // step))):
            # Figures load when they come near.
            self.js(f"(scrollTo(0, {at * step}), new Promise((done) => setTimeout(done, 250)))")
            self.shoot(folder / f"{name}-{at + 1}.png", {"x": 0, "y": at * step, "width": width, "height": min(step, height - at * step)})
        self.js("scrollTo(0, 0)")

    def saved(self, folder, click, name):
        """The file that a click saves."""
        path = pathlib.Path(folder) / name
        path.unlink(missing_ok=True)
        self.js(click)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if path.exists() and path.stat().st_size and not list(pathlib.Path(folder).glob("*.crdownload")):
                return path.read_bytes()
            self.js("new Promise((done) => setTimeout(done, 50))")
        raise TimeoutError(f"{name} was not saved")

    def close(self):
        try:
            self.call("Browser.close", timeout=10)
        except (OSError, RuntimeError, TimeoutError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def rows_of(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


HELPERS = r"""
window.sheet = (name) => document.querySelector(`.sheet[data-name="${name}"]`);
window.press = (root, words) => [...root.querySelectorAll("button")].find((b) => b.textContent.startsWith(words)).click();
window.column = (name, at) => [...sheet(name).querySelectorAll("tbody tr")].filter((r) => !r.hidden).map((r) => r.cells[at].dataset.raw ?? r.cells[at].textContent.trim());
window.pause = (ms) => new Promise((done) => setTimeout(done, ms));
"""

# Text and what lies behind it, wherever it stands; large text needs less.
CONTRAST = r"""
(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = (c) => { const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const worst = new Map();
  for (const e of document.querySelectorAll("p, li, dt, dd, th, td, a, button, summary, h1, h2, h3, caption, strong, span, figcaption, pre, code, legend, label")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.checkVisibility({ visibilityProperty: true })) continue;
    let ground = null;
    for (let p = e; p && !ground; p = p.parentElement) { const c = parse(getComputedStyle(p).backgroundColor); if (c[3] === 1) ground = c; }
    ground ??= [255, 255, 255];
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color).slice(0, 3)), light(ground.slice(0, 3))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) worst.set(`${e.tagName}.${e.className} ${style.color} on ${ground}`, ratio.toFixed(2));
  }
  return [...worst];
})()
"""

NAMES = r"""
(() => {
  const bad = [];
  for (const e of document.querySelectorAll("img")) if ((e.getAttribute("alt") ?? "").length < 20) bad.push("img without words");
  for (const e of document.querySelectorAll("svg:not([aria-hidden])")) if ((e.getAttribute("aria-label") ?? "").length < 20) bad.push("svg without words");
  for (const e of document.querySelectorAll("button, a, summary")) if (!(e.textContent.trim() || e.getAttribute("aria-label"))) bad.push(`${e.tagName} without a name`);
  for (const e of document.querySelectorAll("input")) if (!e.closest("label") && !e.getAttribute("aria-label")) bad.push("input without a label");
  for (const e of document.querySelectorAll("table")) if (!e.caption || ![...e.querySelectorAll("th")].every((h) => h.scope)) bad.push("table without caption or scopes");
  for (const e of document.querySelectorAll("main > section")) if (!e.getAttribute("aria-label") && !document.getElementById(e.getAttribute("aria-labelledby"))) bad.push("section without a name");
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((h) => Number(h.tagName[1]));
  levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) bad.push(`heading jumps from ${levels[i - 1]} to ${l}`); });
  if (levels.filter((l) => l === 1).length !== 1) bad.push("not one h1");
  for (const landmark of ["header", "main", "nav[aria-label]"]) if (document.querySelectorAll(landmark).length !== 1) bad.push(`not one ${landmark}`);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) bad.push("an id twice");
  for (const a of document.querySelectorAll("a[href^='#']")) if (!document.getElementById(a.getAttribute("href").slice(1))) bad.push(`${a.getAttribute("href")} leads nowhere`);
  return bad;
})()
"""


def smoke(browser, folder, saves, out):
    """A page of a real run: every use of it."""
    print("smoke: a page of a real run")
    page = folder / "report.html"
    check(page.stat().st_size <= LIMIT_BYTES, f"{page.stat().st_size:,} bytes, at most {LIMIT_BYTES:,}")

    browser.size(1280)
    browser.media("light")
    browser.open(page, scripts=False)
    heads = ["Headline", "Split ladder", "Results", "By source and by label", "Maps of the embeddings",
             "Controls, warnings and missing cells", "Methods and bias", "Licence and citation", "Provenance", "Downloads"]
    # With scripts forbidden for the page, the browser's own questions still work.
    body = browser.js("document.querySelector('main').innerText")
    places = [body.find(h) for h in heads]
    check(all(p >= 0 for p in places) and places == sorted(places), "without scripts: every section, in order")
    check(browser.js("[...document.querySelectorAll('.stills img')].some((i) => i.checkVisibility())"), "without scripts: maps are figures")
    check(not browser.js("document.querySelector('.tools, .atlas, .theme') !== null"), "without scripts: no dead buttons")
    links = browser.js("[...document.querySelectorAll('a[href]')].map((a) => a.getAttribute('href')).filter((h) => !h.startsWith('#'))")
    lost = [h for h in links if not (folder / h).is_file()]
    check(not lost, f"without scripts: {len(links)} links to files beside the page lead somewhere {lost[:3]}")
    check(not browser.complaints(), f"without scripts: no complaints {browser.complaints()[:3]}")

    browser.open(page)
    browser.js(HELPERS)
    check(browser.complaints() == [], f"no errors, no requests {browser.complaints()[:3]}")
    check(browser.js(NAMES) == [], f"names, landmarks, headings, captions {browser.js(NAMES)[:5]}")

    name = "leaderboard-strict-logreg"
    heads = browser.js(f"[...sheet('{name}').querySelectorAll('thead th')].map((h) => h.textContent.trim())")
    at = heads.index("random")
    press = f"sheet('{name}').querySelectorAll('thead th')[{at}].querySelector('button').click()"
    original = browser.js(f"column('{name}', 1)")
    browser.js(press)
    values = [float(v.split(";")[0]) for v in browser.js(f"column('{name}', {at})") if ";" in v]
    state = browser.js(f"sheet('{name}').querySelectorAll('thead th')[{at}].getAttribute('aria-sort')")
    check(len(values) > 3 and values == sorted(values) and state == "ascending", f"sorts {len(values)} rows upwards and says so")
    browser.js(press)
    values = [float(v.split(";")[0]) for v in browser.js(f"column('{name}', {at})") if ";" in v]
    check(values == sorted(values, reverse=True), "sorts downwards")
    browser.js(press)
    check(browser.js(f"column('{name}', 1)") == original, "a third click restores the order of the record")

    browser.js("sheet('settings').closest('details').open = true")
    browser.js("(() => { const s = sheet('settings').querySelector('input'); s.focus(); s.value = 'umap spread'; s.dispatchEvent(new Event('input')); })()")
    shown = browser.js("column('settings', 0)")
    check(shown == ["projection.umap.spread"], f"a filter of two words leaves {shown}")
    check(browser.js("sheet('settings').querySelector('[role=status]').textContent").startswith("1 of "), "and says how many rows are left")
    only = rows_of(browser.saved(saves, "press(sheet('settings'), 'Save CSV')", "settings.csv"))
    check([r[0] for r in only[1:]] == shown, "what is saved is what the filter left")

    for table in [name, "results-strict-logreg", "controls"]:
        browser.js(f"sheet('{table}').closest('details')?.setAttribute('open', '')")
        got = browser.saved(saves, f"press(sheet('{table}'), 'Save CSV')", f"{table}.csv")
        wanted = (folder / f"tables/{table}.csv").read_bytes()
        check(got == wanted, f"{table}: the saved CSV is the file's, byte by byte")
    browser.js("window.copied = null; navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    browser.js(f"press(sheet('{name}'), 'Copy LaTeX')")
    latex = browser.js("pause(50).then(() => window.copied)")
    check(latex is not None and latex.count("\\\\\n") == len(original) + 1 and "\\bottomrule" in latex, "LaTeX has a line per row")
    browser.js(f"press(sheet('{name}'), 'Copy CSV')")
    check(browser.js("pause(50).then(() => window.copied)").encode() == (folder / f"tables/{name}.csv").read_bytes(), "CSV is copied as it is saved")
    browser.js("delete navigator.clipboard.writeText; window.refused = []; navigator.clipboard.writeText = () => Promise.reject(new Error()); "
               "document.execCommand = (c) => { window.refused.push(document.activeElement.value); return true; }")
    browser.js("press(document.getElementById('command').nextElementSibling, 'Copy')")
    check("--suite" in browser.js("pause(50).then(() => window.refused[0])"), "without a clipboard the command is copied the old way")
    browser.js(f"press(sheet('{name}'), 'All digits')")
    digits = browser.js(f"sheet('{name}').querySelectorAll('tbody tr')[0].cells[{at}].textContent")
    raw = browser.js(f"column('{name}', {at})[0]")
    check(digits.startswith(raw.split(";")[0] + " ["), f"all digits: {digits}")
    browser.js(f"press(sheet('{name}'), 'All digits')")

    figure = "ladder-strict-logreg"
    click = "document.querySelector('[data-figure=\"%s\"] a[href$=\"%s\"]').click()"
    got = browser.saved(saves, click % (figure, "csv"), f"{figure}.csv")
    check(got == (folder / f"figures/{figure}.csv").read_bytes(), "the data of a figure are the file's, byte by byte")
    svg = browser.saved(saves, click % (figure, "svg"), f"{figure}.svg").decode()
    check(svg.startswith("<svg") and "Split ladder" in svg, "a figure is saved as SVG")
    check(browser.saved(saves, click % (figure, "png"), f"{figure}.png").startswith(b"\x89PNG"), "and as PNG")

    # Keyboard: the first stop skips to the verdict; a heading sorts; a map is walked through.
    browser.open(page)
    browser.js(HELPERS)
    browser.key("Tab")
    check(browser.js("document.activeElement.className") == "skip", "the first stop of the keyboard skips to the verdict")
    browser.js(f"sheet('{name}').querySelectorAll('thead th')[{at}].querySelector('button').focus()")
    browser.key("Enter")
    check(browser.js(f"sheet('{name}').querySelectorAll('thead th')[{at}].getAttribute('aria-sort')") == "ascending", "Enter on a heading sorts")
    browser.js("document.querySelector('.atlas canvas[tabindex]').focus()")
    browser.js("pause(300)")
    for key in ["ArrowRight", "ArrowRight", "ArrowUp"]:
        browser.key(key)
    check("source" in (browser.js("document.querySelector('.tip:not([hidden])')?.innerText ?? ''")), "arrow keys go from point to point")
    browser.key("Enter")
    check(browser.js("document.querySelectorAll('.levels [aria-pressed=true]').length") == 1, "Enter highlights a level")
    browser.key("Escape")
    check(browser.js("document.querySelectorAll('.levels [aria-pressed=true]').length") == 0, "Escape clears")

    for scheme in ["light", "dark"]:
        browser.media(scheme)
        browser.open(page)
        browser.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        poor = browser.js(CONTRAST)
        check(not poor, f"{scheme}: contrast of all text at least 4.5 {poor[:4]}")
        browser.open(page)
        browser.sheets(out, f"smoke-{scheme}")
    browser.js("document.querySelector('.theme').click()")
    check(browser.js("getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 251)", "the switch turns dark into light")
    browser.js("localStorage.clear()")
    check(browser.complaints() == [], f"no complaints after all that {browser.complaints()[:3]}")

    browser.media("light")
    browser.size(400, 800, mobile=True)
    browser.open(page)
    wide = browser.js("document.documentElement.scrollWidth")
    browser.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    wider = browser.js("document.documentElement.scrollWidth")
    check(wide <= 400 and wider <= 400, f"at 400 px nothing sticks out ({wide}, {wider})")
    browser.open(page)
    browser.sheets(out, "smoke-400px", most=8)
    browser.size(794, 1123)
    browser.media("dark", "print")
    browser.open(page)
    check(browser.js("getComputedStyle(document.body).color") == "rgb(0, 0, 0)", "print is dark on light whatever the theme")
    check(browser.js("!document.querySelector('.atlas').checkVisibility() && document.querySelector('.stills').checkVisibility()"), "print has the still maps")
    wide = browser.js("Math.max(...[...document.querySelectorAll('main *')].filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect().right))")
    check(wide <= 794 + 1, f"print: nothing is cut at the edge ({wide:.0f} of 794)")
    browser.sheets(out, "smoke-print")
    browser.media("light")
    pdf = base64.b64decode(browser.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69)["data"])
    (out / "smoke.pdf").write_bytes(pdf)
    print(f"  printed: {pdf.count(b'/Type /Page') - pdf.count(b'/Type /Pages')} pages")
    browser.size(1280)


def points_name(record):
    """Name of the file with the points of a run."""
    return (re.sub(r"[^a-z0-9]+", "-", record["run_id"].lower()).strip("-")[:60] or "x") + "-points.csv"


def inside(path, x, y):
    hit = False
    for (a, b), (c, d) in zip(path, path[1:] + path[:1]):
        if (b > y) != (d > y) and x < (c - a) * (y - b) / (d - b) + a:
            hit = not hit
    return hit


def distance(path, x, y):
    best = 1e9
    for (a, b), (c, d) in zip(path, path[1:] + path[:1]):
        length = (c - a) ** 2 + (d - b) ** 2
        t = max(0, min(1, ((x - a) * (c - a) + (y - b) * (d - b)) / length)) if length else 0
        best = min(best, (x - a - t * (c - a)) ** 2 + (y - b - t * (d - b)) ** 2)
    return best ** 0.5


def lasso(browser, record, saves):
    """Draws around points of the first map and compares what is saved with what lies inside."""
    browser.js("document.querySelector('.atlas').scrollIntoView(); document.querySelector('.atlas > .tools button').click()")
    browser.js("document.querySelector('.atlas .map').scrollIntoView({ block: 'center' })")
    browser.js("pause(400)")
    left, top, side = browser.js("(() => { const b = document.querySelector('.atlas canvas[tabindex]').getBoundingClientRect(); return [b.left, b.top, b.width]; })()")
    path = [(round(left + u * side), round(top + v * side)) for u, v in [(0.2, 0.3), (0.45, 0.22), (0.7, 0.35), (0.62, 0.7), (0.4, 0.5), (0.25, 0.72)]]
    browser.mouse("mousePressed", *path[0], "left")
    for x, y in path[1:] + path[:1]:
        browser.mouse("mouseMoved", x, y, "left")
    browser.mouse("mouseReleased", *path[0], "left")
    status = browser.js("document.querySelector('.atlas > .tools [role=status]').textContent")
    got = rows_of(browser.saved(saves, "document.querySelectorAll('.atlas > .tools button')[1].click()", points_name(record)))
    map_ = record["projections"][0]
    got_rows = {int(r[0]) for r in got[1:]}
    missing, extra = 0, 0
    for row, mx, my in zip(map_["row"], map_["x"], map_["y"]):
        x, y = left + side * (0.03 + 0.94 * mx / 65535), top + side * (0.97 - 0.94 * my / 65535)
        # A pixel beside the line either side is right.
        if distance(path, x, y) < 1.5:
            continue
        missing += inside(path, x, y) and row not in got_rows
        extra += not inside(path, x, y) and row in got_rows
    check(len(got_rows) > 10 and not missing and not extra, f"the lasso saves the rows inside it: {len(got_rows):,} rows, {missing} missing, {extra} too many ({status})")
    by = [c["by"] for c in map_["colourings"]]
    check(got[0][: 1 + len(by)] == ["row", *by], f"with {', '.join(by)}")
    place = {row: i for i, row in enumerate(map_["row"])}
    wrong = sum(cells[1 + at] != c["levels"][c["codes"][place[int(cells[0])]]] for cells in got[1:200] for at, c in enumerate(map_["colourings"]))
    return wrong


def respond(browser):
    """How long recolouring three maps and looking at a point take: on the clock, and on the processor, since the
    machine may be busy with something else. On an idle machine the clock is judged."""
    recolour = """(async () => { const start = performance.now(); document.querySelectorAll('.atlas input')[%d].click();
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); return performance.now() - start; })()"""
    hover = """(async () => { const canvas = document.querySelector('.atlas canvas[tabindex]'); const box = canvas.getBoundingClientRect();
      const start = performance.now();
      canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width * %f, clientY: box.top + box.height * %f, bubbles: true }));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); return performance.now() - start; })()"""
    idle = os.getloadavg()[0] < 1.5
    for what, tries in [("recolouring three maps", [recolour % (k % 5) for k in range(1, 11)]), ("looking at a point", [hover % (0.2 + 0.03 * k, 0.25 + 0.02 * k) for k in range(12)])]:
        clock, processor = [], []
        for expression in tries:
            before = browser.busy_ms()
            clock.append(browser.js(expression))
            processor.append(browser.busy_ms() - before)
        median = lambda values: sorted(values)[len(values) // 2]
        judged = median(clock) if idle else median(processor)
        check(0 < judged < LIMIT_MS, f"{what}: {median(clock):.0f} ms on the clock, {median(processor):.0f} ms of the processor (medians; worst {max(clock):.0f}, {max(processor):.0f}; machine {'idle' if idle else 'busy'})")


def atlas(browser, folder, saves, out):
    """Three maps of 50,000 points: size, speed, lasso, links between maps."""
    print("atlas: three maps of 50,000 points")
    page = folder / "report.html"
    record = json.loads((folder / "record.json").read_text())
    check(page.stat().st_size <= LIMIT_BYTES, f"{page.stat().st_size:,} bytes, at most {LIMIT_BYTES:,}")
    browser.media("light")
    browser.size(1280)
    browser.open(page)
    browser.js(HELPERS)
    shown = browser.js("JSON.parse(document.getElementById('data').textContent).maps.groups.map((g) => g.n)")
    check(sum(shown) >= 50_000, f"points in the page: {shown}")
    caption = browser.js("document.querySelector('.atlas figcaption').textContent")
    check("50,000 of 66,666 points shown, drawn by the run's seed" in caption, f"the decimation is said: {caption[:90]}")
    browser.js("document.querySelector('.atlas').scrollIntoView()")
    browser.js("pause(600)")
    radios = browser.js("[...document.querySelectorAll('.atlas')[0].querySelectorAll('input')].map((i) => i.parentElement.textContent.trim())")
    check(radios == ["label", "source", "batch", "plate", "position"], f"coloured by {radios}")
    respond(browser)
    ink = browser.js("""(() => { const c = document.querySelector('.atlas canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      const seen = new Set(); for (let i = 0; i < d.length; i += 4) seen.add(d[i] * 65536 + d[i + 1] * 256 + d[i + 2]); return seen.size; })()""")
    check(ink > 50, f"the map has {ink} colours by position")
    browser.js("document.querySelector('.atlas input').click()")
    wrong = lasso(browser, record, saves)
    check(wrong == 0, "and every level of theirs")
    groups = browser.js("document.querySelectorAll('.atlas').length")
    browser.js("pause(300)")
    box = browser.js("document.querySelector('.atlas .grid').getBoundingClientRect().toJSON()")
    browser.shoot(out / "atlas-lasso.png", {"x": 0, "y": browser.js("document.querySelector('.atlas').getBoundingClientRect().top + scrollY - 40"), "width": 1280, "height": box["height"] + 320})
    press = "[...document.querySelectorAll('.atlas .tools button')].find((b) => b.textContent === 'Clear').click()"
    browser.js(press)
    # Hover over a point in the first map: its row is named, and ringed in the others.
    map_ = record["projections"][0]
    left, top, side = browser.js("(() => { const b = document.querySelector('.atlas canvas[tabindex]').getBoundingClientRect(); return [b.left, b.top, b.width]; })()")
    browser.js("document.querySelector('.atlas > .tools button').click()")
    at = 31_337
    browser.mouse("mouseMoved", left + side * (0.03 + 0.94 * map_["x"][at] / 65535), top + side * (0.97 - 0.94 * map_["y"][at] / 65535))
    tip = browser.js("document.querySelector('.tip:not([hidden])')?.innerText ?? ''")
    near = [i for i in range(len(map_["x"])) if abs(map_["x"][i] - map_["x"][at]) < 400 and abs(map_["y"][i] - map_["y"][at]) < 400]
    named = [i for i in near if f"row {map_['row'][i]}" in tip.splitlines()]
    check(len(named) == 1 and all(c["levels"][c["codes"][named[0]]] in tip for c in map_["colourings"]), f"hover names the point: {tip.split()}")
    rings = browser.js("""[...document.querySelectorAll('.atlas canvas[tabindex]')].map((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 0))""")
    check(len(rings) == 3 and sum(rings) == (3 if groups == 1 else 1), f"the same row is ringed in {sum(rings)} of {len(rings)} maps ({groups} group(s))")
    check(browser.complaints() == [], f"no complaints {browser.complaints()[:3]}")
    for scheme in ["light", "dark"]:
        browser.media(scheme)
        browser.open(page)
        browser.js(HELPERS)
        browser.sheets(out, f"models-{scheme}", most=5)
        browser.js("document.querySelectorAll('.atlas input')[1].click(); document.querySelector('.atlas').scrollIntoView()")
        browser.js("pause(500)")
        browser.shoot(out / f"atlas-{scheme}.png")


def plates(browser, folder, saves, out):
    """Circles and bars, batch against biology, plates well by well, compounds."""
    print("full: corrections, embedding metrics and plates")
    page = folder / "report.html"
    record = json.loads((folder / "record.json").read_text())
    browser.media("light")
    browser.size(1280)
    browser.open(page, scripts=False)
    check(browser.js("['aggregate', 'trade-off', 'plates'].every((id) => document.querySelector(`#fig-${id} .frame > :is(img, svg)`))"), "without scripts: the three pictures")
    check(not browser.js("document.querySelector('#wells select') !== null"), "without scripts: no dead plate chooser")
    browser.open(page)
    browser.js(HELPERS)
    check(browser.complaints() == [], f"no errors, no requests {browser.complaints()[:3]}")
    check(browser.js(NAMES) == [], f"names, landmarks, headings, captions {browser.js(NAMES)[:5]}")

    outcomes = record["outcomes"]
    units, factors = outcomes["units"], outcomes["factors"]
    plate_of = [factors["plate"]["levels"][c] for c in factors["plate"]["codes"]]
    names = browser.js("[...document.querySelectorAll('#wells select')[0].options].map((o) => o.textContent)")
    check(names == factors["plate"]["levels"], f"{len(names)} plates to choose from")
    browser.js("(() => { const [plate] = document.querySelectorAll('#wells select'); plate.value = '4'; plate.dispatchEvent(new Event('change')); })()")
    here = [i for i, plate in enumerate(plate_of) if plate == names[4]]
    filled = browser.js("[...document.querySelectorAll('#wells td')].filter((td) => td.style.background).length")
    check(filled == len(here), f"{filled} of {len(here)} wells of the plate have a colour")
    browser.js("document.querySelector('#wells .board').focus()")
    for key in ["ArrowRight", "ArrowDown", "ArrowLeft"]:
        browser.key(key)
    said = browser.js("document.querySelector('#wells .about').textContent")
    check(said.startswith("B01"), f"arrow keys go from well to well, and stop at the edge: {said}")
    share = {units[i].rsplit("/", 1)[1]: outcomes["cells"][0]["correct"][0][i] / 5 for i in here}
    got = rows_of(browser.saved(saves, "press(document.getElementById('wells'), 'Save wells')", "source-1-batch-plate-4-wells.csv"))
    wrong = [r for r in got[1:] if abs(float(r[6]) - share[r[1]]) > 0.005]
    check(len(got) == 1 + len(here) and not wrong, f"the saved wells are those of the record {wrong[:2]}")
    browser.js("press(document.getElementById('wells'), 'Next plate')")
    check(browser.js("document.querySelectorAll('#wells select')[0].value") == "5", "the next plate follows")

    for name in ["embedding-totals", "compounds"]:
        got = browser.saved(saves, f"press(sheet('{name}'), 'Save CSV')", f"{name}.csv")
        wanted = (folder / f"tables/{name}.csv").read_bytes()
        check(rows_of(got)[0][:3] == rows_of(wanted)[0][:3], f"{name}: saved with the file's columns")
    browser.js("(() => { const s = sheet('compounds').querySelector('input'); s.value = 'BRD4'; s.dispatchEvent(new Event('input')); })()")
    check(len(browser.js("column('compounds', 0)")) == 2, "compounds are filtered by label")
    figure = "aggregate"
    got = browser.saved(saves, "document.querySelector('[data-figure=\"%s\"] a[href$=\"csv\"]').click()" % figure, f"{figure}.csv")
    check(got == (folder / f"figures/{figure}.csv").read_bytes(), "the data of circles and bars are the file's, byte by byte")

    for scheme in ["light", "dark"]:
        browser.media(scheme)
        browser.open(page)
        poor = browser.js(CONTRAST)
        check(not poor, f"{scheme}: contrast of all text at least 4.5 {poor[:4]}")
        for name, place in [("plates", "#plates"), ("metrics", "#metrics")]:
            top = browser.js(f"document.querySelector('{place}').getBoundingClientRect().top + scrollY")
            browser.js(f"(scrollTo(0, {top}), new Promise((done) => setTimeout(done, 300)))")
            browser.shoot(out / f"full-{name}-{scheme}.png", {"x": 0, "y": top, "width": 1280, "height": 2600})
    browser.media("light")
    browser.size(400, 800, mobile=True)
    browser.open(page)
    browser.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    wide = browser.js("document.documentElement.scrollWidth")
    check(wide <= 400, f"at 400 px nothing sticks out ({wide})")
    browser.open(page)
    for name, place in [("plates", "#plates"), ("metrics", "#metrics")]:
        top = browser.js(f"document.querySelector('{place}').getBoundingClientRect().top + scrollY")
        browser.js(f"(scrollTo(0, {top}), new Promise((done) => setTimeout(done, 300)))")
        browser.shoot(out / f"full-{name}-400px.png", {"x": 0, "y": top, "width": 400, "height": 2600})
    browser.size(1280)


def hostile(browser, folder, saves, out):
    """Names that try to become markup, scripts, formulas."""
    print("hostile: names from outside stay text")
    browser.media("light")
    page = folder / "report.html"
    record = json.loads((folder / "record.json").read_text())
    browser.open(page)
    browser.js(HELPERS)
    check(browser.complaints() == [], f"no dialog, no error, no request {browser.complaints()[:3]}")
    check(browser.js("document.scripts.length") == 2 and browser.js("document.querySelectorAll('style').length") == 1, "two script elements and one style, ours")
    strange = browser.js("[...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => /^on/i.test(a.name)) || ['IFRAME', 'OBJECT', 'EMBED', 'FORM', 'LINK', 'BASE'].includes(e.tagName)).length")
    check(strange == 0, "no event handlers, frames or forms")
    browser.js("document.querySelector('.atlas').scrollIntoView()")
    browser.js("pause(400)")
    wrong = lasso(browser, record, saves) if record["projections"] else 0
    text = (pathlib.Path(saves) / points_name(record)).read_text()
    formulas = [c for r in rows_of(text.encode()) for c in r if c[:1] in ("=", "+", "@")]
    check(not formulas, "no cell of the saved rows runs as a formula")
    browser.js("document.querySelectorAll('.levels button').forEach((b) => b.click())")
    browser.js("document.querySelectorAll('.sheet .tools button').forEach((b) => { if (b.textContent === 'All digits') b.click(); })")
    browser.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    check("<img src=x onerror=alert(2)>" in browser.js("document.body.innerText"), "the name is read as it was written")
    check(browser.js("document.scripts.length") == 2 and browser.complaints() == [], f"still none after every level was pressed {browser.complaints()[:3]}")
    wide = browser.js("document.documentElement.scrollWidth")
    check(wide <= 1280, f"long names do not widen the page ({wide})")
    browser.open(page)
    browser.sheets(out, "hostile", most=3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the program, or the folder of a finished smoke run")
    parser.add_argument("fake_report")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--browser", default=os.environ.get("BROWSER_PATH"))
    options = parser.parse_args()
    path = options.browser or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        print(f"no browser: none of {', '.join(BROWSERS)} is in PATH and BROWSER_PATH is not set", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        out = options.out or folder / "screenshots"
        out.mkdir(parents=True, exist_ok=True)
        saves = folder / "saves"
        saves.mkdir()
        if pathlib.Path(options.bench).is_dir():
            run = pathlib.Path(options.bench)
        else:
            run = folder / "smoke"
            subprocess.run([options.bench, "run", "--suite", "smoke", "--out", run, "--no-progress"], check=True, stdout=subprocess.DEVNULL)
        for kind in ["atlas", "full", "hostile"]:
            subprocess.run([options.fake_report, folder / kind, kind], check=True)
        browser = Browser(path, folder / "profile")
        try:
            version = browser.call("Browser.getVersion")["product"]
            print(f"{version}, screenshots in {out}")
            browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(saves))
            smoke(browser, run, saves, out)
            atlas(browser, folder / "atlas", saves, out)
            plates(browser, folder / "full", saves, out)
            hostile(browser, folder / "hostile", saves, out)
        finally:
            browser.close()
    print(f"\n{len(failures)} failed" if failures else "\nall hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
