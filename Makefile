# `make test` and `make demo` do everything from an empty clone.

PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest

# The first of these that runs, is new enough and can make a virtual environment.
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
INSTALL := -m pip --disable-pip-version-check install --quiet
INSTALLING = @echo "Installing into $(@D): TensorFlow is large, this takes minutes"

.PHONY: test demo lint format test-oldest evidence soak clean

test: lint
	$(VENV)/bin/python -m pytest

demo: $(VENV)/installed-plot
	$(VENV)/bin/python examples/demo.py

lint: $(VENV)/installed-test
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/codespell

format: $(VENV)/installed-test
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test-oldest: $(OLDEST)/installed
	$(OLDEST)/bin/python -m pytest -W default tests

# The page is written even where a test failed, and says so.
evidence: $(VENV)/installed-test
	rm -f .reports/test.xml
	-$(VENV)/bin/python -m pytest --junitxml=.reports/test.xml
	$(VENV)/bin/python .ci/evidence.py docs/reliability.md .reports/test.xml

# Each fuzz target takes FUZZ_SECONDS; all together stays below 90 minutes.
FUZZ_SECONDS ?= 300
soak: $(VENV)/installed-soak
	SKLEARN_ATTREC_SOAK=1 $(VENV)/bin/python -m pytest -m soak tests \
	    --timeout=3600 --junitxml=.reports/soak.xml
	for target in model csv ids arguments; do \
	    $(VENV)/bin/python tests/fuzz.py $$target --seconds $(FUZZ_SECONDS) || exit 1; \
	done
	$(VENV)/bin/python benchmarks/load.py --all
	$(VENV)/bin/python .ci/evidence.py --print .reports/soak.xml

clean:
	rm -rf $(VENV) $(OLDEST) build dist *.egg-info
	rm -rf .pytest_cache .ruff_cache .hypothesis .reports
	find sklearn_attrec tests examples benchmarks -name __pycache__ -prune \
	    -exec rm -rf {} +

# Written last by the venv module, so a venv cut short is taken up again.
$(VENV)/bin/pip $(OLDEST)/bin/pip: %/bin/pip:
	@for python in $(PYTHONS); do \
	    if $$python -c '$(USABLE)' >/dev/null 2>&1; then \
	        echo "Making $* with $$($$python --version)"; \
	        exec $$python -m venv $*; \
	    fi; \
	done; \
	echo "None of these is a Python 3.11 or newer with venv: $(PYTHONS)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python" >&2; \
	exit 1

$(VENV)/installed-%: setup.cfg pyproject.toml | $(VENV)/bin/pip
	$(INSTALLING)
	$(VENV)/bin/python $(INSTALL) --editable '.[$*]'
	@touch $@

$(OLDEST)/installed: setup.cfg pyproject.toml .ci/oldest.txt | $(OLDEST)/bin/pip
	$(INSTALLING)
	$(OLDEST)/bin/python $(INSTALL) --constraint .ci/oldest.txt --editable '.[test]'
	@touch $@
