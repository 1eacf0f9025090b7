# syntax=docker/dockerfile:1
# One image for worker, edge, console and the simulators; the command says which. Temporal's own server is not in it.

FROM python:3.12.12-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml requirements.lock ./
# The runtime part of the lock: the lock's own pins and hashes, without the development group.
RUN cp requirements.lock runtime.lock \
    && uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-header \
        pyproject.toml -o runtime.lock >/dev/null \
    && grep -o 'sha256:[0-9a-f]*' requirements.lock | sort -u > locked \
    && grep -o 'sha256:[0-9a-f]*' runtime.lock | sort -u > taken \
    && test -s taken && test -z "$(comm -13 locked taken)"
RUN uv venv /opt/plantwright \
    && uv pip sync --python /opt/plantwright/bin/python --require-hashes runtime.lock
COPY . .
RUN uv pip install --python /opt/plantwright/bin/python --no-deps .

FROM python:3.12.12-slim-bookworm
RUN groupadd --gid 10001 plantwright \
    && useradd --uid 10001 --gid plantwright --home-dir /var/lib/plantwright --create-home --shell /usr/sbin/nologin plantwright
COPY --from=build /opt/plantwright /opt/plantwright
COPY plants /etc/plantwright/plants
ENV PATH=/opt/plantwright/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PLANTWRIGHT_HOME=/var/lib/plantwright \
    HEALTH_PORT=8081
USER 10001:10001
WORKDIR /var/lib/plantwright
VOLUME /var/lib/plantwright
STOPSIGNAL SIGTERM
# Worker and edge answer on --health-port; give them HEALTH_PORT's value.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['HEALTH_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["plantwright"]
CMD ["--help"]
