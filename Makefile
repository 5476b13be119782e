# Two commands set everything up: `make demo` and `make test`. CI calls `make check` and `make test`.
.PHONY: help setup demo test coverage check fuzz bench soak lock clean
.DEFAULT_GOAL := help

PY := .venv/bin/python
# One worker more than cores: many tests wait for a process.
# Bytecode is kept, whatever the caller exports: each worker and each gateway would compile all anew.
SUITE = env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest -n $$(($$(nproc) + 1)) --dist loadgroup
SOURCES := netproxy approvals sandbox otel tests bench

help:
	@echo "make demo      run the main job on local origins (sets up first)"
	@echo "make test      the whole suite (sets up first); a part of it: make test ARGS=tests/otel"
	@echo "make coverage  the whole suite once more, and the lines that it leaves out"
	@echo "make check     format, lint, types, import contracts"
	@echo "make fuzz      search for bytes that a reader takes wrongly; longer: make fuzz SECONDS=600"
	@echo "make bench     measure against the named peers"
	@echo "make soak      200,000 tunnels, and 10,000 idle ones: nothing may be left of them; 150 gateways"
	@echo "               killed in the middle of deciding: what they dialled is on record"
	@echo "make setup     only the set-up: .venv and bubblewrap"
	@echo "make lock      resolve the dependencies again (needs uv)"
	@echo "make clean     remove what the others made"

setup: .venv/.complete

# An environment that was moved or copied along with the checkout is built again (deploy/setup).
ifneq ($(shell cat .venv/.complete 2>/dev/null),$(CURDIR))
.PHONY: .venv/.complete
endif
.venv/bin/python: ;
.venv/.complete: pyproject.toml requirements-dev.lock deploy/setup .venv/bin/python
	@deploy/setup

demo: setup
	@.venv/bin/netproxy demo

test: setup
	@$(SUITE) $(or $(ARGS),$$($(PY) -m tests.architecture.pure --options))
	@$(if $(ARGS),,$(PY) -m tests.architecture.pure)

coverage: setup
	@$(SUITE) --cov --cov-report=term-missing:skip-covered

check: setup
	@.venv/bin/ruff format --check --quiet $(SOURCES) && .venv/bin/ruff check --quiet $(SOURCES)
	@.venv/bin/mypy $(SOURCES)
	@.venv/bin/lint-imports --no-cache --no-logo

fuzz: setup
	@$(PY) -c 'import atheris' 2>/dev/null || $(PY) -m pip install --quiet --disable-pip-version-check \
		--require-hashes --only-binary=atheris -r requirements-fuzz.lock || \
		{ echo "fuzz: atheris has wheels for CPython on x86-64 Linux only, and none for this machine"; exit 1; }
	@$(PY) -m tests.fuzz.run --seconds $(or $(SECONDS),60) $(ARGS)
	@$(PY) -m tests.fuzz.api
	@$(SUITE) -m hypothesis --hypothesis-profile=many tests

bench: setup
	@$(PY) -m bench.run $(ARGS)

soak: setup
	@$(PY) -m bench.run soak kills $(ARGS)

lock:
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.12 \
		pyproject.toml -o requirements.lock
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.12 \
		pyproject.toml --group dev -o requirements-dev.lock
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --python-version 3.12 \
		pyproject.toml --group dev --group fuzz -o requirements-fuzz.lock

clean:
	rm -rf .venv .fuzz .mypy_cache .ruff_cache .hypothesis .coverage build dist
