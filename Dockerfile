# The image in which flows run in containers: the pinned requirements, neither code nor data. The
# checkout is mounted at /knurl. The service has an image of its own: `bentoml containerize`.
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends curl git make \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /knurl
RUN pip install --no-cache-dir uv==0.13.9
COPY requirements.txt requirements-plant.txt /tmp/
RUN uv pip install --system --no-cache --require-hashes -r /tmp/requirements.txt \
    && uv pip install --system --no-cache --require-hashes -r /tmp/requirements-plant.txt
WORKDIR /knurl
# the environment of the project, as `make` has it
ENTRYPOINT ["bash", "-c", "set -a; . ./project.env; set +a; exec \"$@\"", "knurl"]
