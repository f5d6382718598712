# make demo   install into .venv, probe the bundled encoders, print where the report is
# make test   run the tests            make check  tests and linters
# make bench  timings side by side     make lint   ruff and pyright
# make test-generic   those of training, engine and kernels, as on a processor with fewer instructions
# make docs   build the site into docs/_build/html; a warning is an error
# make picture  the README's and the site's: the first screen of the demo's report (needs Chromium)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-generic check lint bench docs clean-docs picture clean

demo: $(VENV)/installed
	$(BIN)/tonotopy demo

# Two at a time, each on one thread, a file's tests in one process.
test: $(VENV)/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# Without AVX-512 and bfloat16 in torch's networks, and without any extension in what numba compiles, which it
# keeps apart from what it compiled for this processor. On one thread: the number of them should not matter either,
# and on a busy machine networks as small as these wait for one another.
test-generic: $(VENV)/installed-test
	ONEDNN_MAX_CPU_ISA=AVX2 NUMBA_CPU_NAME=generic OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile \
	    -m 'numerical and not slow'

check: test lint

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(VENV)/installed-test
	$(BIN)/python -m tests.benchmarks

# Notebooks are run again where they changed; `make clean-docs docs` runs them all, and rereads the library.
docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean-docs:
	rm -rf docs/_build docs/reference/generated

picture: demo
	$(BIN)/python docs/pictures.py tonotopy-demo/report.html

$(VENV)/installed: pyproject.toml setup.py constraints.txt
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

$(VENV)/installed-docs: $(VENV)/installed-test
	$(PIP) --editable '.[docs]'
	@touch $@

clean: clean-docs
	rm -rf $(VENV) build dist *.egg-info tonotopy-demo
