# Needs Python 3.11 or newer and make; every target sets up what it needs in $(VENV), once per pyproject.toml.
#
#   make test PYTHON=python3.13 VENV=.venv-3.13      another Python, beside the first
#   make test ARGS="-k breaker -x"                   more arguments for pytest (or demo, bench, peers)

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

PY = "$(VENV)/bin/python"
# -qq: errors only; a warning about an index or a cache is not about this project.
INSTALL = $(PY) -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test check lint types format bench peers coverage nightly dist clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.package ## Watch a breaker and a limiter at work.
	@$(PY) -m examples.demo $(ARGS)

test: $(VENV)/.test ## Run the tests; needs only pytest and hypothesis.
	@$(PY) -m pytest $(ARGS)

check: lint types $(VENV)/.interop ## Lint, types and the tests, with nothing left out.
	@$(PY) -m pytest $(ARGS)

lint: $(VENV)/.lint ## Check style and format.
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: $(VENV)/.lint ## Check types with mypy and pyright.
	@$(PY) -m mypy
	@$(PY) -m pyright --pythonpath $(PY)

format: $(VENV)/.lint ## Fix what ruff can fix, and format.
	@$(PY) -m ruff check --fix-only .
	@$(PY) -m ruff format .

bench: $(VENV)/.interop ## Measure speed, beside the peers.
	@$(PY) -m benchmarks $(ARGS)

peers: $(VENV)/.interop ## Show what the peers do in the cases that matter.
	@$(PY) -m benchmarks.peers $(ARGS)

coverage: $(VENV)/.lint ## Run the tests and report uncovered lines and branches.
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

nightly: $(VENV)/.lint ## Run the tests with many more examples than a change can wait for.
	@HYPOTHESIS_PROFILE=nightly $(PY) -m pytest $(ARGS)

dist: $(VENV)/.release ## Build the sdist and the wheel, and check both.
	@rm -rf dist
	@$(PY) -m build --outdir dist . > /dev/null
	@$(PY) -m twine check --strict dist/*
	@$(PY) -m check_wheel_contents dist/*.whl

clean: ## Remove all that these targets made.
	@rm -rf "$(VENV)" .venv-* build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each step stands on the one before, so that `make -j` never runs two pips in one environment.

$(VENV)/.made:
	@"$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) or sys.exit("resilience needs Python 3.11 or newer: make PYTHON=...")'
	@echo "setting up $(VENV)"
	@"$(PYTHON)" -m venv "$(VENV)"
# Dependency groups came with pip 25.1.
	@$(INSTALL) 'pip>=25.1'
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.made
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.package
	@$(INSTALL) --group test
	@touch $@

$(VENV)/.interop: $(VENV)/.test
	@$(INSTALL) --group interop
	@touch $@

$(VENV)/.lint: $(VENV)/.interop
	@$(INSTALL) --group lint
	@touch $@

$(VENV)/.release: $(VENV)/.lint
	@$(INSTALL) --group release
	@touch $@
