# `make demo` and `make test` need nothing but GNU make and Python 3.11 to 3.13.
# Another Python: `make demo PYTHON=python3.12`; if .venv is there already, remove it first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# An environment that exists decides the version, not PYTHON.
BASE := $(or $(wildcard $(BIN)/python),$(PYTHON))
VERSION := $(shell $(BASE) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
LOCK := $(wildcard requirements/py$(subst .,,$(VERSION)).txt)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help demo test test-slow test-all record lint format bench docs lock clean

help:
	@echo "make demo       fit the embedded sample and write its report to runs/demo"
	@echo "make test       fast tests"
	@echo "make test-slow  slow tests: recovery, recipes, notebooks, browser"
	@echo "make test-all   fast tests, then slow ones"
	@echo "make record     what takes hours, its figures in benchmarks/records, and variants of tests"
	@echo "make lint       format, style and types; changes nothing"
	@echo "make format     put the code into its form"
	@echo "make bench      side-by-side scripts against other packages"
	@echo "make docs       build docs/_build/index.html"
	@echo "make lock       remake requirements/*.txt (ARGS=--upgrade: newest versions)"
	@echo "make clean      remove what was built; keeps .venv and runs"

# Made again only when the lock file or setup.cfg changes.
$(STAMP): $(LOCK) setup.cfg
ifeq ($(LOCK),)
	@echo "neurolatent needs Python 3.11, 3.12 or 3.13, but $(BASE) is $(or $(VERSION),not a Python that runs)." >&2
	@echo "Name another one, as in: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12 (and remove $(VENV) if it is there)" >&2
	@exit 2
endif
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "Installing $(LOCK) into $(VENV): some minutes the first time, not again until it changes."
	@$(PIP) install -r $(LOCK)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)
	$(BIN)/neurolatent fit models/sample_fleet.toml --out runs/demo --force
	@echo "Open the report in a browser: $(CURDIR)/runs/demo/report.html"

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not record" $(ARGS)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "slow and not record" $(ARGS)

test-all: test
	$(MAKE) test-slow

# Pytest ends with 5 where it finds no test: that is no fault here, the scripts may be all there is.
record: $(STAMP)
	$(BIN)/python -m pytest -m record $(ARGS) || test $$? -eq 5
	@set -e; for script in $(wildcard benchmarks/records/[!_]*.py); do echo "== $$script"; $(BIN)/python $$script; done

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: $(STAMP)
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	@set -e; for script in $(wildcard benchmarks/*.py); do echo "== $$script"; $(BIN)/python $$script; done

docs: $(STAMP)
	$(BIN)/python docs/build.py

lock: $(STAMP)
	for version in 3.11 3.12 3.13; do \
	  $(BIN)/uv pip compile setup.cfg pyproject.toml --all-extras --python-version $$version \
	    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
	    --output-file requirements/py$$(echo $$version | tr -d .).txt $(ARGS) || exit 1; \
	done

clean:
	rm -rf build dist docs/_build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
