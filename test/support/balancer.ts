/** A balancer before several processes, as simple as they come: connections in turn, past a process that is down. */
import { connect, createServer, type Socket } from "node:net";

export interface Balancer {
  url: string;
  close(): Promise<void>;
}

/** A connection that is refused goes to the next port; one that has come about is never moved. */
export async function startBalancer(ports: number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    keep(client);
    const first = turn++;
    const tryNext = (tries: number) => {
      if (tries === ports.length) return client.destroy();
      const upstream = connect({ port: ports[(first + tries) % ports.length] as number, allowHalfOpen: true });
      const onError = () => tryNext(tries + 1);
      upstream.once("error", onError);
      upstream.once("connect", () => {
        upstream.off("error", onError);
        keep(upstream);
        client.pipe(upstream).pipe(client);
        for (const [one, other] of [
          [client, upstream],
          [upstream, client],
        ] as const) {
          one.on("close", () => other.destroy());
        }
      });
    };
    tryNext(0);
  });
  const keep = (socket: Socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
