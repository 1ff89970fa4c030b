# `make demo` runs the guestbook on this machine; `make test` runs every test. Both install what they need into .venv.

PYTHON ?= $(firstword $(foreach v,python3.13 python3.12 python3.11 python3.10 python3,$(shell command -v $(v) 2>/dev/null)))
VENV ?= .venv
BIN := $(VENV)/bin
CLI := $(VENV)/.installed-cli
DEV := $(VENV)/.installed-dev
WORKERS ?= auto
CONFORMANCE := --pyargs portable_conformance -p no:cacheprovider

.PHONY: demo test test-fast lint fuzz bench wheel clean

demo: $(CLI)
	@$(BIN)/python examples/guestbook/demo.py

test: $(DEV)
	$(BIN)/pytest -q -n $(WORKERS)
	$(BIN)/pytest -q -n $(WORKERS) $(CONFORMANCE) --provider local --portable-report portable-report.json

test-fast: $(DEV)
	$(BIN)/pytest -q -n $(WORKERS) -m "not slow"

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

fuzz: $(DEV)
	PORTABLE_FUZZ_EXAMPLES=2000000 $(BIN)/pytest -q -n $(WORKERS) $(CONFORMANCE) --provider local -k fuzz

bench: $(DEV)
	$(BIN)/python benchmarks/run.py

wheel: $(DEV)
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no python3 found: install Python 3.10 or newer, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 10) or sys.exit(f"Python {v[0]}.{v[1]} is too old: say make PYTHON=/path/to/python3.10 or newer")'
	$(PYTHON) -m venv $(VENV)

$(CLI): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cli,examples]'
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(CLI)
