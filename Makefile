# Every target installs what it needs first: `make demo` works on a fresh clone.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SITE_VENV := .venv-docs
SITE_STAMP := $(SITE_VENV)/.installed

# Bytecode is kept whatever the environment says: tests start hundreds of processes of this code.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo story test check lint rules-to-o rules-from-p-and-around format schemas texts docs site golden letters-pictures page-pictures lock bench long simulator letters payments upgrade chaos recorded api-fuzz attack sbom audit clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Install into .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . 2>/dev/null
	@touch $@

demo: $(STAMP) ## Watch group purchases and an auction, on an embedded broker
	@$(BIN)/python -m demo

story: $(STAMP) ## The demo at full speed; fails if a step is missing
	@$(BIN)/python -m demo --story

# More than there are cores: a tester mostly waits for what it has started.
TESTERS ?= 3

test: $(STAMP) ## Every test, on Apache Kafka if one can be started: TESTERS=3
	@$(MAKE) --no-print-directory --output-sync=target --jobs=3 quick-pages quick-around quick-rules
	@$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder --durations=12 \
		-m "not long" tests/system

# Each imports and collects its own part, and each part once: pytest-xdist would have each of its
# processes do so with all 11,000 tests.
ALONE := $(BIN)/python -m pytest -p no:xdist -p no:xdist.looponfail -p no:cacheprovider

quick-rules: $(STAMP)
	@$(ALONE) -m "not long" tests/rules tests/domain

quick-pages: $(STAMP)
	@$(ALONE) -m "not long" tests/storefront

