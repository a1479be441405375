# The verbs of the project. `make` or `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OWN_DOCS := website/docs
DOCS ?= $(OWN_DOCS)

# $(call default,NAME,value): NAME=value, unless the environment or backend/.env sets NAME.
default = $(if $(filter environment%,$(origin $(1)))$(shell grep -sE '^$(1)=.' backend/.env),,$(1)=$(2))
# Our own documentation is a site of its own in the index, so that trying the demo never replaces yours.
ifeq ($(DOCS),$(OWN_DOCS))
DEMO := $(call default,SITE,ask-ai)
endif
# A live site's pages are opened where they live.
SHOWN := $(if $(wildcard $(DOCS)/.),$(call default,DEMO_DOCS,"$(DOCS)"))

.DEFAULT_GOAL := help
.PHONY: help run serve index migrate test check format bench soak overload lock foreign-venv chatkit-tests clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(VENV)/.installed: backend/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python >= 3.11 is needed; say which: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r backend/requirements.txt
	@$(BIN)/python -c 'import pathlib, site; pathlib.Path(site.getsitepackages()[0], "ask-ai.pth").write_text(str(pathlib.Path("backend/src").resolve()))'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed backend/requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r backend/requirements-dev.txt
	@touch $@

run: $(VENV)/.installed ## index DOCS (default: our own docs) and serve them with a page to chat on; obeys HOST, PORT, DATA_DIR, every setting
	@env $(DEMO) $(BIN)/python -m qdrant_indexer index $(DOCS) $(ARGS) || [ $$? -eq 3 ]  # 3: indexed but for some pages
	@exec env $(DEMO) $(SHOWN) $(BIN)/python -m chatbot_api.server

serve: $(VENV)/.installed ## serve what is indexed already
	@exec $(BIN)/python -m chatbot_api.server

index: $(VENV)/.installed ## index DOCS, a folder of Docusaurus Markdown: make index DOCS=../my-site/docs
	@env $(DEMO) $(BIN)/python -m qdrant_indexer index $(DOCS) $(ARGS)

migrate: $(VENV)/.installed ## bring the conversations' tables up to date (DATABASE_URL, or the file in DATA_DIR)
	@$(BIN)/python -m chatbot_api.migrate

test: $(VENV)/.installed-dev ## run all tests
	cd backend && ../$(BIN)/python -m pytest

check: $(VENV)/.installed-dev ## format, lint, types, floors, documented settings
	cd backend && ../$(BIN)/ruff format --check src tests benchmarks
	cd backend && ../$(BIN)/ruff check src tests benchmarks
	cd backend && ../$(BIN)/pyright --pythonpath ../$(BIN)/python
	cd backend && ../$(BIN)/lint-imports
	cd backend && ../$(BIN)/python -m pytest -q tests/test_chatbot_api_docs.py

format: $(VENV)/.installed-dev ## format the Python code
	cd backend && ../$(BIN)/ruff format src tests benchmarks && ../$(BIN)/ruff check --fix src tests benchmarks

bench: $(VENV)/.installed-dev ## measure retrieval on the development questions
	cd backend && ../$(BIN)/python benchmarks/retrieval.py $(ARGS)

soak: $(VENV)/.installed-dev ## half an hour of chaos against the real service; needs PostgreSQL: make soak ARGS="--minutes 5"
	cd backend && ../$(BIN)/python benchmarks/soak.py $(ARGS)

overload: $(VENV)/.installed-dev ## what the limits and the gate do at twice what can be answered, and slow clients
	cd backend && ../$(BIN)/python benchmarks/overload.py $(ARGS)
	cd backend && ../$(BIN)/python benchmarks/slow_clients.py

lock: $(VENV)/.installed-dev ## pin all dependencies anew from backend/pyproject.toml
	$(BIN)/python -m pip install --quiet pip-tools
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --output-file requirements.txt pyproject.toml
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra chatkit --constraint requirements.txt --output-file requirements-chatkit.txt pyproject.toml
	perl -pi -e 's/^(uvloop==\S+)$$/$$1 ; sys_platform != "win32"/' backend/requirements.txt
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra dev --extra chatkit --extra redis --extra otel --constraint requirements-chatkit.txt --output-file requirements-dev.txt pyproject.toml

foreign-venv: backend/.foreign-venv/.installed ## libraries of others, to test that their collections are read

backend/.foreign-venv/.installed: backend/tests/foreign_writers/requirements.txt
	$(PYTHON) -m venv backend/.foreign-venv
	backend/.foreign-venv/bin/python -m pip install --quiet --disable-pip-version-check -r backend/tests/foreign_writers/requirements.txt
	@touch $@

chatkit-tests: backend/.chatkit-tests/.unpacked ## upstream's tests of a ChatKit store, to run them on ours

backend/.chatkit-tests/.unpacked: $(VENV)/.installed-dev
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest backend/.chatkit-tests openai-chatkit==1.6.5
	tar -xzf backend/.chatkit-tests/openai_chatkit-1.6.5.tar.gz -C backend/.chatkit-tests --strip-components 1
	@touch $@

clean: ## remove what was installed and indexed
	rm -rf $(VENV) backend/.foreign-venv backend/.chatkit-tests backend/data
