# `make demo` runs the guestbook on this machine; `make test` runs every test. Both install what they need into .venv.

# The newest Python on the path that really starts, unless `make PYTHON=...` names one.
PYTHON ?= $$(for python in python3.13 python3.12 python3.11 python3.10 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
CLI := $(VENV)/.installed-cli
DEV := $(VENV)/.installed-dev
COUNTERPARTS := $(VENV)/.installed-counterparts
WORKERS ?= auto
PROVIDERS ?= local aws gcp azure tencent redis
WITH_CODECS := local aws gcp azure tencent
CONFORMANCE := --pyargs portable_conformance -p no:cacheprovider
# The second opinion on S3, on what services differ in. It takes no condition for an upload in parts.
MOTO := $(addprefix portable_conformance.blob_,listing races reading versions writing)
MOTO_LACKS := large_write_that_conflicts

.PHONY: demo test test-fast lint fuzz bench wheel clean

demo: $(CLI)
	@$(BIN)/python examples/guestbook/demo.py

test: $(DEV) $(COUNTERPARTS)
	$(BIN)/pytest -q -n $(WORKERS)
	for provider in $(PROVIDERS); do \
		$(BIN)/pytest -q -n $(WORKERS) $(CONFORMANCE) --provider $$provider --portable-report portable-report.$$provider.json || exit 1; \
	done
	$(BIN)/pytest -q -n $(WORKERS) $(CONFORMANCE) --provider libcloud --scheme libcloud+s3  # the others differ in endpoints
	PORTABLE_CONFORMANCE_S3=moto $(BIN)/pytest -q -n $(WORKERS) -p no:cacheprovider --pyargs $(MOTO) \
		--provider aws --scheme s3 -k "not $(MOTO_LACKS)"

test-fast: $(DEV) $(COUNTERPARTS)
	$(BIN)/pytest -q -n $(WORKERS) -m "not slow"

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

fuzz: $(DEV)
	for provider in $(WITH_CODECS); do \
		PORTABLE_FUZZ_EXAMPLES=400000 $(BIN)/pytest -q -n $(WORKERS) $(CONFORMANCE) --provider $$provider -k fuzz || exit 1; \
	done

bench: $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[benchmarks]'
	$(BIN)/python benchmarks/run.py

# The emulators that stand in for the clouds, in a folder that all clones share. What cannot be had here is named, and
# its tests are skipped, unless PORTABLE_REQUIRE_COUNTERPARTS=1.
$(COUNTERPARTS): $(wildcard conformance/portable_conformance/counterparts/*.py) | $(DEV)
	$(BIN)/python -m portable_conformance.counterparts install || [ "$$PORTABLE_REQUIRE_COUNTERPARTS" != 1 ]
	@touch $@

wheel: $(DEV)
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then echo "portable needs Python 3.10 or newer: say make PYTHON=/path/to/python3"; exit 1; fi; \
	echo "$$python -m venv $(VENV)"; "$$python" -m venv $(VENV)

$(CLI): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cli,examples]'
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(CLI)
