# The commands of the template. They require Python >= 3.11 and make. If uv is not on PATH, it is installed into .uv/.

PYTHON ?= python3
UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.uv/bin/uv)
RUN = $(UV) run --frozen
# More processes than cores, because many tests wait. tests/conftest.py sorts the tests, slow tests first.
PARALLEL := -n 4 --dist loadgroup --no-loadscope-reorder

# uv uses the installed Python. It cannot find a Python through pyenv's shims.
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON := $(shell $(PYTHON) -c 'import sys; print(sys.executable)' 2>/dev/null)
# Without bytecode files, each process in a test would compile all its imports.
unexport PYTHONDONTWRITEBYTECODE
# The projects in the tests use the same uv.
export PATH := $(patsubst %/,%,$(dir $(UV))):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help test test-all test-quick test-real mutants lint fix bench demo dashboard-image answers-page answers-image lock pins brokers clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(firstword $(MAKEFILE_LIST)) | awk -F': ' '{ printf "make %-15s %s\n", $$1, $$2 }'

test: .venv brokers ## install the requirements and run all tests
	$(RUN) pytest $(PARALLEL)

test-all: .venv brokers ## also run the suites of all combinations of framework, broker, result backend and scheduler
	$(RUN) pytest $(PARALLEL) --all-suites

test-quick: .venv ## run the tests without brokers on a few variants
	$(RUN) pytest $(PARALLEL) --quick -m "not slow"

test-real: .venv ## test variants on a Docker engine and a machine with systemd: SYSTEMD_MACHINE="ssh root@..."
	$(RUN) pytest tests/real -n 3 --dist loadfile

mutants: .venv ## print mutations of generated code that its tests do not detect (takes hours)
	@$(RUN) python -m tests.support.mutants

lint: .venv ## check style and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

fix: .venv ## fix style with ruff
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench: .venv ## run the benchmarks of bakes and workers (docs/benchmarks.md)
	@$(RUN) python -m benchmarks.bake
	@$(RUN) python -m benchmarks.worker

demo: .venv ## generate a project in a temporary directory and run its demo
	@$(RUN) python -m tests.support.demo

dashboard-image: .venv ## generate docs/dashboard.png from a project under load (takes 25 minutes)
	@$(RUN) python -m docs.dashboard.generate_image

answers-page: .venv ## generate the data of docs/answers from the questions and the catalogue
	@$(RUN) python -m docs.answers.generate_data

answers-image: .venv ## generate docs/answers.png from docs/answers with Chromium
	@$(RUN) python -m docs.answers.generate_image

lock: $(UV) ## update uv.lock
	$(UV) lock --upgrade

pins: .venv ## copy the pins of .github to the files of generated projects
	@$(RUN) python -m tests.support.pins

brokers: ## install Redis, RabbitMQ, PostgreSQL, Prometheus, Chromium and systemd-analyze (Debian and Ubuntu, as root)
	@sh tests/support/install-brokers.sh

clean: ## delete the files that these commands created
	rm -rf docs/dashboard/node_modules .venv .uv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv: pyproject.toml uv.lock $(UV)
	$(UV) sync --frozen
	@touch .venv

%/.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is required; set PYTHON=..." >&2; exit 1; }
	@sh tests/support/install-uv.sh $(PYTHON) $*/.uv
