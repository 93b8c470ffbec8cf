# Tenure. `make help` says what there is; PORT=, HOST=, LOG=, DEMO= and the like go to `make run` as
# variables: make run LOG=kafka DEMO=small

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SETUP := $(VENV)/.setup
SETUP_DEV := $(VENV)/.setup-dev
VENV_PEERS := .venv-peers
SETUP_PEERS := $(VENV_PEERS)/.setup
CODE := deploy services shared tests
# A file's tests stay together; each core has a PostgreSQL and a Kafka of its own.
ON_ALL_CORES := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup run test chaos bench check docs format lock rebuild prometheus-targets backup restore clean-local

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## Make the environment in .venv (instant when it is there)

run: $(SETUP) ## Run everything on this machine: PORT= HOST= LOG=postgresql|kafka DEMO=full|small|none
	@exec $(PY) -m deploy.local --with-parent

test: $(SETUP_DEV) ## Run the tests: TESTS= for some of them, e.g. make test TESTS=tests/shared
	@exec $(PY) -m pytest $(ON_ALL_CORES) $(TESTS)

chaos: $(SETUP_DEV) ## Break a whole installation on purpose: FAULTS= SEED= KINDS=1,3,5 LOG=kafka|postgresql REPORT= KEEP=
	@exec $(PY) -m tests.chaos --faults $(or $(FAULTS),20) $(if $(SEED),--seed $(SEED)) \
		$(if $(KINDS),--kinds $(KINDS)) $(if $(LOG),--log $(LOG)) $(if $(REPORT),--report $(REPORT)) \
		$(if $(KEEP),--keep $(KEEP))

bench: $(SETUP_DEV) $(SETUP_PEERS) ## Measure everything beside peers and bare limits, into docs/performance.md: QUICK=1 ONLY=P1,P4
	@QUICK=$(QUICK) ONLY=$(ONLY) exec $(PY) -m tests.bench

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

rebuild: $(SETUP) ## Make a service's rows anew from the log while they serve: SERVICE=profile
	@SERVICE=$(SERVICE) exec $(PY) -m deploy.local.rebuild

prometheus-targets: $(SETUP) ## Tell Prometheus where the processes of make run are
	@exec $(PY) -m deploy.prometheus.targets

backup: $(SETUP) ## Back up what make run keeps, also while it runs: TO= (a new folder), LOG= as for make run
	@exec $(PY) -m deploy.local.backup create "$(TO)"

restore: $(SETUP) ## Bring a backup back where nothing is kept: FROM=
	@exec $(PY) -m deploy.local.backup restore "$(FROM)"

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

$(SETUP_PEERS): requirements-peers.txt
	@sh deploy/local/environment.sh "$(PYTHON)" "$(VENV_PEERS)" requirements-peers.txt
	@touch $(SETUP_PEERS)
