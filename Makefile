# `make` lists the commands.
.DEFAULT_GOAL := help
.PHONY: help run test engines containers check test-fast lint lint-style lint-types lint-imports format coverage faults bench bench-store bench-pages bench-move bench-sizes bench-scale pictures html docs openapi fonts lock clean

VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
# Each service that the tests start imports some hundred modules, which takes four times as long without their bytecode.
export PYTHONDONTWRITEBYTECODE :=
# The folder of temporary test data: in memory if there is a GiB of it, because each commit waits for the disk.
MEMORY := $(shell test "$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $$4 }')" -gt 1048576 2>/dev/null && echo /dev/shm)
# Tests that build no application.
FAST := tests/unit tests/contracts tests/adapters tests/architecture tests/integration/runtime
# Each worker takes one file at a time, in the order of tests/conftest.py: the slow ones first. Tests wait for what they start, so
# that two workers leave two cores idle; over engines, where each worker starts a dozen processes, two are enough.
WORKERS := 3
DISTRIBUTION := --dist loadfile --no-loadscope-reorder
export PYTEST_DEBUG_TEMPROOT := $(MEMORY)
PYTEST := $(BIN)/python -m pytest $(DISTRIBUTION)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/uv pip compile pyproject.toml --no-config --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_READY) ## install (first time only) and start Simpul
	@exec $(BIN)/simpul up

test: $(DEV_READY) ## run every test
	@$(PYTEST) -n $(WORKERS) $(ARGS)

engines: $(DEV_READY) ## test over real Kafka, MongoDB, MinIO and versitygw, fetched once (10 minutes)
	@SIMPUL_ENGINES=$${SIMPUL_ENGINES:-fetch} $(BIN)/python -m tests.support.engines $(DISTRIBUTION) -n 2 $(ARGS)

containers: $(DEV_READY) ## start docker-compose.yml, test it, break it, stop it (Docker, or SIMPUL_CONTAINERS)
	@$(BIN)/python -m tests.support.containers $(ARGS)

check: $(DEV_READY) ## format, lint, types, imports and the fast tests: before every commit
	@$(MAKE) --no-print-directory --jobs 3 lint test-fast

test-fast: $(DEV_READY)
	@$(PYTEST) -n 2 -q -m "not slow" -p no:schemathesis --hypothesis-profile check $(wildcard $(FAST))

lint: lint-style lint-types lint-imports

lint-style: $(DEV_READY)
	@$(BIN)/ruff format --check --quiet . || { echo "Run 'make format' to format these files."; exit 1; }
	@$(BIN)/ruff check --quiet .

lint-types: $(DEV_READY)
	@$(BIN)/mypy

lint-imports: $(DEV_READY)
	@$(BIN)/lint-imports --no-logo

format: $(DEV_READY) ## format the code and sort its imports
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

coverage: $(DEV_READY) ## run the in-process tests with branch coverage and write the figures to docs/coverage.md (8 minutes)
	@$(PYTEST) -n $(WORKERS) -q -m "not slow" --cov --cov-report= $(wildcard $(FAST)) tests/integration $(ARGS)
	@$(BIN)/python tools/coverage_summary.py

faults: $(DEV_READY) ## kill services and engines under load and check the result, into docs/faults.md (12 minutes)
	@$(BIN)/python -m tests.faults.distributed.run $(ARGS)

bench: $(DEV_READY) ## measure lifecycles per second against baseline servers, into docs/benchmarks.md
	@$(BIN)/python -m bench $(ARGS)

bench-store: $(DEV_READY) ## fill the empty folder DIR with REQUESTS of two years; PASSWORD of its accounts, SEED, ARGS
	@$(BIN)/python -m bench.store $(DIR) $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED)) \
		$${PASSWORD:+--password "$$PASSWORD"} $(ARGS)

bench-pages: $(DEV_READY) ## measure page weights and times to first byte, into docs/benchmarks.md
	@$(BIN)/python -m bench.page_weight

bench-move: $(DEV_READY) ## measure moving 10,000 requests to the engines, into docs/benchmarks.md
	@$(BIN)/python -m bench.move $(ARGS)

bench-sizes: $(DEV_READY) ## measure folders of 1,000 to 1,000,000 requests, into docs/benchmarks.md (25 minutes, 14 GB)
	@$(BIN)/python -m bench.sizes $(ARGS)

bench-scale: $(DEV_READY) ## measure, simulate and compute what larger loads need, into docs/scale.md
	@$(BIN)/python -m bench.scale $(ARGS)

pictures: $(DEV_READY) ## take screenshots of every page in every state, into build/pictures, a selection into docs/pictures
	@$(BIN)/python -m tests.support.browser.screenshots

html: $(DEV_READY) ## check the HTML of every page state with the Nu Html Checker (Java; npm fetches it once)
	@$(BIN)/python -m tests.support.browser.html_checker

docs: $(DEV_READY) ## generate docs/events.md, the diagrams of docs/architecture.md, deploy/Caddyfile and .env.example
	@$(BIN)/python -m simpul.generate.event_catalogue
	@$(BIN)/python -m simpul.generate.architecture
	@$(BIN)/python -m simpul.generate.caddyfile
	@$(BIN)/python -m simpul.generate.env_example

openapi: $(DEV_READY) ## lint the OpenAPI document with Spectral, if Node.js is installed
	@$(BIN)/python -m tools.lint_openapi

fonts: $(DEV_READY) ## make the fonts of the handover record, FROM a folder with Liberation Serif 2
	@$(BIN)/python tools/subset_fonts.py $(FROM)

lock: $(DEV_READY) ## resolve the dependencies; UPGRADE=1 takes the newest versions
	@$(COMPILE) --group build --output-file requirements.lock
	@$(COMPILE) --group build --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean: ## remove what was installed or cached; data/ stays
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find simpul services shared tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(RUN_READY): $(VENV)/.made requirements.lock pyproject.toml
	@echo "Installing what Simpul needs to run (once; mostly download) ..."
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV_READY): $(RUN_READY) requirements-dev.lock
	@echo "Installing what the tests and checks need (once) ..."
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

# The first of these that is new enough and can make a virtual environment (some systems ship Python without ensurepip).
$(VENV)/.made:
	@for python in python3 python3.13 python3.12 python3.11; do \
		if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "Making $(VENV) with $$($$python --version) ..."; \
			$$python -m venv --clear $(VENV) && touch $@ && exit 0; exit 1; \
		fi; \
	done; \
	echo "Simpul needs Python 3.11 or newer with its venv module, and found none (looked for python3, python3.13, 3.12, 3.11)." >&2; \
	exit 1
