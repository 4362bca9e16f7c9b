# offshelf's commands, for people and for CI. Needs Python 3.11 or later; everything else is installed here.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
C_CODE := $(wildcard src/offshelf/svm/native/*.[ch])

# One worker more than there are cores: tests wait for servers, and for processes that they have stopped.
WORKERS := $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 8 ? cores + 1 : 8)))
PYTEST := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal --durations=40 --durations-min=2
TIMEOUT := --timeout=600 --timeout-method=thread # of one test; the longest takes some 90 s

unexport PYTHONDONTWRITEBYTECODE # tests start hundreds of processes: each would compile the package

.PHONY: help demo test quick soak coverage lint style types architecture fix sanitize clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(VENV)/installed ## install, and run the main job offline on embedded data and weights
	$(BIN)/offshelf classify layer=all

test: $(VENV)/installed-dev ## install, and run all checks and tests, except the soak tests
	$(MAKE) --no-print-directory --jobs=2 --output-sync lint
	$(PYTEST) $(TIMEOUT) -m "not soak"

quick: $(VENV)/installed-dev ## tests of up to a second, without servers, browsers, builds and engines: some minutes
	$(PYTEST) $(TIMEOUT) -m "not slow and not soak" --cpu-limit=4

soak: $(VENV)/installed-dev ## tests too long for every run: thousands of images, kills by the dozen
	$(PYTEST) -m soak

coverage: $(VENV)/installed-dev ## the tests of `make test`, with branch coverage
	$(PYTEST) $(TIMEOUT) -m "not soak" --cov=offshelf --cov-branch --cov-report=term:skip-covered

lint: style types architecture ## all checks without tests

style: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(C_CODE)

types: $(VENV)/installed-dev
	$(BIN)/mypy

architecture: $(VENV)/installed-dev
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
	$(PIP) --editable .
	@for extra in openvino simplejpeg; do \
		$(PIP) --only-binary $$extra "offshelf[$$extra]" 2> $(VENV)/$$extra.log || \
		echo "$$extra cannot be installed here: offshelf works without it, but slower. Why: $(VENV)/$$extra.log"; \
	done
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --editable '.[dev]'
	touch $@
