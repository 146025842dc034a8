# Everything that is done with this repository, by name. `make` alone lists it.
#
# All of it happens in .venv, made from the lock files in requirements/. The stamps there make a repeated call instant.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && exit; done; echo python3)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check -qq
LOCK := --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" -q

.DEFAULT_GOAL := help
.PHONY: help setup chat test test-torch check fix docs lock eyas soak clean \
	bench-threads bench-attention bench-speculation bench-context bench-stream bench-start bench-search bench-footprint bench-gateway bench-page bench-fit bench-speed compat screenshots

help: ## show this list
	@echo "Falconry: chat with any open LLM, on your own machine. To begin: make chat"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

chat: $(VENV)/.run ## start Falconry and open the browser (ARGS="--port 8000" hands options on)
	@exec $(VENV)/bin/falconry $(ARGS)

setup: $(VENV)/.dev ## make .venv with all that development needs

test: $(VENV)/.dev .cache/clients/.made ## run the tests, in a real browser and on a real PostgreSQL too (ARGS="-k context" chooses)
	@scripts/system_packages.sh
	$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

test-torch: $(VENV)/.torch ## run the tests that need torch: training, models without a GGUF
	$(PY) -m pytest -m torch $(ARGS)

check: $(VENV)/.dev ## lint, format, types, and which module may import which
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fix: $(VENV)/.dev ## let the linter and the formatter mend what they can
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(VENV)/.dev ## write docs/settings.md, docs/cli.md and the routes in docs/security.md anew
	$(PY) scripts/docs.py

lock: $(VENV)/.dev ## choose the newest versions that are two days old, and write requirements/*.txt anew
	$(VENV)/bin/uv pip compile $(LOCK) --upgrade --generate-hashes pyproject.toml -o requirements/run.txt
	$(VENV)/bin/uv pip compile $(LOCK) --upgrade --generate-hashes pyproject.toml --group dev --extra postgres \
		-c requirements/run.txt -o requirements/dev.txt
	$(VENV)/bin/uv pip compile $(LOCK) --upgrade --generate-hashes requirements/build.in \
		-c requirements/dev.txt -o requirements/build.txt
	$(VENV)/bin/uv pip compile $(LOCK) --upgrade --no-annotate requirements/torch.in \
		-c requirements/dev.txt -o requirements/torch.txt
	for input in requirements/clients.in requirements/compat/*.in; do \
		grep -q "without hashes" $$input && hashes= || hashes=--generate-hashes; \
		$(VENV)/bin/uv pip compile $(LOCK) --upgrade $$hashes $$input -o $${input%.in}.txt || exit; done

eyas: $(VENV)/.torch ## train the built-in model from nothing
	$(PY) -m training.eyas $(ARGS)

bench-threads: $(VENV)/.dev ## tokens/s by number of threads
	$(PY) -m benchmarks.threads $(ARGS)

bench-attention: $(VENV)/.dev ## memory, time and replies by flash attention and type of the KV cache
	$(PY) -m benchmarks.attention $(ARGS)

bench-speculation: $(VENV)/.dev ## what checking guessed tokens costs, and how many are right
	$(PY) -m benchmarks.speculation $(ARGS)

bench-context: $(VENV)/.dev ## tokens read again per turn, past the context's end
	$(PY) -m benchmarks.context $(ARGS)

bench-stream: $(VENV)/.dev ## what a streamed token costs the server
	$(PY) -m benchmarks.stream $(ARGS)

bench-start: $(VENV)/.dev ## seconds from the command to the first token
	$(PY) -m benchmarks.start $(ARGS)

bench-search: $(VENV)/.dev ## milliseconds of a search over 100,000 messages, and the index's size, on both databases
	$(PY) -m benchmarks.search $(ARGS)

bench-footprint: ## packages and MB, in a fresh environment
	$(PYTHON) benchmarks/footprint.py $(ARGS)

bench-gateway: $(VENV)/.dev ## what Falconry adds to the engine's own server, beside litellm's proxy
	$(PY) -m benchmarks.gateway $(ARGS)

bench-page: $(VENV)/.dev ## frames, gaps and CPU seconds of the chat page, beside gr.ChatInterface
	$(PY) -m benchmarks.page $(ARGS)

bench-fit: $(VENV)/.dev ## memory that a model takes, foretold and measured, on models of real shapes
	$(PY) -m benchmarks.fit $(ARGS)

bench-speed: $(VENV)/.dev ## tokens/s, foretold from the memory's speed and measured, on models of real shapes
	$(PY) -m benchmarks.speed $(ARGS)

screenshots: $(VENV)/.dev ## take the pictures in docs/images anew (ARGS="--only chat" chooses)
	@scripts/system_packages.sh fonts-noto-cjk
	$(PY) -m scripts.screenshots $(ARGS)

compat: $(VENV)/.dev .cache/clients/.made ## try clients that others wrote, some GB of them, and write docs/compat.md (CLIENT=llm chooses)
	$(PY) -m scripts.compat $(if $(CLIENT),--client $(CLIENT)) $(ARGS)

soak: $(VENV)/.dev ## the tests that take minutes
	$(PY) -m pytest -m soak --timeout 14400 $(ARGS)

clean: ## remove .venv and all caches
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# -- the environment

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Falconry needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1 || true)." >&2; \
		echo "Install one and name it: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "Cannot make $(VENV). On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml | $(VENV)/.made
	@echo "Setting up Falconry in $(VENV), about a minute …" >&2
	@$(PIP) --require-hashes -r requirements/run.txt
	@scripts/install_editable.sh $(PY)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "Setting up what development needs, about half a minute …" >&2
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.torch: requirements/torch.txt $(VENV)/.dev
	@echo "Setting up torch and transformers, a minute or more …" >&2
	@$(PIP) -r requirements/torch.txt
	@touch $@

.cache/clients/.made: requirements/clients.txt | $(VENV)/.made
	@$(PYTHON) -m venv --clear .cache/clients
	@.cache/clients/bin/python -m pip install --disable-pip-version-check -qq --require-hashes -r requirements/clients.txt
	@touch $@
