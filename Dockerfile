
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
# tini reaps what the embedded PostgreSQL leaves behind and passes signals on: HatiData is not written to be process 1.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --user-group --create-home --home-dir /var/lib/hatidata --shell /usr/sbin/nologin hatidata \
  && install --directory --owner=hatidata --group=hatidata --mode=0700 /var/lib/hatidata/.hati
WORKDIR /opt/hatidata
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY bin bin
RUN ln -s /opt/hatidata/bin/hati.js /usr/local/bin/hati

USER hatidata
WORKDIR /var/lib/hatidata
VOLUME /var/lib/hatidata/.hati
ENV NODE_ENV=production \
    HATIDATA_LISTEN_ADDR=0.0.0.0:5439
EXPOSE 5439
# Asks the proxy itself: exit code 3 while nothing answers in the Postgres protocol.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["hati", "status"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/tini", "--", "hati"]
CMD ["start"]
