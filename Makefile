# Every target sets up what it needs, so a clean clone needs python3, make and a package registry.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
LOCKED_SERVERS := $(wildcard tests/servers/*/*.txt)
NPM_SERVERS := tests/servers/azure/npm
BROWSER := tests/browser
PYRIGHT := tests/types/npm
BEFORE := $(patsubst %.txt,.servers/%/.ready,$(notdir $(wildcard tests/servers/libraries/*-before.txt)))
SERVERS := $(filter-out $(BEFORE),$(patsubst %.txt,.servers/%/.ready,$(notdir $(LOCKED_SERVERS)))) \
	.servers/npm/.ready .servers/browser/.ready
PROJECTS := pyproject.toml $(wildcard contract_tests/pyproject.toml extras/*/pyproject.toml examples/*/pyproject.toml adapters/*/pyproject.toml)
UV := $(BIN)/uv --quiet

MAKEFLAGS += --no-print-directory
export UV_PYTHON := $(BIN)/python
export UV_PYTHON_DOWNLOADS := never
# The tests start hundreds of Pythons. Each reads what the first has compiled, also where the
# environment would have none of them keep it.
export PYTHONDONTWRITEBYTECODE :=
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: help setup demo clouds test quick pythons mutants test-cloud check audit format bench sim docs dist lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the locked tools, and the tests' servers
	@$(MAKE) -j 4 $(SERVERS)

# The demonstration has an environment of its own, a fifth of what the tests need, and imports little of it.
DEMO := $(patsubst %,.servers/%/.ready,demo awslambdaric ministack functions-framework npm)
demo: .venv/.uv ## the program of README on every target; TARGET=aws,azure,google: a failover over clouds
	@$(MAKE) -j 4 $(DEMO)
	@.servers/demo/bin/python -m tests.demo $(TARGET)

clouds: .venv/.uv ## start three clouds on this machine, to try a program on; they stand until Ctrl-D
	@$(MAKE) -j 4 $(DEMO)
	@.servers/demo/bin/python -m tests.demo.bench

test: setup ## run every test but `make check`'s, on the Python of .venv and the newest libraries
	@$(BIN)/pytest -n auto --dist worksteal -m "not house and not before"

QUICK := $(addprefix tests/,adapter app/idempotent client config leases routing workflow/test_kernel.py)
SLOW := $(addprefix tests/,app/idempotent/test_gate.py app/idempotent/test_versions.py \
	routing/test_exits.py routing/test_order.py routing/test_interleavings.py routing/test_real_sockets.py)
quick: $(READY) ## run the tests of what decides, which need no server: at most 20 s on two processors
	@$(BIN)/pytest -q -n 2 --dist worksteal --hypothesis-profile few $(QUICK) \
		$(addprefix --ignore=,$(SLOW))

pythons: $(READY) ## run the fast tests on every other Python of this machine, and libraries in their versions before
	@$(MAKE) -j 4 $(BEFORE) .servers/postgres/.ready
	@$(BIN)/pytest -q -n auto -m before tests/integrations tests/urls
	@$(BIN)/python -m tests.pythons

mutants: setup ## plant faults, one at a time: the test named for each must fail
	@$(BIN)/python -m tests.mutants
	@$(BIN)/python -m tests.mutants.routing

.PHONY: coverage
coverage: $(READY) ## run the routing's tests and show which of its branches they miss: none
	@$(BIN)/coverage run --branch --source=src/leeward/_routing -m pytest -q -p no:xdist tests/routing
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under=100

test-cloud: $(READY) ## run the contract on a real cloud, in your own account: LEEWARD_TEST_CLOUD=aws, azure or google
	@$(BIN)/python -m cloud_tests

check: $(READY) ## formatting, lint, types, layering, spelling, the site and its links, house rules
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/ruff check --quiet
	@$(BIN)/codespell
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) -j 2 types site
	@$(BIN)/pytest -n auto -m house tests/house
	@$(BIN)/python -m supply.audit

audit: $(READY) ## ask the registry for known flaws of locked tools, store the answer, fail if there are any
	@$(BIN)/python -m supply.audit --write

format: $(READY) ## apply the linter's safe fixes and format the code
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format

