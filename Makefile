# make demo   three studies, each with a report; runs/demo/index.html links them (make demo-cosmology runs one of them)
# make check  lint and the fast tests
# make test   lint and every test
# make docs   the documentation as a site, with executed notebooks: site/index.html
# All set up everything they need under .venv, without root: Python packages, MPI, and Horovod built from source.

SHELL := /bin/bash
PYTHON ?= python3
# Processes that share the tests out among them. More than one a core only makes each slower; 0: tests run in one process.
WORKERS ?= 2
VENV := .venv
BOOT := .uv
export UV_PROJECT_ENVIRONMENT := $(VENV)

.PHONY: demo demo-cosmology demo-chemistry demo-massmaps test check lint doctor lock benchmark figures docs notebooks clean

demo: demo-chemistry demo-cosmology demo-massmaps

demo-cosmology demo-chemistry demo-massmaps: demo-%: $(VENV)/.ready
	@status=0; $(VENV)/bin/tenfold run $* --preset demo --out runs/demo/$* || status=$$?; \
	  $(VENV)/bin/tenfold index runs/demo && exit $$status

# A process takes one file at a time, so that no fixture of a module is built twice, in the order of tests/conftest.py.
TESTS = $(VENV)/bin/python -m pytest --ignore=tests/benchmarks --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

test: $(VENV)/.ready lint
	$(TESTS) $(PYTEST)

check: $(VENV)/.ready lint
	$(TESTS) -m "not slow and not slurm" --durations=5 $(PYTEST)

lint: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pyright

doctor: $(VENV)/.ready
	$(VENV)/bin/tenfold doctor

benchmark: $(VENV)/.ready
	$(VENV)/bin/python -m pytest tests/benchmarks -s $(PYTEST)

figures: $(VENV)/.ready
	$(VENV)/bin/python docs/figures.py

docs: notebooks
	$(VENV)/bin/python docs/configuration_reference.py
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict
	@echo "Open site/index.html; its search needs a server: .venv/bin/mkdocs serve"

notebooks: $(VENV)/.ready
	$(VENV)/bin/python docs/notebook_pages.py

lock: $(BOOT)/bin/uv
	$(BOOT)/bin/uv lock --python $(PYTHON)

$(VENV)/.ready: pyproject.toml uv.lock $(BOOT)/bin/uv
	@echo "Setting up $(VENV): a minute or two to download and compile Python packages the first time, seconds afterwards."
	@compgen -G "$(VENV)/lib/python*/site-packages/horovod-*" >/dev/null \
	  || compgen -G "$$($(BOOT)/bin/uv cache dir)/sdists-*/*/horovod/*/*/*/horovod-*.whl" >/dev/null \
	  || echo "Horovod will be built from source for this TensorFlow and this MPI: another 2 to 4 minutes."
	@# compiled here once: else every start of every rank does it where the environment cannot be written to
	@start=$$SECONDS; $(BOOT)/bin/uv sync --locked --compile-bytecode --python $(PYTHON) && echo "Set up in $$((SECONDS - start)) s."
	@touch $@

$(BOOT)/bin/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else f"tenfold needs Python 3.11 or 3.12, found {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(BOOT) 2>/dev/null || $(PYTHON) -m venv --without-pip $(BOOT)
	@{ [ -x $(BOOT)/bin/pip ] && $(BOOT)/bin/pip install --quiet --disable-pip-version-check uv; } \
	  || $(PYTHON) -m pip install --quiet --disable-pip-version-check --prefix $(abspath $(BOOT)) uv \
	  || { command -v uv >/dev/null && ln -sf "$$(command -v uv)" $@; } \
	  || { rm -rf $(BOOT); echo "tenfold: this python3 has neither venv nor pip, and there is no uv on PATH. Install any one of them." >&2; exit 1; }

clean:
	rm -rf $(VENV) $(BOOT) build site *.egg-info
