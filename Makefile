# Everything here works on a machine that has only Python 3.11, 3.12 or 3.13: each target makes .venv when it is missing
# or older than pyproject.toml and constraints.txt. PYTHON=python3.12 chooses another interpreter for it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# PyTorch's fused LSTM with several threads in processes side by side collapses: the threads of one process wait for
# those of the other, and a test of a second takes minutes. So: as many processes as cores, one thread in each.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo test lowest lint types docs bench soak fuzz clean distclean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

install: $(INSTALLED) ## make .venv with longreach in it, and nothing more

demo: $(INSTALLED) ## train on the bundled data and write demo-out/report.html
	$(BIN)/longreach demo --out demo-out

test: $(INSTALLED) ## run the tests; ARGS="-k unroll" hands arguments on to pytest
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

# Warnings are no errors there: old versions ask others of their time in ways that have since been renamed.
lowest: $(INSTALLED) ## the tests with the oldest versions that pyproject.toml admits, of all but PyTorch, in .venv-lowest
	$(BIN)/pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-lowest
	grep '^torch==' constraints.txt > .venv-lowest/torch.txt
	$(BIN)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct --override .venv-lowest/torch.txt --editable '.[dev]'
	$(ONE_THREAD) .venv-lowest/bin/python -m pytest -n $(JOBS) -o filterwarnings=default $(ARGS)

lint: $(INSTALLED) ## style, formatting, one-way imports, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory types

types: $(INSTALLED) ## types alone
	$(BIN)/mypy

docs: $(INSTALLED) ## build the documentation into site/
	@# The variable silences an advertisement of its maintainers; warnings about our pages still fail the build.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(INSTALLED) ## time and memory, side by side
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(INSTALLED) ## kill trainings at a hundred random moments and compare what they end with; memory over a million steps; an hour
	$(ONE_THREAD) $(BIN)/python scripts/soak.py --kills 100 --out results/soak.json $(ARGS)
	$(ONE_THREAD) $(BIN)/python scripts/flat_memory.py --out results/flat-memory.json

fuzz: $(INSTALLED) ## ten thousand broken files for every reader, blindly and led by coverage; an hour
	mkdir -p results/fuzz
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	$(ONE_THREAD) $(BIN)/python scripts/fuzz_atheris.py --out results/fuzz-atheris.json
	$(ONE_THREAD) LONGREACH_FUZZ=10000 LONGREACH_FUZZ_OUT=$(CURDIR)/results/fuzz $(BIN)/python -m pytest -n $(JOBS) \
		tests/safety/test_fuzz.py tests/safety/test_command_line.py $(ARGS)

clean: ## remove what the other targets wrote, but .venv
	rm -rf build dist site demo-out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## remove .venv too
	rm -rf $(VENV) .venv-lowest

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 14) and \
		"longreach needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Try: make PYTHON=python3.12" % v)'
	@echo "making $(VENV): about 2 GB, a few minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
