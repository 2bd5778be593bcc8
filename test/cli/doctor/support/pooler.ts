import { connect, createServer, type Server } from "node:net";

/** What a pooler does to be told by: it names another process at the start; and in transaction mode tells nothing. */
export function makePooler(target: URL, swallows: boolean): Server {
  return createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    client.pipe(upstream);
    upstream.on("data", (chunk) => client.write(swallows ? withoutNotifications(renamed(chunk)) : renamed(chunk)));
    for (const socket of [client, upstream])
      socket.on("error", () => {}).on("close", () => [client, upstream].map((one) => one.destroy()));
  });
}

/** BackendKeyData is K, a length of 12, the process, its secret. */
function renamed(chunk: Buffer): Buffer {
  const at = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at >= 0) chunk.writeUInt32BE(1, at + 5);
  return chunk;
}

/** NotificationResponse is A and a length; the messages of this protocol stand whole in a chunk here. */
function withoutNotifications(chunk: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at < chunk.length; ) {
    const end = at + 1 + chunk.readUInt32BE(at + 1);
    if (chunk[at] !== 0x41) kept.push(chunk.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}
