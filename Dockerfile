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
# Beam by its exact version: the boot program, the workers and the launcher have to agree.
RUN pip install --no-cache-dir "apache-beam==${BEAM}" "glotmill[gcp,aws,tokens,hub] @ file://$(ls /wheels/*.whl)" \
    && rm -r /wheels && pip check \
    && python -c "import glotmill.pipelines.cli, glotmill.transforms.cloud_gcs, glotmill.transforms.cloud_s3"
# Beam's boot program starts a worker when it is given worker arguments; people get the command.
COPY --chmod=755 deploy/entrypoint.sh /usr/local/bin/entrypoint
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/usr/local/bin/entrypoint"]
