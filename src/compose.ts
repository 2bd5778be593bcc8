/** Composes what answers requests: the kinds of session, what they share, and the app on top. It never listens. */

import { type App, type AppDeps, createApp } from "./app.ts";
import { createLimitReport } from "./audit/over-limit.ts";
import type { Config } from "./config.ts";
import { openListener } from "./database/listener.ts";
import { createEventStreams, type EventStreams } from "./events/sse.ts";
import { createAddressReader } from "./http/client-address.ts";
import { createVerifyToken } from "./http/user-auth.ts";
import { startClocks } from "./jobs/clocks.ts";
import type { HashKey } from "./keys/index.ts";
import { createLimit } from "./limits/limit.ts";
import { boundConnections } from "./open-files.ts";
import type { Serving } from "./sessions/kind.ts";
import { createSigning } from "./trust/signing.ts";
import { readVersion } from "./version.ts";

/** Share of a process's connections that may be event streams; the rest is for short calls. */
const STREAMS_SHARE = 3 / 4;

type FromConfig = "corsOrigins" | "allowedHosts" | "signInsPerMinute";

/** What a process has before it can answer. */
export interface Answering extends Omit<AppDeps, FromConfig | "serving" | "signing" | "version"> {
  /** For the connection that listens. */
  url: string;
  hashKey: HashKey;
}

export interface Composition {
  app: App;
  streams: EventStreams;
  /** Stops the clocks first and the streams last. */
  close(): Promise<void>;
}

export function compose(
  config: Pick<Config, FromConfig | "trustProxy" | "connectionsMax" | "userTokens" | "signingKeys">,
  answering: Answering,
): Composition {
  const { database, url, hashKey, counts, log } = answering;
  const streams = createEventStreams(Math.ceil(boundConnections(config.connectionsMax) * STREAMS_SHARE));
  const listener = openListener(url, log);
  const report = createLimitReport(database, log);
  const serving: Serving = {
    hashKey,
    listener,
    streams,
    readAddress: createAddressReader(config.trustProxy),
    createLimit: (options) => createLimit(database, { ...options, report }),
    signingKeys: config.signingKeys,
    verifyToken: config.userTokens && createVerifyToken(config.userTokens),
  };
  const { app, kinds } = createApp({
    ...answering,
    serving,
    signing: createSigning(config.signingKeys, counts.signing),
    version: readVersion(),
    corsOrigins: config.corsOrigins,
    allowedHosts: config.allowedHosts,
    signInsPerMinute: config.signInsPerMinute,
  });
  const stopClocks = startClocks(
    kinds.flatMap(({ clocks }) => clocks ?? []),
    log,
  );
  return {
    app,
    streams,
    async close() {
      stopClocks();
      await Promise.all([...kinds.map((kind) => kind.close()), streams.close(), listener.close()]);
    },
  };
}
