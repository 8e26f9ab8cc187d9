# make demo   the whole story, offline, in a few minutes        make test   the unit tests
# Both make .venv with pinned dependencies first. Nothing but Python 3.11+ and git is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SHARED ?= ../shared/data

.PHONY: setup demo test check slow shared results methods run starters bench golden clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "adapterkit needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/adapterkit demo

test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_floors.py

# What takes over a second: every case of the unit tests' matrices, and trainings.
slow: setup
	$(BIN)/python -m pytest -n auto --dist worksteal -m '(long or slow) and not shared and not parity'

shared: setup
	$(BIN)/python -m pytest -m shared

# docs/results.md and its tables. Two processes at once (`make results & make results`) share the work.
REPORTED := pos ner topic sentiment
results: setup
	for task in $(REPORTED); do \
	  $(BIN)/adapterkit run recipes/$$task-report.toml --data $(SHARED) --out runs/report --table $$task || exit 1; done
	for task in $(REPORTED); do cp runs/report/$$task.csv docs/results-$$task.csv || exit 1; done
	$(BIN)/adapterkit report $(REPORTED:%=runs/report/%.csv) --method own-blended --overlap docs/overlap.json \
	  --markdown runs/report/results.md --out runs/report/results.html --svg runs/report/pictures
	for group in both mini; do \
	  cp runs/report/pictures/scores-pos-unseen-by-$$group-*.svg docs/results-pos-unseen-by-$$group.svg || exit 1; done
	cat recipes/results.md runs/report/results.md > docs/results.md

# docs/methods.md: every method on two dev languages, in a folder of their own: a table holds all that its folder has of a recipe.
METHODS_ON := --only seed=0 --only language=hat,gle
methods: setup
	$(BIN)/adapterkit run recipes/pos-dev.toml --data $(SHARED) --out runs/methods --table methods $(METHODS_ON)
	cp runs/methods/methods.csv docs/methods.csv
	$(BIN)/adapterkit report runs/methods/methods.csv --rivals source-kept,no-language-adapter --markdown runs/methods/methods.md
	cat recipes/methods.md runs/methods/methods.md > docs/methods.md

# A grid of recipes/: make run RECIPE=pos-dev. Start it twice to use two processes.
RECIPE ?= pos-dev
run: setup
	$(BIN)/adapterkit run recipes/$(RECIPE).toml --data $(SHARED)

# The English adapters that ship with mini.
starters: setup
	$(BIN)/python recipes/starters.py --data $(SHARED) --out adapterkit/mini/starters

# All benchmarks, side by side: docs/benchmarks.json, the page and the plot. Takes an hour or two on two cores.
# Another machine's, beside them: make bench BENCH_NAME=benchmarks-float32
BENCH_NAME ?= benchmarks
WELSH := $(wildcard $(SHARED)/text/cym.txt.gz)
DEV := $(wildcard $(SHARED)/text/afr.txt.gz $(SHARED)/text/hat.txt.gz)
bench: setup
	$(BIN)/python benchmarks/page.py --name $(BENCH_NAME) --without language-options -- $(if $(WELSH),--text $(WELSH) --seeds 3)
	$(BIN)/python benchmarks/page.py --name $(BENCH_NAME) --only language-options -- $(if $(DEV),--text $(DEV) --seeds 2)

clean:
	rm -rf .venv .venv-* build dist demo-out
