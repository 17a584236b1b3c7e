# Two commands do all the set-up on a fresh machine: `make demo` and `make test`. Both make and fill .venv.
PYTHON ?= python3
BIN := .venv/bin
JOBS := 2
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-long check check-extras fix bench docs clean
.DELETE_ON_ERROR:

demo: .venv/.demo  ## the main job on the bundled model: no key, no network but the package index
	$(BIN)/askwell demo

test: .venv/.dev  ## everything but tests marked long, on two processes (JOBS=4 for more)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long"

test-long: .venv/.dev
	$(BIN)/python -m pytest -m long

check: .venv/.dev  ## format, lint, types, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -m "not long and not slow"

check-extras:  ## the heavy extras (torch, dspy, gepa, litellm, mlflow, …), each from the wheel in an environment of its own
	.ci/extras

fix: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev  ## list the commands behind the figures of the docs; run them one at a time
	@grep -h -m1 '^Command' bench/*.py bench/engine/*.py

docs: .venv/.dev  ## docs/cli.md from --help
	$(BIN)/python docs/make_cli.py

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "askwell needs Python 3.11 or newer; try: make PYTHON=python3.11 demo")'
	$(PYTHON) -m venv .venv

# torch by its pinned version first: where a CPU build of it is at hand, pip takes that.
.venv/.demo: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) torch
	$(PIP) --editable ".[local,qpo,select]"
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) torch
	$(PIP) --editable ".[local,qpo,data,prices,select,speed,dev]"
	touch $@ .venv/.demo

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
