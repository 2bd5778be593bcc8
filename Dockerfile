# Keybeat without the embedded PostgreSQL: DATABASE_URL names yours. test/scripts/dockerfile.test.ts runs these steps.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
RUN mkdir bin && ln -s ../dist/src/cli/keybeat.js bin/keybeat && chmod +x dist/src/cli/keybeat.js \
    && find dist node_modules -name '*.map' -delete

# What is installed is JavaScript alone, so that the build had another libc does not matter.
FROM node:22-alpine
WORKDIR /app
ENV NODE_ENV=production PATH=/app/bin:$PATH
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/migrations ./migrations
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
USER node
EXPOSE 3000
# Whether the process runs, not the database: while that is away it answers 503 itself, and a restart would not help.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["keybeat", "serve"]
