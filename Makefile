# The template's commands. They need Python >= 3.11 and make; uv comes into .uv/ when it is not on PATH.

PYTHON ?= python3
UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.uv/bin/uv)
RUN = $(UV) run --frozen
# More processes than cores, since many tests wait; in the order of tests/conftest.py, so that nothing long is left for the end.
PARALLEL := -n 4 --dist loadgroup --no-loadscope-reorder

# uv takes the Python that you have: it finds none through pyenv's shims, and downloads nothing.
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON := $(shell $(PYTHON) -c 'import sys; print(sys.executable)' 2>/dev/null)
# Each process that a test starts would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# The projects that the tests make bootstrap with the same uv.
export PATH := $(patsubst %/,%,$(dir $(UV))):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help test test-quick test-real mutants lint fix bench demo picture lock brokers clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(firstword $(MAKEFILE_LIST)) | awk -F': ' '{ printf "make %-12s %s\n", $$1, $$2 }'

test: .venv brokers ## install what is missing and run every test
	$(RUN) pytest $(PARALLEL)

test-quick: .venv ## the tests that need no broker, on a few variants
	$(RUN) pytest $(PARALLEL) --quick -m "not slow"

test-real: .venv ## deploy variants on a real Docker engine and a machine with systemd: SYSTEMD_MACHINE="ssh root@..."
	$(RUN) pytest tests/real -n 3 --dist loadfile

mutants: .venv ## print changes of generated code that its tests do not notice; takes hours
	@$(RUN) python -m tests.support.mutants

lint: .venv ## check style and types; changes nothing
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

fix: .venv ## let ruff repair what it can
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench: .venv ## print ratios: a bake to an empty template's, a worker to one with Celery's defaults (docs/benchmarks.md)
	@$(RUN) python -m benchmarks.bake
	@$(RUN) python -m benchmarks.worker

demo: .venv ## generate a project in a temporary folder and run its demo
	@$(RUN) python -m tests.support.demo

picture: .venv ## draw docs/dashboard.png anew: a default project runs under load for 21 minutes
	@$(RUN) python -m docs.dashboard.picture

lock: $(UV) ## bring uv.lock up to date
	$(UV) lock --upgrade

brokers: ## install Redis, RabbitMQ, PostgreSQL and systemd's checker, as root on Debian or Ubuntu
	@sh tests/support/install-brokers.sh

clean: ## remove what these commands made
	rm -rf docs/dashboard/node_modules .venv .uv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv: pyproject.toml uv.lock $(UV)
	$(UV) sync --frozen
	@touch .venv

%/.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@sh tests/support/install-uv.sh $(PYTHON) $*/.uv
