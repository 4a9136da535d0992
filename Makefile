PYTHON ?= python3
BIN := .venv/bin

MEASURED := closure bench.ablation bench.speed cli.startup data.shards doctor.doctor doctor.doctor_acts doctor.doctor_cost \
	doctor.doctor_cures experiments.experiments game.processes latent.latent metrics.conformance metrics.extractor metrics.metrics \
	metrics.parzen metrics.photographs recipes.curves recipes.density recipes.digits recipes.examples recipes.export recipes.fashion recipes.images recipes.photos recipes.projected_speed recipes.ring \
	recipes.motion recipes.styles recipes.table_densities recipes.tables recipes.tables_beside recipes.text recipes.translation recipes.translation_speed report.doctor_report runs.lists lab.speed

.PHONY: demo test test-all examples attack smoke lint benchmark chaos audit clean

demo: .venv/user
	$(BIN)/sparring demo

test: .venv/ready
	$(BIN)/python -m pytest -n auto --dist worksteal

test-all: .venv/ready lint
	$(BIN)/python -m pytest -m "slow or not slow"

attack: .venv/ready
	$(BIN)/python -m pytest -m chaos

examples: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m examples -n 2 --dist worksteal tests/systems

smoke: .venv/ready
	$(BIN)/sparring experiment --all --quick

lint: .venv/ready
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/mypy

chaos: .venv/ready
	$(BIN)/python -m benchmarks.chaos.reliability

audit: .venv/ready
	$(PYTHON) -m venv .venv/audit && .venv/audit/bin/pip install --quiet pip-audit
	.venv/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

benchmark: .venv/ready
	for name in $(MEASURED); do $(BIN)/python -m benchmarks.$$name || exit 1; done

# What a user needs, and what a developer needs beside it.
.venv/user: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[photos]'
	touch .venv/user

.venv/ready: .venv/user
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch .venv/ready

clean:
	rm -rf .venv build dist
