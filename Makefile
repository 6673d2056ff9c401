# Each target makes .venv by itself and installs what it needs, once: again only when
# pyproject.toml or setup.py changed. A bare machine needs Python >= 3.11 with venv, and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOWEST := build/lowest
# What the library of the CPU's kernels is made of: an edit compiles again what it touches.
KERNELS := $(shell find eventsim/kernels -name '*.[ch]pp' -o -name build.py) \
	$(wildcard eventsim/compiled/roles*.py eventsim/embedded/c/*.[ch] eventsim/embedded/web/*.c)
PIP    := $(BIN)/python -m pip --disable-pip-version-check
comma  := ,
# uv installs in a tenth of the time. pip is asked where it is not to be had, or finds no packages:
# it does not read pip's configuration, such as the address of an index.
INSTALL = VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet $(1) || $(PIP) install --quiet $(1)
ARGS   ?=
SITE   ?= yes
# A worker takes neighbouring tests, so that what a file's tests share is made once. One more than
# cores, up to four: tests wait for processes that they started.
WORKERS = -n `$(BIN)/python -c 'import os; print(min(4, os.cpu_count() + 1))'` --dist worksteal

# Tests start processes by the hundred: what Python compiles is kept, where an image says otherwise,
# too. `eventsim train --help` then takes 1.3 CPU s, 2.6 where all is compiled anew (298b30e, Xeon).
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-all test-nightly test-lowest durations coverage mutants ledger lint hooks docs dist bench bench-gpu clean

help:
	@echo "make demo    make spoken digits, train a network on them, write a report"
	@echo "make test    a test of everything a user can do (ARGS='-k name' is passed to pytest)"
	@echo "make test-all  before each change: also what takes longer, and more combinations"
	@echo "make test-nightly  before a release: all combinations, mutants, 2,000 hostile networks"
	@echo "make test-lowest  make test with the oldest dependencies that pyproject.toml allows"
	@echo "make durations  run all tests and write what each costs to build/durations.md"
	@echo "make coverage  the share of lines of Python that tests run (ARGS='tests/unit/events')"
	@echo "make mutants put faults into the product: tests must find each (ARGS='queue race', ARGS=python)"
	@echo "make ledger  every number of a fixed set of commands, to compare two commits (ARGS='--python ..')"
	@echo "make lint    format, lint, types, import rules"
	@echo "make hooks   lint changed files before each commit, everything before each push"
	@echo "make dist    build sdist, wheel and site into dist/, try the wheel elsewhere"
	@echo "make docs    build the site: open build/docs/html/index.html"
	@echo "make bench   run the benchmarks     (ARGS are passed on)"
	@echo "make bench-gpu  check and time the CUDA kernels on this machine's card"
	@echo "make clean   remove .venv and build/"
	@echo "Another Python: make test PYTHON=python3.13"

demo: $(VENV)/.demo $(VENV)/.kernels
	$(BIN)/eventsim demo $(ARGS)

# Marks say which tests are left out, and why: tests/support/tiers.py.
QUICK := -m 'not thorough and not nightly'

test: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m pytest $(WORKERS) $(QUICK) $(ARGS)

test-all: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m pytest $(WORKERS) -m 'not nightly' $(ARGS)

test-nightly: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

durations: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m pytest -q -p tests.support.durations $(WORKERS) $(ARGS)
	@echo "What each test costs: build/durations.md"

# Dependencies of the package are the oldest, the tools of the tests any. Without CuPy, whose newest
# needs a newer NumPy. Newer Click and pyparsing warn old Typer and Matplotlib, and warnings are errors.
test-lowest: $(LOWEST)/.made
	$(LOWEST)/bin/python eventsim/kernels/build.py
	$(LOWEST)/bin/python -m pytest -n auto --maxprocesses 2 $(QUICK) tests/unit tests/analytic \
	  tests/gradients tests/parity $(ARGS)

# What only a child process runs counts as not run. Several times faster from Python 3.12 on, which
# counts lines by itself: make coverage PYTHON=python3.12.
coverage: $(VENV)/.dev $(VENV)/.kernels
	COVERAGE_CORE=`$(BIN)/python -c 'import sys; print("sysmon" * (sys.version_info >= (3, 12)))'` \
	  $(BIN)/coverage run -m pytest -q -n 0 $(if $(ARGS),$(ARGS),tests)
	$(BIN)/coverage html -q --directory build/coverage
	@echo "Lines that ran, in per cent; more in build/coverage/index.html:"
	@$(BIN)/coverage report --format=total

mutants: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m tests.support.mutants $(ARGS)

ledger: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m tests.support.ledger write build/ledger.json $(ARGS)

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

hooks: $(VENV)/.dev
	$(BIN)/pre-commit install

# The wheel is made of the sdist, with objects of the same sources that are here already, and tried in
# a new environment outside the checkout. The site lies beside them as a zip; SITE=no leaves it out.
dist: $(VENV)/.dev
	rm -rf dist
	EVENTSIM_BUILD_LEVELS=all EVENTSIM_BUILD_FOLDER=$(CURDIR)/build/kernels EVENTSIM_BUILD_WEB=1 \
	  $(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	wheel=`ls $(CURDIR)/dist/*.whl` && outside=`mktemp -d` && trap 'rm -rf "$$outside"' EXIT && \
	cd "$$outside" && $(PYTHON) -m venv venv && \
	venv/bin/pip --disable-pip-version-check install --quiet "$$wheel[demo]" && \
	venv/bin/eventsim --version && \
	venv/bin/eventsim conformance && \
	venv/bin/eventsim demo --epochs 1 && \
	venv/bin/eventsim export runs/demo --to web --samples 6 --out page
	@test "$(SITE)" = no || { $(MAKE) docs && $(BIN)/python -c "import shutil, eventsim as es; \
	  shutil.make_archive(f'dist/eventsim-site-{es.__version__}', 'zip', 'build/docs/html')"; }

# A warning is an error. What cells printed is kept in build/docs/cells: only changed ones run again.
docs: $(VENV)/.docs $(VENV)/.kernels
	$(BIN)/sphinx-build -j auto -W --keep-going -q -d build/docs/doctrees docs build/docs/html $(ARGS)
	$(BIN)/python -m pytest -q tests/border/test_reference.py tests/border/test_site.py tests/unit/bridge

bench: $(VENV)/.demo $(VENV)/.kernels
	$(BIN)/python -m bench.run_all $(ARGS)

bench-gpu: $(VENV)/.cuda $(VENV)/.kernels
	$(BIN)/python -m bench.gpu.run_all $(ARGS)

clean:
	rm -rf $(VENV) build eventsim/kernels/libeventsim.* eventsim/embedded/web/engine.wasm \
	  docs/auto_gallery docs/sg_execution_times.rst \
	  docs/reference/api/generated docs/reference/cli/generated docs/reference/generated

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "eventsim needs Python 3.11 or newer, $(PYTHON) is `$(PYTHON) -V 2>&1`." >&2; \
	  echo "Pass another one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) could not make a virtual environment. On Debian: apt install python3-venv" >&2; \
	  exit 1; }
	@$(PIP) install --quiet uv || echo "Without uv; pip goes on." >&2
	@touch $@

$(VENV)/.demo: $(VENV)/.created pyproject.toml setup.py
	$(call INSTALL,--editable '.[demo]')
	@touch $@

# The installation has built the library; this is for what was edited since.
$(VENV)/.kernels: $(VENV)/.demo $(KERNELS)
	@$(BIN)/python eventsim/kernels/build.py
	@$(BIN)/python eventsim/embedded/wasm.py || true
	@touch $@

# One CuPy, that for the driver which is here: `dev` brings one for CUDA 13, and two share a folder.
# Without a driver nothing is installed and the script says so.
$(VENV)/.cuda: $(VENV)/.demo
	@extra=`$(BIN)/python -m bench.gpu.extra` && if test -n "$$extra"; then \
	  $(PIP) uninstall -qq --yes cupy-cuda12x cupy-cuda13x && \
	  $(PIP) install --quiet --editable ".[demo,$$extra]" && touch $@; fi

# With further extras in one command: what they download is here when the kernels are compiled.
define install_dev
	$(call INSTALL,--editable '.[demo$(comma)dev$(1)]')
	@touch $(VENV)/.demo
	@if rm $(VENV)/.cuda 2>/dev/null; then $(MAKE) $(VENV)/.cuda; fi
	@touch $(VENV)/.dev
endef

$(VENV)/.dev: $(VENV)/.created pyproject.toml setup.py
	$(call install_dev)

$(VENV)/.docs: $(VENV)/.created pyproject.toml setup.py
	$(call install_dev,$(comma)docs)
	@touch $@

$(LOWEST)/.made: pyproject.toml setup.py
	rm -rf $(LOWEST) && mkdir -p build
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip --disable-pip-version-check install --quiet uv
	VIRTUAL_ENV=$(LOWEST) $(LOWEST)/bin/uv pip install --quiet --resolution lowest-direct \
	  --requirements pyproject.toml --extra demo
	VIRTUAL_ENV=$(LOWEST) $(LOWEST)/bin/uv pip install --quiet --editable '.[demo,test]' \
	  'click<8.3' 'pyparsing<3.3'
	@touch $@