bench: $(READY) .servers/ministack/.ready .servers/aiobotocore/.ready .servers/idempotency/.ready .servers/idempotency_key/.ready .servers/web/.ready .servers/dbos/.ready .servers/prefect/.ready .servers/queues/.ready ## measure speed and print the figures beside their aims; fails nothing
	@$(BIN)/python -m bench
vpath aiobotocore.txt bench # one side of a figure pins versions, as the servers of the tests do
vpath idempotency.txt bench
vpath idempotency_key.txt bench
vpath dbos.txt bench
vpath prefect.txt bench
vpath queues.txt bench

sim: $(READY) ## five million simulated calls against the routing's promises
	@$(BIN)/python -m tests.simulation --calls 5000000

.PHONY: sim-report
sim-report: $(READY) ## measure the routing's gates, and write docs/reliability.md
	@$(BIN)/python -m tests.simulation.reliability_page

.PHONY: index
index: $(READY) ## measure again what SDKs do when an answer is lost; needs a package registry
	@$(BIN)/python -m index

.PHONY: pictures
pictures: $(READY) .servers/browser/.ready ## draw the pictures of docs/console.md, in the browser of the tests
	@$(BIN)/python -m tests.console.pictures

SITE := docs/_build/html
docs: $(READY) ## build the documentation and print where it is
	@$(BIN)/python docs/settings_tables.py
	@$(BIN)/python docs/workflow_limits.py
	@$(BIN)/python docs/routing_tables.py
	@$(BIN)/python -m tests.pairs.matrix
	@$(BIN)/python docs/migrations.py
	@$(BIN)/python docs/versions.py
	@$(BIN)/python -m index.page
	@$(MAKE) site
	@echo $(SITE)/index.html

.PHONY: types site
types: $(READY) .servers/pyright/.ready
	@$(BIN)/mypy
	@$(BIN)/python -m tests.types
site: $(READY) .servers/browser/.ready
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs $(SITE)
	@$(BIN)/python docs/links.py $(SITE)
	@$(BIN)/python -m tests.docs.browse $(SITE)

dist: $(READY) ## build wheels and sdists of the whole workspace into dist/, with a CycloneDX SBOM
	@rm -rf dist
	@$(UV) build --all-packages --no-build-isolation --out-dir dist
	@rm -f dist/leeward_nimbus-* dist/leeward_stratus-* # the examples
	@$(BIN)/python -m supply.sbom
	@ls dist
	@echo "so that pip finds them: export PIP_FIND_LINKS=$(CURDIR)/dist"

.PHONY: tag
tag: ## fail unless GITHUB_REF_NAME is the tag of this version: v and what pyproject.toml says
	@$(PYTHON) -c 'import os, sys, tomllib; \
		tag = "v" + tomllib.load(open("pyproject.toml", "rb"))["project"]["version"]; \
		name = os.environ.get("GITHUB_REF_NAME"); \
		sys.exit(None if name == tag else f"the tag is {name}, and this version needs {tag}: nothing is built")'

.PHONY: installs
installs: dist ## install each extra by itself from dist/, into an empty environment, and import what it brings
	@$(BIN)/python -m tests.packages.installs

lock: $(READY) .servers/nodejs/.ready ## resolve the newest tools and write requirements-dev.txt
	@$(UV) lock --upgrade
	@echo '# Made by `make lock` from the pyproject.toml files. Do not edit.' > .venv/lock.txt
	@$(UV) export --frozen --all-packages --all-extras --all-groups --no-emit-workspace \
		--no-annotate --no-header >> .venv/lock.txt
	@mv .venv/lock.txt requirements-dev.txt
	@for each in $(basename $(LOCKED_SERVERS)) tests/demo/demo bench/aiobotocore bench/idempotency bench/idempotency_key bench/dbos bench/prefect bench/queues; do \
		echo "# Made by \`make lock\` from $${each##*/}.in. Do not edit." > .venv/lock.txt; \
		python=$$(sed -n 's/^# Python //p' $$each.in); \
		$(UV) pip compile --universal --upgrade --python-version $${python:-3.11} --generate-hashes \
			--no-annotate --no-header $$each.in >> .venv/lock.txt || exit 1; \
		mv .venv/lock.txt $$each.txt; \
	done
	@for each in $(NPM_SERVERS) $(BROWSER) $(PYRIGHT); do \
		rm -f $$each/package-lock.json; \
		$(NPM) install --prefix $$each --package-lock-only --omit-lockfile-registry-resolved || exit 1; \
	done

