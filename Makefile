# offshelf's commands, for people and for CI. Needs Python 3.11 or later; everything else is installed here.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
C_CODE := $(wildcard src/offshelf/svm/native/*.[ch])

.PHONY: help demo test lint fix sanitize clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(VENV)/installed ## install, and run the main job offline on embedded data and weights
	$(BIN)/offshelf classify layer=all

test: $(VENV)/installed-dev lint ## install, and run all checks and tests
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal --cov=offshelf --cov-report=term:skip-covered

lint: $(VENV)/installed-dev ## style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(C_CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/installed-dev ## format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(C_CODE)

sanitize: $(VENV)/installed-dev ## run the compiled solver under the address and undefined-behaviour sanitizers
	$(BIN)/python tests/svm/sanitize.py

clean: ## remove what make and the tests left behind
	rm -rf $(VENV) build src/*.egg-info src/offshelf/svm/native/*.so .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage dist outputs multirun

COMPILED := setup.py $(C_CODE)

$(VENV)/installed: pyproject.toml constraints.txt $(COMPILED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
