FROM node:22-slim AS dashboard
WORKDIR /app/dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN npm ci
COPY src/quakestream/seismology/plates.json src/quakestream/seismology/places.npz ../src/quakestream/seismology/
COPY dashboard ./
RUN npm run build

FROM python:3.11-slim
WORKDIR /app
COPY requirements*.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock && \
    pip install --no-cache-dir --require-hashes --no-build-isolation --use-pep517 -r requirements.lock -r requirements-fast.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY tools/build_page.py tools/page_hook.py ./tools/
COPY src ./src
COPY --from=dashboard /app/src/quakestream/api/dashboard ./src/quakestream/api/dashboard
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && useradd --system --create-home quakestream && install -d -m 700 -o quakestream /data
COPY deploy/health.py ./
USER quakestream
VOLUME /data
ENV HOST=0.0.0.0 DATA_DIR=/data
EXPOSE 3001 3002
# whichever of the two programs runs here answers on its own port
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "/app/health.py"]
CMD ["quakestream", "up"]
