# On a fresh machine: `make demo` runs the main job on a sample archive, `make test` the tests.
PYTHON ?= python3
BIN := .venv/bin
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.PHONY: demo test test-easyocr test-transformers check format bench bench-pixels bench-text bench-audit bench-trace curve kills

.venv/ready: pyproject.toml infra/constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c infra/constraints.txt -e '.[dev]'
	touch $@

# Environments of their own, over the first: presidio-analyzer loads torch wherever it is installed, in every process
.venv-%/ready: .venv/ready
	$(PYTHON) -m venv .venv-$*
	$(BIN)/python -c "import site; print(*site.getsitepackages())" > "$$(.venv-$*/bin/python -c "import site; print(*site.getsitepackages())")/first.pth"
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c infra/constraints.txt -e '.[$*]'
	touch $@

test-easyocr: .venv-easyocr/ready ## the tests of the text engine EasyOCR, an extra that brings torch
	.venv-easyocr/bin/python -m pytest -m easyocr tests/detect/test_easyocr.py

test-transformers: .venv-transformers/ready ## the tests of models for names in a folder, an extra that brings torch
	.venv-transformers/bin/python -m pytest -m transformers tests/detect/test_transformers.py

demo: .venv/ready ## build demo/raw once, then run the Prefect flows over it; some of its sources are broken on purpose
	@test -d demo/raw || $(BIN)/python -m tests.phantoms.archive demo/raw
	@test -d demo/workspace || $(BIN)/governance init demo/workspace </dev/null
	@$(BIN)/python -m flows nightly demo/raw --workspace demo/workspace --project demo --dataset demo || test $$? -eq 3

test: .venv/ready ## every test: format, lint, types, import contract, behaviour
	$(BIN)/python -m pytest -n 3  # more than cores: many tests wait for programs and servers

check: .venv/ready ## what is quick: format, lint, types, import contract
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# The peers live in a virtual environment of their own; Debian packages are named when they are missing
.venv-bench/ready: tests/benchmarks/peers.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

bench: .venv/ready .venv-bench/ready ## CPU and memory of `governance run` beside its peers; SERIES=folder with ct/, dx/ and mr/
	@$(BIN)/python -m tests.benchmarks.run $(SERIES)

# without peers, their virtual environment is not needed
bench-pixels: .venv/ready $(if $(findstring --ours-only,$(PIXELS)),,.venv-bench/ready) ## burned-in text beside three other tools; PIXELS="--ours-only --frames 8"
	@$(BIN)/python -m tests.benchmarks.pixels $(PIXELS)

bench-text: .venv/ready ## names and numbers in reports and tag values; TEXT="--words 40" also tells what was missed and taken
	@$(BIN)/python -m tests.benchmarks.texts $(TEXT)

kills: .venv/ready ## the main job killed at 200 random moments, and what is left of it; KILLS="--kills 20 --database postgresql"
	@$(BIN)/python -m tests.benchmarks.kills $(KILLS)

bench-audit: .venv/ready ## events appended and checked a second; AUDIT="--events 100000"
	@$(BIN)/python -m tests.benchmarks.audit $(AUDIT)

bench-trace: .venv/ready ## traces in both directions among a million receipts; TRACE="--receipts 100000"
	@$(BIN)/python -m tests.benchmarks.traces $(TRACE)

curve: .venv/ready ## cost of a file and peak memory of `governance run` as an archive grows; SIZES="1000 100000"
	@$(BIN)/python -m tests.benchmarks.curve $(SIZES)
