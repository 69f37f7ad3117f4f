# make run    the plugin on a sample image, in a window where there is a display
# make test   all tests
# make lint   style and types
# make bench  benchmarks, outside the unit tests
# make clean  forgets everything that was built here

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := $(shell grep '^torch==' constraints.txt)
XVFB := xvfb-run -a -s "-screen 0 1400x900x24 +extension GLX +render -noreset"
# macOS has a display without saying so.
HAS_DISPLAY := [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]

.PHONY: run test lint bench clean system

run: $(VENV)/.qt system
	@if $(HAS_DISPLAY); then $(BIN)/napari-atomseg open --sample; else $(BIN)/napari-atomseg demo; fi

# Two processes: one drives the window, the other does the rest. Each has a core of its own: threads would wait for each other.
test: export OMP_NUM_THREADS := 1
test: $(VENV)/.test system
	@if $(HAS_DISPLAY); then $(PYTEST) $(ARGS); else $(XVFB) $(PYTEST) $(ARGS); fi

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

clean:
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache

system:
	@bash tools/system-packages.sh

# torch comes first and alone: asked for together with the rest, pip may settle for another build of it.
$(VENV)/.torch: constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -q $(TORCH) -c constraints.txt
	@touch $@

# An environment with more extras also serves those who need fewer; the stamps keep the second call quick.
$(VENV)/.qt: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install -q -e '.[qt]' -c constraints.txt
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install -q -e '.[test]' -c constraints.txt
	@touch $@ $(VENV)/.qt

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.torch
	$(PIP) install -q -e '.[dev]' -c constraints.txt
	@touch $@ $(VENV)/.test $(VENV)/.qt
