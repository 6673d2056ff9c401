"""Pages in a real browser, where there is one."""

import html
import json
import os
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("EVENTSIM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
CHROMIUM = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium: put it on the path or name it in EVENTSIM_CHROMIUM"
)


def found_in(page, *options):
    """What the script of a page writes into its element ``found``, as JSON."""
    arguments = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", f"--user-data-dir={page.parent / 'profile'}",
                 "--allow-file-access-from-files", "--window-size=1400,1000",
                 "--virtual-time-budget=10000", *options, "--dump-dom",
                 page.as_uri()]  # fmt: skip
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r'<pre id="found">(\{.*\})</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))
