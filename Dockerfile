FROM node:22-slim AS dashboard
WORKDIR /app/dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN npm ci
COPY src/quakestream/seismology/plates.json ../src/quakestream/seismology/plates.json
COPY dashboard ./
RUN npm run build

FROM python:3.11-slim
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY --from=dashboard /app/src/quakestream/consumer/page ./src/quakestream/consumer/page
RUN pip install --no-cache-dir --no-deps . && useradd --system --create-home quakestream && install -d -m 700 -o quakestream /data
USER quakestream
VOLUME /data
