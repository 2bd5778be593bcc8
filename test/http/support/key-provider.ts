import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, exportSPKI, generateKeyPair } from "jose";

/** A server as an identity provider has it: two RSA keys and one of an elliptic curve. */
export async function publishKeys() {
  const make = (alg: string) => generateKeyPair(alg, { extractable: true });
  const [rsa, otherRsa, ec, stranger] = await Promise.all([make("RS256"), make("RS256"), make("ES256"), make("RS256")]);
  const published = { rsa, "other-rsa": otherRsa, ec };
  const set = {
    keys: await Promise.all(
      Object.entries(published).map(async ([kid, pair]) => ({ ...(await exportJWK(pair.publicKey)), kid, use: "sig" })),
    ),
  };
  let asked = 0;
  let status: number | "nonsense" | "endless" = 200;
  const server: Server = createServer((_request, response) => {
    asked++;
    response.writeHead(typeof status === "number" ? status : 200, { "Content-Type": "application/json" });
    if (status !== "endless") return void response.end(status === "nonsense" ? "<html>" : JSON.stringify(set));
    const more = () => {
      while (!response.destroyed && response.write(" ".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    rsa: rsa.privateKey,
    otherRsa: otherRsa.privateKey,
    ec: ec.privateKey,
    stranger: stranger.privateKey,
    rsaPem: await exportSPKI(rsa.publicKey),
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    asked: () => asked,
    answerWith(next: typeof status) {
      status = next;
    },
    async close() {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
