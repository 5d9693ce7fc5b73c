# `make test` and `make demo` work in a new clone: they create a virtual environment
# and install everything that they need.

VENV := .venv
OLDEST := .venv-oldest
MINIMAL := .venv-minimal
PRERELEASE := .venv-prerelease
RELEASE := .venv-release
# MLflow may hold back versions of packages that the other tests use.
MLFLOW := .venv-mlflow

# The first of these that is one of the versions and has venv is used.
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
VERSIONS := 3.11 3.12 3.13
USABLE = import ensurepip, sys, venv; \
    sys.exit("%d.%d" % sys.version_info[:2] not in "$(VERSIONS)".split())
# The oldest NumPy, pandas and TensorFlow have no wheels for newer versions of Python.
$(OLDEST)/bin/pip: VERSIONS := 3.11
INSTALL := -m pip --disable-pip-version-check install --quiet
INSTALLING = @echo "Installing into $(@D). TensorFlow is large: this takes minutes."

.PHONY: test demo docs lint format test-oldest smoke-oldest test-minimal \
    test-prerelease test-mlflow evidence soak dist clean

test: lint
	$(VENV)/bin/python -m pytest

demo: $(VENV)/installed-plot,parquet
	$(VENV)/bin/python examples/quickstart.py

# Runs all examples, then looks for broken links, and at the pages with Chromium.
SITE := docs/_build/html
docs: $(VENV)/installed-test
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going docs $(SITE)
	SKLEARN_ATTREC_SITE=$(SITE) $(VENV)/bin/python -m pytest tests/test_site.py
	@echo "The site: $(SITE)/index.html"

lint: $(VENV)/installed-test
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/codespell
	$(VENV)/bin/mypy

format: $(VENV)/installed-test
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format --quiet .

# The oldest versions use functions that their own dependencies deprecate today, and
# PySpark 4.0 does not close its sockets.
TEST_OLDEST := $(OLDEST)/bin/python -m pytest -W ignore::DeprecationWarning \
    -W ignore:unclosed:ResourceWarning
EXCHANGED := .reports/exchange

test-oldest: $(OLDEST)/installed $(VENV)/installed-test
	$(OLDEST)/bin/python .ci/exchange.py write $(EXCHANGED)/oldest
	$(VENV)/bin/python .ci/exchange.py check $(EXCHANGED)/oldest
	$(VENV)/bin/python .ci/exchange.py write $(EXCHANGED)/newest
	$(OLDEST)/bin/python .ci/exchange.py check $(EXCHANGED)/newest
	$(TEST_OLDEST) tests

# What every recommender does, as a short test of the oldest versions.
smoke-oldest: $(OLDEST)/installed
	$(TEST_OLDEST) tests/test_common.py tests/test_estimator_checks.py \
	    tests/test_search.py tests/test_persistence.py

# Without the packages of the extras.
test-minimal: $(MINIMAL)/installed
	$(MINIMAL)/bin/python -m pytest tests/test_common.py tests/test_cli.py \
	    tests/test_model_selection.py tests/test_persistence.py

# With the newest pre-releases of all packages; their warnings are no errors.
test-prerelease: $(PRERELEASE)/installed
	$(PRERELEASE)/bin/python -m pytest -W default

test-mlflow: $(MLFLOW)/installed
	$(MLFLOW)/bin/python -m pytest -n 0 tests/test_mlflow.py

# The page is also written if tests fail, and lists the failures.
evidence: $(VENV)/installed-test
	rm -f .reports/test.xml
	-$(VENV)/bin/python -m pytest --junitxml=.reports/test.xml
	$(VENV)/bin/python .ci/evidence.py docs/reliability.md .reports/test.xml

# Each fuzz target runs for FUZZ_SECONDS. `make soak` takes less than 90 minutes.
FUZZ_SECONDS ?= 300
soak: $(VENV)/installed-soak
	SKLEARN_ATTREC_SOAK=1 $(VENV)/bin/python -m pytest -m soak tests \
	    --timeout=3600 --junitxml=.reports/soak.xml
	for target in model csv ids arguments; do \
	    $(VENV)/bin/python tests/fuzz.py $$target --seconds $(FUZZ_SECONDS) || exit 1; \
	done
	$(VENV)/bin/python benchmarks/load.py --all
	$(VENV)/bin/python .ci/evidence.py --print .reports/soak.xml

# Both distributions, of the same version: sklearn-attrec-core and sklearn-attrec.
dist: $(RELEASE)/installed
	rm -rf dist
	$(RELEASE)/bin/python -m build --outdir dist .
	$(RELEASE)/bin/python -m build --outdir dist packaging/sklearn-attrec
	$(RELEASE)/bin/twine check --strict dist/*

clean:
	rm -rf $(VENV) $(OLDEST) $(MINIMAL) $(PRERELEASE) $(RELEASE) $(MLFLOW)
	rm -rf build dist docs/_build docs/gallery docs/reference *.egg-info
	rm -f quickstart.png examples/*.png
	rm -rf packaging/sklearn-attrec/*.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .reports
	find sklearn_attrec tests examples benchmarks -name __pycache__ -prune \
	    -exec rm -rf {} +

# The venv module writes pip last, so an interrupted venv is created again.
ENVIRONMENTS := $(VENV) $(OLDEST) $(MINIMAL) $(PRERELEASE) $(RELEASE) $(MLFLOW)
$(ENVIRONMENTS:%=%/bin/pip): %/bin/pip:
	@for python in $(PYTHONS); do \
	    if $$python -c '$(USABLE)' >/dev/null 2>&1; then \
	        echo "Creating $* with $$($$python --version)"; \
	        exec $$python -m venv $*; \
	    fi; \
	done; \
	echo "None of these is Python $(VERSIONS) with venv: $(PYTHONS)." >&2; \
	echo "Install one, or pass its path: make PYTHON=/path/to/python" >&2; \
	exit 1

$(VENV)/installed-%: setup.cfg pyproject.toml | $(VENV)/bin/pip
	$(INSTALLING)
	$(VENV)/bin/python $(INSTALL) --editable '.[training,$*]'
	@touch $@

$(MLFLOW)/installed: setup.cfg pyproject.toml | $(MLFLOW)/bin/pip
	$(INSTALLING)
	$(MLFLOW)/bin/python $(INSTALL) --editable '.[test-mlflow]'
	@touch $@

$(OLDEST)/installed: setup.cfg pyproject.toml .ci/oldest.txt | $(OLDEST)/bin/pip
	$(INSTALLING)
	$(OLDEST)/bin/python $(INSTALL) --constraint .ci/oldest.txt --editable '.[training,test]'
	@touch $@

$(MINIMAL)/installed: setup.cfg pyproject.toml | $(MINIMAL)/bin/pip
	$(INSTALLING)
	$(MINIMAL)/bin/python $(INSTALL) --editable '.[training,test-minimal]'
	@touch $@

$(PRERELEASE)/installed: setup.cfg pyproject.toml | $(PRERELEASE)/bin/pip
	$(INSTALLING)
	$(PRERELEASE)/bin/python $(INSTALL) --pre --editable '.[training,test]'
	@touch $@

$(RELEASE)/installed: | $(RELEASE)/bin/pip
	$(RELEASE)/bin/python $(INSTALL) build twine
	@touch $@
