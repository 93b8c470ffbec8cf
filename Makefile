# Tenure. `make help` says what there is; PORT=, HOST=, LOG=, DEMO= and the like go to `make run` as
# variables: make run LOG=kafka DEMO=small

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SETUP := $(VENV)/.setup
SETUP_DEV := $(VENV)/.setup-dev
CODE := deploy services shared tests
# A file's tests stay together; each core has a PostgreSQL and a Kafka of its own.
ON_ALL_CORES := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup run test check docs format lock prometheus-targets clean-local

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## Make the environment in .venv (instant when it is there)

run: $(SETUP) ## Run everything on this machine: PORT= HOST= LOG=postgresql|kafka DEMO=full|small|none
	@exec $(PY) -m deploy.local --with-parent

test: $(SETUP_DEV) ## Run the tests: TESTS= for some of them, e.g. make test TESTS=tests/shared
	@exec $(PY) -m pytest $(ON_ALL_CORES) $(TESTS)

check: $(SETUP_DEV) ## Everything CI checks: format, lint, types, import law, migrations, tests, coverage
	$(PY) -m ruff format --check $(CODE)
	$(PY) -m ruff check $(CODE)
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m deploy.local.temporary -- sh -c '$(PY) -m shared.migrations upgrade && $(PY) -m shared.migrations check'
	$(PY) -m pytest $(ON_ALL_CORES) --cov --cov-report=term

format: $(SETUP_DEV) ## Write the code as the formatter wants it, and mend what can be mended
	$(PY) -m ruff format $(CODE)
	$(PY) -m ruff check --fix $(CODE)

docs: $(SETUP) ## Write the pages of docs/ that follow from the code
	$(PY) -m deploy.docs

lock: $(SETUP_DEV) ## Choose the newest versions that fit and write the hash-locked requirements
	$(PY) -m deploy.lock

prometheus-targets: $(SETUP) ## Tell Prometheus where the processes of make run are
	@exec $(PY) -m deploy.prometheus.targets

clean-local: ## Forget everything that make run keeps (.local/)
	@if [ -x $(PY) ]; then exec $(PY) -m deploy.local.clean; else rm -rf .local; fi

# The environment, made anew when the locks change. The marks are written last: what was cut short is
# done again.
$(SETUP): requirements.txt
	@sh deploy/local/environment.sh "$(PYTHON)" "$(VENV)" requirements.txt
	@touch $(SETUP)

$(SETUP_DEV): requirements-dev.txt $(SETUP)
	@sh deploy/local/environment.sh "$(PYTHON)" "$(VENV)" requirements-dev.txt
	@touch $(SETUP) $(SETUP_DEV)
