# make demo   install into .venv, probe the bundled encoders, print where the report is
# make test   run the tests            make check  tests and linters
# make bench  timings side by side     make lint   ruff and pyright
# make test-generic   those of training, engine and kernels, as on a processor with fewer instructions
# make docs   build the site into docs/_build/html; a warning is an error
# make picture  the README's, from the demo's run and two of its own

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-generic check lint bench docs clean-docs picture clean

demo: $(VENV)/installed
	$(BIN)/tonotopy demo

test: $(VENV)/installed-test
	$(BIN)/python -m pytest

# Without AVX-512 and bfloat16 in torch's networks, and without any extension in what numba compiles, which it
# keeps apart from what it compiled for this processor. On one thread: the number of them should not matter either,
# and on a busy machine networks as small as these wait for one another.
test-generic: $(VENV)/installed-test
	ONEDNN_MAX_CPU_ISA=AVX2 NUMBA_CPU_NAME=generic OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'numerical and not slow'

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
	rm -rf tonotopy-demo/picture.zarr
	$(BIN)/tonotopy probe samplecnn_tiny --probes selectivity --baselines 1 --no-controls --out tonotopy-demo/picture.zarr
	$(BIN)/python -c "import xarray; from tonotopy.reports import figures; \
	    run = xarray.open_datatree('tonotopy-demo/picture.zarr'); \
	    each = [run[name]['selectivity'].to_dataset() for name in ('samplecnn_tiny', 'samplecnn_tiny.random0')]; \
	    figures.tonotopic_maps(each[0], each[1:], 'samplecnn_tiny').figure.savefig('reports/tonotopic_map.png', dpi=110)"
	rm -rf tonotopy-demo/questions.zarr
	$(BIN)/python -c "from tonotopy.probes import probe; from tonotopy.probes.composition.draws import USUAL; \
	    questions = ['presence', 'stability', 'access', 'place']; \
	    probe(['codec_tiny'], 'tonotopy-demo/questions.zarr', probes=questions, baselines=3, conditions=(USUAL,))"
	$(BIN)/python -c "from tonotopy.reports.chapters.questions import PRESENCE; \
	    from tonotopy.reports.runs import controls_of, encoders_of, read_run; \
	    run = read_run('tonotopy-demo/questions.zarr'); controls = list(controls_of(run).values()); \
	    drawn = next(iter(PRESENCE.figures(encoders_of(run)[0], controls))); \
	    drawn.figure.savefig('reports/four_questions.png', dpi=110)"
	rm -rf tonotopy-demo/latents.zarr
	$(BIN)/tonotopy latents musicvae_tiny --no-controls --out tonotopy-demo/latents.zarr
	$(BIN)/python -c "import xarray; from tonotopy.reports import figures; \
	    run = xarray.open_datatree('tonotopy-demo/latents.zarr'); \
	    each = [run[name]['latents'].to_dataset() for name in ('musicvae_tiny', 'musicvae_tiny.random0')]; \
	    figures.sigma_and_mu(each[0], each[1:], 'musicvae_tiny').figure.savefig('reports/latents.png', dpi=110)"

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
