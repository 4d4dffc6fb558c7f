# One image for all services and for `simpul prepare`, with verified hashes and an unprivileged user.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /build
RUN python -m venv /opt/simpul
ENV PATH=/opt/simpul/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock ./
RUN pip install --quiet --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY shared shared
COPY services services
COPY simpul simpul
# The running image needs no build tools.
RUN pip install --quiet --no-build-isolation --no-deps . \
	&& pip uninstall --quiet --yes hatchling pathspec pluggy tomlkit trove-classifiers setuptools \
	&& pip uninstall --quiet --yes pip

FROM ${PYTHON}
RUN groupadd --gid 10001 simpul \
	&& useradd --uid 10001 --gid simpul --home-dir /srv/simpul --no-create-home --shell /usr/sbin/nologin simpul \
	&& mkdir --parents /srv/simpul/data
COPY --from=build /opt/simpul /opt/simpul
ENV PATH=/opt/simpul/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/simpul
USER simpul
EXPOSE 8000
CMD ["simpul", "--help"]
