/** A TCP relay with latency, like a long line. */
import { connect, createServer, type Socket } from "node:net";

export interface Relay {
  port: number;
  /** From now on, for what comes from now on. */
  delay(ms: number): void;
  /** Breaks all connections, both ways. */
  cut(): void;
  close(): Promise<void>;
}

export async function startRelay(
  listenAt: string,
  target: { host: string; port: number },
  delayMs = 0,
): Promise<Relay> {
  let ms = delayMs;
  const open = new Set<Socket>();
  const pass = (from: Socket, to: Socket) => {
    open.add(from);
    from.setNoDelay(true);
    // Timers of equal length fire in order, so nothing overtakes.
    from.on("data", (chunk) => setTimeout(() => to.writable && to.write(chunk), ms));
    from.on("end", () => setTimeout(() => to.end(), ms));
    from.on("error", () => to.destroy());
    from.on("close", () => {
      open.delete(from);
      setTimeout(() => to.destroy(), ms);
    });
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ ...target, allowHalfOpen: true });
    pass(client, upstream);
    pass(upstream, client);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, listenAt, resolve));
  return {
    port: (server.address() as { port: number }).port,
    delay: (now) => {
      ms = now;
    },
    cut() {
      for (const socket of open) socket.resetAndDestroy();
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
