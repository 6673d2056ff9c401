"""Pages in a real browser, where there is one."""

import html
import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("EVENTSIM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
CHROMIUM = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium: put it on the path or name it in EVENTSIM_CHROMIUM"
)


def command(page, *options):
    """The browser without a window; its profile lies beside the page."""
    return [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={page.parent / 'profile'}", *options]  # fmt: skip


@contextmanager
def opened(page, *options, phone=None):
    """A page in real time: a function from JavaScript to its value.

    ``phone`` is the width of a phone's screen, in the dark.
    """
    theirs, ours = os.pipe(), os.pipe()

    def as_asked():
        for wanted, end in zip((3, 4), [os.dup(theirs[0]), os.dup(ours[1])], strict=True):
            os.dup2(end, wanted)

    browser = subprocess.Popen(
        command(page, "--remote-debugging-pipe", *options),
        preexec_fn=as_asked, close_fds=False, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs[0])
    os.close(ours[1])

    def call(method, session=None, **params):
        about = {} if session is None else {"sessionId": session}
        said = json.dumps({"id": 1, "method": method, "params": params, **about})
        os.write(theirs[1], said.encode() + b"\0")
        while True:
            text = b"".join(iter(lambda: answers.read(1), b"\0"))
            if (found := json.loads(text)).get("id"):
                return found["result"]

    with browser, os.fdopen(ours[0], "rb") as answers:
        target = call("Target.createTarget", url="about:blank")["targetId"]
        session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        if phone is not None:
            screen = {"width": phone, "height": 700, "deviceScaleFactor": 2, "mobile": True}
            call("Emulation.setDeviceMetricsOverride", session, **screen)
            dark = {"name": "prefers-color-scheme", "value": "dark"}
            call("Emulation.setEmulatedMedia", session, features=[dark])
        call("Page.navigate", session, url=page.as_uri())
        try:
            yield lambda text: call(
                "Runtime.evaluate", session, expression=text, awaitPromise=True, returnByValue=True
            )["result"].get("value")
        finally:
            browser.terminate()
            os.close(theirs[1])


def found_in(page, *options):
    """What the script of a page writes into its element ``found``, as JSON."""
    arguments = [*command(page, "--allow-file-access-from-files", "--window-size=1400,1000"),
                 "--virtual-time-budget=10000", *options, "--dump-dom",
                 page.as_uri()]  # fmt: skip
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r'<pre id="found">(\{.*\})</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))
