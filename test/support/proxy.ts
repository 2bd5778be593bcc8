/** A TCP proxy before the database, through which a test takes the database away in the ways that networks do. */
import { connect, createServer, type Socket } from "node:net";

/**
 * pass:      everything goes through
 * refuse:    nothing listens
 * blackhole: connections stay open, but nothing comes through any more, and no reset either
 * hangup:    connections are accepted and closed at once
 */
export type ProxyMode = "pass" | "refuse" | "blackhole" | "hangup";

export interface DatabaseProxy {
  /** The same database, through the proxy. */
  url: string;
  /** Connections made so far. */
  connections(): number;
  set(mode: ProxyMode): Promise<void>;
  /** Nothing comes through the present connections any more, and no reset either; new ones are as the mode says. */
  darken(): void;
  close(): Promise<void>;
}

export async function startProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const target = new URL(databaseUrl);
  let mode: ProxyMode = "pass";
  let connections = 0;
  const open = new Set<Socket>();
  let dark = new WeakSet<Socket>();

  const server = createServer((client) => {
    connections++;
    if (mode === "hangup") {
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port || 5432), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.on("data", (chunk) => mode === "pass" && !dark.has(from) && to.write(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        if (mode !== "blackhole" && !dark.has(from)) to.destroy();
      });
    }
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as { port: number };
  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(port);

  const cutAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    url: url.href,
    connections: () => connections,
    darken() {
      dark = new WeakSet(open);
    },
    async set(next) {
      mode = next;
      if (next !== "blackhole") cutAll();
      if (next === "refuse") await new Promise((resolve) => server.close(resolve));
      else if (!server.listening) await listen(port);
    },
    async close() {
      cutAll();
      await new Promise((resolve) => (server.listening ? server.close(resolve) : resolve(undefined)));
    },
  };
}
