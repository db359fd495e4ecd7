# Every target calls start.py, which needs only Python: without make, `python start.py plan` does the same.
PYTHON ?= python3
PLAN ?=
ARGS ?=

.PHONY: plan sample test test-full test-spark lab bench lint setup lock

plan:        ## run the workbook and make both decks: make plan PLAN=params/my_plan.yaml ARGS="--locale zh"
	@$(PYTHON) start.py plan $(if $(PLAN),"$(PLAN)") $(ARGS)

sample:      ## an invented brand: make its data, read them, run its plan
	@$(PYTHON) start.py planlib sample
	@$(PYTHON) start.py planlib load --data data/sample
	@$(PYTHON) start.py planlib run params/sample_brand.yaml $(ARGS)

test:        ## all tests: make test ARGS="tests/plan -k load"
	@$(PYTHON) start.py test $(ARGS)

test-full:   ## all tests with their full repetitions
	@$(PYTHON) start.py test-full $(ARGS)

test-spark:  ## the queries on a real Spark against DuckDB: docs/scale.md
	@$(PYTHON) start.py test-spark $(ARGS)

lab:         ## the notebooks in JupyterLab
	@$(PYTHON) start.py lab $(ARGS)

bench:       ## speed side by side with peers: make bench ARGS="--only check"
	@$(PYTHON) start.py bench $(ARGS)

lint:
	@$(PYTHON) start.py lint $(ARGS)

setup:
	@$(PYTHON) start.py setup

# For maintainers: after a change of dependencies in pyproject.toml. Needs uv; ARGS=--upgrade takes newer releases.
# One version of each package for all Pythons and systems, so that results agree.
lock:
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --fork-strategy fewest \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet \
		--output-file requirements.lock $(ARGS)
