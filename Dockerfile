# One image for the launcher and for Beam workers.
#
#   docker build -t glotmill .
#   docker run --rm -v "$PWD:/data" -w /data glotmill run recipe.yaml
#
# As a worker image (--sdk_container_image=..., --environment_type=DOCKER) it is started by Beam's
# own boot program, which is copied from Beam's image of the same version.
ARG PYTHON=3.11
ARG BEAM=2.77.0

FROM apache/beam_python${PYTHON}_sdk:${BEAM} AS beam

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG BEAM
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "apache-beam[gcp]==${BEAM}" /wheels/*.whl && rm -r /wheels \
    && python -c "import glotmill.pipelines.cli"
# Beam's boot program starts a worker when it is given worker arguments; people get the command.
COPY --chmod=755 <<'SH' /usr/local/bin/entrypoint
#!/bin/sh
case "$1" in
  --*) exec /opt/apache/beam/boot "$@" ;;
  *) exec glotmill "$@" ;;
esac
SH
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/usr/local/bin/entrypoint"]
