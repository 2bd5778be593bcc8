/** What an app of the Python client meets instead of a right server. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";
import { type FakeServer, startFakeServer } from "../../../../src/client/testing/index.ts";

/** Servers that do not do as they should, closed after each test. */
export function useServers() {
  const servers: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function fake(options = {}): Promise<FakeServer> {
    const server = await startFakeServer(options);
    servers.push(server);
    return server;
  }

  async function listen(
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<[Server, string]> {
    const server = createHttpServer(handle);
    servers.push({ close: () => [server.closeAllConnections(), server.close()] });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  }

  return { servers, fake, listen };
}
