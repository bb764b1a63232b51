#!/bin/sh
# A worker where Beam gives worker arguments, the command glotmill otherwise.
case "$1" in
  --id=*|--worker_pool|--worker_pool=*|--logging_endpoint=*|--control_endpoint=*|--provision_endpoint=*|--artifact_endpoint=*|--semi_persist_dir=*)
    exec "${BEAM_BOOT:-/opt/apache/beam/boot}" "$@" ;;
  *) exec glotmill "$@" ;;
esac
