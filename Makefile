# The two commands of the README are `make demo` and `make test`; both install what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-spark test-spark-quick lint lab app bench bench-widgets bench-onset bench-scope bench-data bench-incidents notebooks samples docs lock clean

help: ## list what a developer can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $$($(PYTHON) -V) was found; name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked dependencies into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@$(BIN)/python -m compileall -q rca_kit
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked development dependencies into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@$(BIN)/python -m compileall -q rca_kit
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime ## install, investigate a sample incident, say where the report lies
	$(BIN)/rca-kit demo --out demo-output

test: $(VENV)/.dev ## install and run the whole test suite
	$(BIN)/python -m pytest -m "not slow and not spark" -n 2 --dist loadfile --no-loadscope-reorder

test-spark: $(VENV)/.dev ## the tests on a local Spark session (Java), all samples; CI runs four of them where time is left
	$(BIN)/python -m pytest tests/engines tests/aggregates -m spark --timeout 1200

SPARK_QUICK = 'tests/aggregates/test_scan.py::test_every_engine_gives_the_same_aggregates[pyspark-string]' \
	tests/engines/test_spark.py::test_a_table_gives_the_findings_of_the_file \
	tests/engines/test_spark.py::test_nothing_but_sums_and_samples_leaves_spark

test-spark-quick: $(VENV)/.dev ## what CI always asks of Spark: equal sums, the findings of a sample, no rows fetched
	$(BIN)/python -m pytest $(SPARK_QUICK) --timeout 1200 -rs

lint: $(VENV)/.dev ## ruff, mypy strict, layer contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: $(VENV)/.runtime ## open JupyterLab on a copy of the sample latency-embedding, kept in .lab
	@mkdir -p .lab && cp -rn data/samples/latency-embedding .lab/
	$(BIN)/rca-kit lab .lab/latency-embedding

app: $(VENV)/.runtime ## the same sample as a page without code, with Voila
	@$(BIN)/python -c 'import voila' 2>/dev/null || $(BIN)/pip install -q --disable-pip-version-check -e '.[app]'
	@mkdir -p .lab && cp -rn data/samples/latency-embedding .lab/
	$(BIN)/rca-kit lab .lab/latency-embedding --app

bench-widgets: $(VENV)/.dev ## how long each click takes on the sums of ten million rows
	$(BIN)/python benchmarks/widgets.py --rows 10000000

bench: $(VENV)/.dev ## speed and memory of `findings`, beside a bare Polars scan
	$(BIN)/python benchmarks/speed.py --max 10000000

bench-onset: $(VENV)/.dev ## change points: accuracy and speed beside other libraries
	$(BIN)/python benchmarks/onset.py

bench-scope: $(VENV)/.dev ## segment localisation: accuracy, false reports, speed
	$(BIN)/python benchmarks/scope.py

bench-data: $(VENV)/.dev ## data comparison: false alarms, power, speed
	$(BIN)/python benchmarks/data.py

bench-incidents: $(VENV)/.dev ## accuracy of whole investigations on fresh seeds
	$(BIN)/python benchmarks/incidents.py

notebooks: $(VENV)/.dev ## execute every guided notebook
	$(BIN)/python -m pytest tests/notebooks -m "slow or not slow"

samples: $(VENV)/.dev ## make the sample incidents again
	$(BIN)/python -m rca_kit.training.samples data/samples

docs: $(VENV)/.dev ## run every example in the docstrings
	$(BIN)/python -m pytest --doctest-modules rca_kit

lock: $(VENV)/.dev ## write the lock files again from pyproject.toml
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate pyproject.toml \
	  --extra duckdb --extra mlflow --extra onnx --extra guardrails --extra app --extra sql --extra spark --group dev -o requirements-dev.lock

clean: ## remove the environment and what runs have left
	rm -rf $(VENV) demo-output artifacts .benchdata .lab
