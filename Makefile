# make demo   install into .venv, probe the bundled encoder, print where the report is
# make test   run the tests            make check  tests and linters
# make bench  timings side by side     make lint   ruff and pyright

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check lint bench clean

demo: $(VENV)/installed
	$(BIN)/tonotopy demo

test: $(VENV)/installed-test
	$(BIN)/python -m pytest

check: test lint

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(VENV)/installed-test
	$(BIN)/python -m tests.benchmarks

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("tonotopy needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV); PyTorch is several gigabytes, this takes some minutes ..."
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed-test
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info tonotopy-demo
