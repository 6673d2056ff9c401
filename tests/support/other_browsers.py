"""Pages in Firefox, and in WebKitGTK, whose engine is that of Safari, where they are installed.

Both take the commands of WebDriver: Firefox by a socket of its own (Marionette), WebKit by HTTP.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.fresh import until

NAMES = ("firefox", "firefox-esr")
BROWSER = os.environ.get("EVENTSIM_FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)
FIREFOX = pytest.mark.skipif(
    BROWSER is None, reason="needs Firefox: put it on the path or name it in EVENTSIM_FIREFOX"
)
NARROWEST = 500  # px, of a window of Firefox

MINI = next(iter(sorted(Path("/usr").glob("lib/*/webkit2gtk-4.1/MiniBrowser"))), None)
LACKS = [name for name in ("WebKitWebDriver", "Xvfb") if shutil.which(name) is None]
LACKS += ["MiniBrowser of webkit2gtk-4.1"] if MINI is None else []
WEBKIT = pytest.mark.skipif(bool(LACKS), reason=f"not installed: {', '.join(LACKS)}")


@contextmanager
def running(command, **options):
    """A process that ends with the context."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def answers(port):
    """Whether a server answers at a port of this machine."""
    with socket.socket() as channel:
        return channel.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def firefox(page, *, dark=False, **preferences):
    """A page in Firefox without a window: a function from JavaScript to its value.

    Its window is as narrow as it can be; ``preferences`` have ``_`` in place of dots.
    """
    chosen = {
        "marionette.port": 0,
        "security.fileuri.strict_origin_policy": False,
        "layout.css.prefers-color-scheme.content-override": 0 if dark else 1,
        "datareporting.policy.dataSubmissionEnabled": False,
        **{name.replace("_", "."): value for name, value in preferences.items()},
    }
    profile = Path(tempfile.mkdtemp(dir=page.parent, prefix="firefox"))
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in chosen.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [BROWSER, "--headless", "--marionette", "--profile", profile]
    with running(command, stdout=subprocess.DEVNULL):
        port = profile / "MarionetteActivePort"
        until(lambda: port.is_file() and port.read_text(), 60.0)
        with (
            socket.create_connection(("127.0.0.1", int(port.read_text()))) as channel,
            channel.makefile("rb") as stream,
        ):

            def told():
                return json.loads(stream.read(int(b"".join(iter(lambda: stream.read(1), b":")))))

            def call(name, **params):
                said = json.dumps([0, 1, name, params]).encode()
                channel.sendall(b"%d:%b" % (len(said), said))
                _, _, error, result = told()
                assert error is None, error
                return result

            told()
            call("WebDriver:NewSession")
            call("WebDriver:SetWindowRect", width=NARROWEST, height=1000)
            call("WebDriver:Navigate", url=page.as_uri())
            yield lambda text: call("WebDriver:ExecuteScript", script=f"return {text}", args=[])[
                "value"
            ]


@contextmanager
def webkit(page, *, microphone=False):
    """A page in WebKitGTK, on a screen that nobody sees: a function from JavaScript to its value.

    ``microphone`` is one that WebKit plays itself.
    """
    with ExitStack() as stack:
        screen = ["Xvfb", "-displayfd", "1", "-screen", "0", "1400x1000x24"]
        display = stack.enter_context(running(screen, stdout=subprocess.PIPE, text=True))
        seen = {
            **os.environ,
            "DISPLAY": f":{display.stdout.readline().strip()}",
            "GDK_BACKEND": "x11",
        }
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        driver = ["WebKitWebDriver", f"--port={port}"]
        stack.enter_context(running(driver, stdout=subprocess.DEVNULL, env=seen))
        until(lambda: answers(port), 30.0)

        def call(path, body, method="POST"):
            url = f"http://127.0.0.1:{port}/session{path}"
            kind = {"Content-Type": "application/json"}
            asked = urllib.request.Request(url, json.dumps(body).encode(), kind, method=method)
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.load(answer)["value"]

        options = ["--automation", "--allow-file-access-from-file-urls=true"]
        options += ["--enable-mock-capture-devices=true"] if microphone else []
        asked = {"webkitgtk:browserOptions": {"binary": str(MINI), "args": options}}
        session = call("", {"capabilities": {"alwaysMatch": asked}})["sessionId"]
        stack.callback(call, f"/{session}", {}, "DELETE")
        call(f"/{session}/url", {"url": page.as_uri()})
        yield lambda text: call(
            f"/{session}/execute/sync", {"script": f"return {text}", "args": []}
        )


def found_by(opened, page, **options):
    """What the script of a page writes into its element ``found``, as JSON; in that browser."""
    with opened(page, **options) as value:
        said = until(lambda: value("document.getElementById('found').textContent"), 60.0)
        return json.loads(said)
