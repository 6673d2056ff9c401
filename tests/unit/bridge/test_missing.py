import subprocess
import sys

import pytest

from eventsim.bridge import torch_module
from eventsim.errors import BackendError
from tests.support.nets import random_net


def test_bridge_is_imported_without_pytorch():
    code = "import sys, eventsim.bridge; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_pytorch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendError, match=r"pip install 'eventsim-snn\[torch\]'"):
        torch_module(random_net(0))