clean: ## remove .venv and everything else that was made
	@rm -rf .venv .venv-* .servers .clouds .index dist docs/_build bench/results .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "leeward needs Python 3.11 or later; set PYTHON")'
	@$(PYTHON) -m venv .venv

# uv itself comes from the lock too: pip installs that one entry, and uv the rest.
.venv/.uv: requirements-dev.txt | $(BIN)/python
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@touch $@

$(READY): requirements-dev.txt $(PROJECTS) .venv/.uv
	@echo "setting up .venv, once; it takes a moment" >&2
	@$(UV) pip install --compile-bytecode --require-hashes -r requirements-dev.txt
	@$(UV) pip install --no-deps --no-build-isolation $(patsubst %,-e ./%,$(dir $(PROJECTS)))
	@touch $@

# Each has an environment of its own, because they pin versions that the tools do not want.
vpath %.txt $(sort $(dir $(LOCKED_SERVERS)))
.servers/%/.ready: %.txt | .venv/.uv
	@echo "setting up $*, for the tests and the demonstration" >&2
	@$(UV) venv --clear .servers/$*
	@$(UV) pip install --python .servers/$*/bin/python --require-hashes -r $<
	@touch $@

vpath demo.txt tests/demo
DEMO_PARTS := . contract_tests extras/deploy adapters/aws adapters/azure adapters/google adapters/http
.servers/demo/.ready: demo.txt $(PROJECTS) | .venv/.uv
	@echo "setting up the demonstration, once" >&2
	@$(UV) venv --clear .servers/demo
	@$(UV) pip install --python .servers/demo/bin/python --require-hashes -r $<
	@$(UV) pip install --python .servers/demo/bin/python --no-deps --no-build-isolation $(patsubst %,-e ./%,$(DEMO_PARTS))
	@touch $@

# Microsoft's own worker of Functions runs on Python 3.13 only; without one, its tests are left out.
.servers/azure-functions-runtime/.ready: azure-functions-runtime.txt | .venv/.uv
	@mkdir -p $(@D)
	@python=$$($(BIN)/python -m tests.pythons --find 3.13); \
	if [ -z "$$python" ]; then echo "no Python 3.13: the tests on Microsoft's own worker are left out" >&2; else \
		echo "setting up azure-functions-runtime, for the tests" >&2; \
		$(UV) venv --clear --python $$python $(@D) && \
		$(UV) pip install --python $(@D)/bin/python --require-hashes -r $<; fi
	@touch $@

# Those that npm has, with the Node.js and the npm of PyPI. No script of a package is run.
NPM := PATH="$(CURDIR)/.servers/nodejs/bin:$$PATH" npm --ignore-scripts --no-audit --no-fund --loglevel=error
.servers/npm/.ready: $(wildcard $(NPM_SERVERS)/*.json) | .servers/nodejs/.ready
	@echo "setting up what npm has, for the tests and the demonstration" >&2
	@rm -rf .servers/npm
	@cp -R $(NPM_SERVERS) .servers/npm
	@$(NPM) ci --prefix .servers/npm
	@touch $@

# The second type checker, by which `make check` reads a user's program.
.servers/pyright/.ready: $(wildcard $(PYRIGHT)/*.json) | .servers/nodejs/.ready
	@echo "setting up pyright" >&2
	@rm -rf .servers/pyright
	@cp -R $(PYRIGHT) .servers/pyright
	@$(NPM) ci --prefix .servers/pyright
	@touch $@

# The browser of the tests: unpacked once, with libraries of its own, because a bare machine has none.
.servers/browser/.ready: $(wildcard $(BROWSER)/*) | .servers/nodejs/.ready
	@echo "setting up a browser, for the tests" >&2
	@rm -rf .servers/browser
	@cp -R $(BROWSER) .servers/browser
	@$(NPM) ci --prefix .servers/browser
	@mkdir .servers/browser/tmp
	@PATH="$(CURDIR)/.servers/nodejs/bin:$$PATH" TMPDIR="$(CURDIR)/.servers/browser/tmp" node .servers/browser/read.mjs
	@touch $@
