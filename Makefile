# Each target makes .venv by itself and installs what it needs, once: again only when
# pyproject.toml or setup.py changed. A bare machine needs Python >= 3.11 with venv, and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
ARGS   ?=

.PHONY: help demo test test-fast mutants lint docs bench bench-gpu clean

help:
	@echo "make demo    make spoken digits, train a network on them, write a report"
	@echo "make test    run the tests          (ARGS='-k name' is passed to pytest)"
	@echo "make test-fast  a look at every room: one test of every file, its first case"
	@echo "make mutants put faults into the CUDA kernels: the tests must find each (ARGS='queue race')"
	@echo "make lint    format, lint, types, import rules"
	@echo "make docs    build the site: open build/docs/html/index.html"
	@echo "make bench   run the benchmarks     (ARGS are passed on)"
	@echo "make bench-gpu  check and time the CUDA kernels on this machine's card"
	@echo "make clean   remove .venv and build/"
	@echo "Another Python: make test PYTHON=python3.13"

demo: $(VENV)/.demo
	$(BIN)/eventsim demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 $(ARGS)

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 2 --fast 1 tests/unit tests/analytic \
	  tests/gradients tests/parity $(ARGS)

mutants: $(VENV)/.dev
	$(BIN)/python -m tests.support.mutants $(ARGS)

# The rooms and the types are checked on build/tree, where datasets/ lies at the place where it
# is installed, eventsim/datasets: neither tool follows package-dir.
lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	rm -rf build/tree && mkdir -p build/tree
	cp -Rp eventsim build/tree/eventsim && cp -Rp datasets build/tree/eventsim/datasets
	cp -p pyproject.toml build/tree/
	cd build/tree && ../../$(BIN)/lint-imports
	cd build/tree && ../../$(BIN)/mypy

# A warning is an error. What cells printed is kept in build/docs/cells: only changed ones run again.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -q -d build/docs/doctrees docs build/docs/html $(ARGS)

bench: $(VENV)/.demo
	$(BIN)/python -m bench.run_all $(ARGS)

bench-gpu: $(VENV)/.cuda
	$(BIN)/python -m bench.gpu.run_all $(ARGS)

clean:
	rm -rf $(VENV) build docs/auto_gallery docs/sg_execution_times.rst \
	  docs/reference/api/generated docs/reference/cli/generated docs/reference/generated

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "eventsim needs Python 3.11 or newer, $(PYTHON) is `$(PYTHON) -V 2>&1`." >&2; \
	  echo "Pass another one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) could not make a virtual environment. On Debian: apt install python3-venv" >&2; \
	  exit 1; }
	@touch $@

$(VENV)/.demo: $(VENV)/.created pyproject.toml setup.py
	$(PIP) install --quiet --editable '.[demo]'
	@touch $@

# One CuPy, that for the driver which is here: `dev` brings one for CUDA 13, and two share a folder.
# Without a driver nothing is installed and the script says so.
$(VENV)/.cuda: $(VENV)/.demo
	@extra=`$(BIN)/python -m bench.gpu.extra` && if test -n "$$extra"; then \
	  $(PIP) uninstall -qq --yes cupy-cuda12x cupy-cuda13x && \
	  $(PIP) install --quiet --editable ".[demo,$$extra]" && touch $@; fi

$(VENV)/.dev: $(VENV)/.created pyproject.toml setup.py
	$(PIP) install --quiet --editable '.[demo,dev]'
	@touch $(VENV)/.demo
	@if rm $(VENV)/.cuda 2>/dev/null; then $(MAKE) $(VENV)/.cuda; fi
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(PIP) install --quiet --editable '.[docs]'
	@touch $@
