# On a fresh machine: `make demo` runs the main job on a sample archive, `make test` the tests.
PYTHON ?= python3
BIN := .venv/bin
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.PHONY: demo test check format bench

.venv/ready: pyproject.toml infra/constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c infra/constraints.txt -e '.[dev]'
	touch $@

demo: .venv/ready ## build demo/raw once, then run the Prefect flows over it; some of its sources are broken on purpose
	@test -d demo/raw || $(BIN)/python -m tests.phantoms.archive demo/raw
	@test -d demo/workspace || $(BIN)/governance init demo/workspace </dev/null
	@$(BIN)/python -m flows nightly demo/raw --workspace demo/workspace --project demo --dataset demo || test $$? -eq 3

test: .venv/ready ## every test: format, lint, types, import contract, behaviour
	$(BIN)/python -m pytest -n 2

check: .venv/ready ## what is quick: format, lint, types, import contract
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: .venv/ready ## files per second and peak memory of `governance run`
	$(BIN)/python -m tests.benchmarks.run $(SERIES)
