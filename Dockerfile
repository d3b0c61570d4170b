# The operator and the command line in one image: `make image` builds it.
#
# Nothing is fetched while it is built: build/wheels holds what requirements/run.txt pins, checked by hash, and our own
# wheel. The result runs without a shell, as a user who owns nothing in it, with a read-only root. What is compiled
# beforehand is what is used: of the official client that is not its 800 models and APIs, which would be 40 MB more.

ARG BASE=python:3.13-slim

FROM ${BASE} AS build
COPY build/wheels /wheels
COPY requirements/run.txt /run.txt
RUN python3 -m venv --without-pip /keywright \
 && python3 -m pip --python /keywright/bin/python3 install --no-cache-dir --disable-pip-version-check --no-index \
      --find-links /wheels --no-deps --require-hashes --no-compile --requirement /run.txt \
 && python3 -m pip --python /keywright/bin/python3 install --no-cache-dir --disable-pip-version-check --no-index \
      --no-deps --no-compile /wheels/keywright-*.whl \
 && /keywright/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/kubernetes/(aio/)?client/(api|models)/[^_]' /keywright/lib

FROM ${BASE}
ARG VERSION
LABEL org.opencontainers.image.title="keywright" \
      org.opencontainers.image.description="cert-manager for API keys: a Kubernetes operator that keeps API keys right" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /keywright /keywright
ENV PATH=/keywright/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["keywright"]
CMD ["operator", "--listen=:8080"]
