/**
 * Stops listening without cutting anybody off. Closing a listening socket resets the connections that the kernel has made
 * and nobody has accepted yet, with whatever they have sent. So their queue is made short first, and closed only when
 * nothing but connections of our own stands in it and fills it: all before them have been accepted, and the kernel lets no
 * other in.
 */
import { readFileSync } from "node:fs";
import { connect, Server, type Socket } from "node:net";

/** Room for two, the least for which Linux does not take one that is just being made for a flood. */
const BACKLOG = 1;
/** Turns between two tries where each turn finds somebody: what a try leaves in the queue must be taken out in between. */
const TURNS = 4;

/** What Node has below a server and a socket, and does not describe. */
interface Handle {
  listen?(backlog: number): number;
  getpeername?(into: object): number;
}

/**
 * Resolves when no new connection can come. Those that there are stay open. On a host so busy that the queue never empties until
 * `giveUpAt` (on performance.now()), what stands in it then is reset.
 */
export async function stopListening(server: Server, giveUpAt: number): Promise<void> {
  if (!server.listening) return;
  const { address, port } = server.address() as { address: string; port: number };
  const host = ["0.0.0.0", "::"].includes(address) ? "127.0.0.1" : address;
  let accepted = 0;
  server.on("connection", () => accepted++);
  let full = false;
  handleOf(server)?.listen?.(BACKLOG);
  for (let turn = 1; !full && performance.now() < giveUpAt; turn++) {
    // Each turn of the event loop accepts one, if there is one. It may have been the last; ours that follow cost a turn, too.
    const before = accepted;
    await new Promise((resolve) => setImmediate(resolve));
    if (accepted > before && turn % TURNS !== 0) continue;
    const own = Array.from({ length: BACKLOG + 1 }, () => connect({ host, port }).on("error", () => {}));
    // Then connect(2) was called for each; to an address of this host it makes the connection, or finds no place for it.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    full = own.every(isConnected) && !isConnecting(port);
    // Before the event loop turns again, and accepts them. An HTTP server's own close would end what is idle as well.
    if (full) Server.prototype.close.call(server);
    for (const socket of own) socket.destroy();
  }
  if (!full) Server.prototype.close.call(server);
}

/** Whether somebody has begun to connect, and would find no place now. Only Linux tells. */
function isConnecting(port: number): boolean {
  const begun = new RegExp(`^ *\\d+: \\w+:${port.toString(16).toUpperCase().padStart(4, "0")} \\w+:\\w+ 03 `, "m");
  return ["/proc/net/tcp", "/proc/net/tcp6"].some((file) => {
    try {
      return begun.test(readFileSync(file, "latin1"));
    } catch {
      return false;
    }
  });
}

const isConnected = (socket: Socket): boolean => handleOf(socket)?.getpeername?.({}) === 0;

const handleOf = (of: object): Handle | undefined => (of as { _handle?: Handle })._handle;
