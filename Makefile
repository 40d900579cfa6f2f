# Everything works from a fresh clone with Python 3.11+ and make: `make demo` and `make test` install by themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS ?=
LOCK ?=
export PYTHONDONTWRITEBYTECODE := # whoever sets it: each of the suite's many processes would compile all that it imports

.DEFAULT_GOAL := help
.PHONY: help install demo test check format bench soak production mutants proof deploy pinned docs pictures lock sbom audit rehearsal clean

help: ## Show what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(STAMP) ## Make .venv from requirements.lock (hashes checked) and install the project

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dailies needs Python 3.11 or later: make PYTHON=python3.12 install"; exit 1; }
	@if command -v uv >/dev/null; then \
		uv venv --quiet --clear --seed --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps --requirement requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . ; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . ; \
	fi
	@touch $@

demo: install ## Make the clips of data/prompts.csv with everything embedded: no account, no cost
	$(BIN)/dailies demo

test: install ## Run the whole test suite
	$(BIN)/python -m pytest $(TESTS)

check: install ## Format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(TESTS)

format: install ## Put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv-bench/.installed: requirements-bench.lock
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements-bench.lock
	-npm install --silent --no-save --prefix .venv-bench ai@7.0.173 @ai-sdk/fal@3.0.41 # left out where there is no npm
	@touch $@

bench: install .venv-bench/.installed ## Run the benchmarks
	$(BIN)/python -m benchmarks

soak: install ## Kill runs at random for a long time, and count charges
	$(BIN)/python -m pytest -m soak --override-ini addopts= tests/crash

rehearsal: install ## The operations page lived through: upgrade, dead worker, dead dispatch, restart (DAILIES_REHEARSAL_ROWS=600)
	$(BIN)/python -m pytest -m soak -s --override-ini addopts= tests/flows/test_behind_a_gateway.py tests/flows/test_rehearsal.py

production: install ## What takes minutes: two workers on one Postgres, one of them killed, servers started and killed
	$(BIN)/python -m pytest -m production -n 2 --dist loadfile --override-ini addopts= $(TESTS) tests

mutants: install ## Change the code in one place at a time and list what no test notices: hours; MUTANTS='--sample 100' is minutes
	$(BIN)/python -m tests.mutants $(MUTANTS)

proof: install ## Fault x crash point x provider x database: charges, lost, double, doubts, as proof/index.html and proof.json
	rm -rf proof
	-$(BIN)/python -m pytest --override-ini addopts= -q -n 2 $(TESTS) tests/crash/proof_cases.py
	$(BIN)/python -m tests.crash.proof_page proof

deploy: install ## Bring the configured Prefect API to what prefect.yaml and deployments/ describe
	$(BIN)/python deployments/deploy.py $(DEPLOY)

pinned: install ## Fails while an image that the files below deployments/ name is named by tag, not by digest
	$(BIN)/python deployments/pinned.py

docs: install ## Write the pages that come from the code, and build the site strictly into site/
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build --strict

pictures: install ## Make the pictures of README and docs from a real run, in chromium
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/round_pictures.py
	$(BIN)/python docs/form_pictures.py

.venv-audit/.installed: requirements-audit.lock
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements-audit.lock
	@touch $@

sbom: .venv-audit/.installed ## What the image holds, as CycloneDX: sbom.json
	.venv-audit/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible --of JSON --output-file sbom.json deployments/requirements.lock

audit: .venv-audit/.installed ## Known vulnerabilities of what the image holds (asks a public service)
	.venv-audit/bin/pip-audit --disable-pip --require-hashes --requirement deployments/requirements.lock

lock: ## Pin every dependency with its hashes (needs uv); LOCK=--upgrade takes the newest
	uv pip compile $(LOCK) --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras --all-extras --python-version 3.11 pyproject.toml --output-file requirements.lock
	uv pip compile $(LOCK) --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras --python-version 3.11 --group audit --output-file requirements-audit.lock

clean: ## Remove what make has made
	rm -rf $(VENV) .venv-audit build dist site proof mutants sbom.json demo-output *.egg-info .pytest_cache .mypy_cache .ruff_cache