quick-around: $(STAMP)
	@$(ALONE) -m "not long" $(filter-out $(NOT_AROUND),$(wildcard tests/*/))

NOT_AROUND := tests/__pycache__/ $(addprefix tests/,rules/ domain/ storefront/ system/)

check: $(STAMP) ## Format, lint, types, import rules, the quick tests: no broker, no database
	@$(MAKE) --no-print-directory --output-sync=target --jobs=3 \
		rules-to-o rules-from-p-and-around lint

lint: $(STAMP)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

# Two runs of pytest for two cores: each imports its own part, and each part only once.
QUICK := EXAMPLES_PERCENT=10 $(ALONE) -p no:anyio -p no:schemathesis \
	-m "not system and not long and not slow"

rules-to-o: $(STAMP)
	@$(QUICK) tests/rules/test_[a-o]*.py tests/domain

rules-from-p-and-around: $(STAMP)
	@$(QUICK) tests/rules/test_[p-z]*.py tests/contracts tests/oracle tests/simulator tests/texts

format: $(STAMP) ## Format, and fix what ruff can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: $(STAMP) ## Write JSON Schemas, the AsyncAPI document and the topology
	@$(BIN)/python -m contracts.generate

texts: $(STAMP) ## Bring the translations up to date with the texts of the code
	@$(BIN)/python -m texts.update

docs: $(STAMP) ## Write docs/settings.md, docs/metrics.md and the drawing in ARCHITECTURE.md
	@$(BIN)/python -m tests.contracts.docs

site: $(STAMP) $(SITE_STAMP) ## The documentation as a site, in dist/site; needs npm
	@$(BIN)/python -m tests.contracts.site
	@NO_MKDOCS_2_WARNING=1 $(SITE_VENV)/bin/mkdocs build --strict
	@echo dist/site/index.html

$(SITE_STAMP): requirements-docs.lock
	@$(PYTHON) -m venv --clear $(SITE_VENV)
	@$(SITE_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

golden: $(STAMP) ## Write the golden letters, after an intended change
	@$(BIN)/python -m tests.rules.golden

letters-pictures: $(STAMP) ## Two letters as Chromium shows them, for the docs
	@$(BIN)/python -m tests.rules.pictures

page-pictures: $(STAMP) ## The main pages as Chromium shows them, for the docs
	@$(BIN)/python -m tests.system.page_pictures

LOCK := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header

lock: ## Choose new versions; writes names, versions and hashes
	@$(LOCK) --extra dev --extra embedded --extra docker \
		--output-file requirements.lock pyproject.toml
	@$(LOCK) --extra build --extra redis --extra s3 --extra traces --constraint requirements.lock \
		--output-file requirements-run.lock pyproject.toml
	@$(LOCK) --output-file requirements-docs.lock requirements-docs.in

sbom: $(STAMP) ## What the image contains, as CycloneDX: dist/jointbuy-VERSION.cdx.json
	@mkdir -p dist
	@version=$$($(BIN)/python -c 'from importlib.metadata import version; print(version("jointbuy"))'); \
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--spec-version 1.6 --output-file dist/jointbuy-$$version.cdx.json requirements-run.lock \
	&& echo dist/jointbuy-$$version.cdx.json

audit: $(STAMP) ## Known weaknesses of what is locked; asks the advisory service of the package registry
	@for lock in requirements-run.lock requirements.lock; do \
		echo "$$lock:"; \
		$(BIN)/pip-audit --disable-pip --require-hashes --progress-spinner off --strict \
			--requirement $$lock || exit 1; \
	done

bench: $(STAMP) ## Throughput, cost and latency on Kafka: orders, one huge group, auctions
	@$(BIN)/python -m bench.orders
	@$(BIN)/python -m bench.one_group
	@$(BIN)/python -m bench.auctions
	@$(BIN)/python -m bench.letters
	@$(BIN)/python -m bench.notifier
	@$(BIN)/python -m bench.live
	@$(BIN)/python -m bench.home_page
	@$(BIN)/python -m bench.first_view
	@$(BIN)/python -m bench.rates

long: $(STAMP) ## Long tests: the embedded broker, every method to pay, each example
	@EXAMPLES_PERCENT=100 $(BIN)/python -m pytest -n 2 --dist loadfile --durations=12 \
		-m "long or hypothesis"

simulator: $(STAMP) ## 20,000 simulated auctions against the oracle, on the rules alone
	@$(BIN)/python -m tests.simulator --seeds 20000 --processes 2

letters: $(STAMP) ## 20,000 letters to a faulty mail server; the notifier is killed ten times
	@$(BIN)/python -m tests.chaos.letters

payments: $(STAMP) ## Each method; 10,000 payments with faults; the service is killed 20 times
	@$(BIN)/python -m pytest -m long tests/system/test_payments.py
	@$(BIN)/python -m tests.chaos.payments

RECORDED := $(BIN)/python -m tests.chaos.recorded

recorded: $(STAMP) ## All recorded shop data against the oracle, with and without faults
	@$(RECORDED) --repeat-percent 0 --kills 0
	@$(RECORDED) --repeat-percent 5 --kills 5 --shuffle
	@$(RECORDED) --repeat-percent 5 --kills 5 --shuffle --limit 20000 --broker embedded

api-fuzz: $(STAMP) ## Schemathesis over the HTTP API, all checks: FUZZ_MINUTES=5
	@$(BIN)/python -m tests.system.api_fuzz --minutes $(FUZZ_MINUTES)

attack: $(STAMP) ## Attack a stack: credentials, fields, forms, addresses, tokens: MOST=10000
	@$(BIN)/python -m tests.attack --seed $(ATTACK_SEED) --most $(MOST)
	@$(BIN)/python -m bench.slow_connections

ATTACK_SEED ?= 16
MOST ?= 10000
FUZZ_MINUTES ?= 5
SEED ?= 1
MINUTES ?= 10

upgrade: $(STAMP) ## An upgrade from an earlier version under load: FROM=v0.1.0
	@$(BIN)/python -m tests.upgrade $(FROM)

chaos: $(STAMP) ## Random faults, with a new seed each round: SEED=1 MINUTES=10
	@ends=$$((SECONDS + 60 * $(MINUTES))); seed=$(SEED); \
	while [ $$SECONDS -lt $$ends ]; do \
		echo "SEED=$$seed"; \
		$(RECORDED) --limit 4000 --repeat-percent 5 --kills 8 --shuffle --seed $$seed || exit 1; \
		seed=$$((seed + 1)); \
	done

clean: ## Remove the environment and local state
	rm -rf $(VENV) $(SITE_VENV) .jointbuy
