/**
 * Stops listening without cutting anybody off. Closing a listening socket resets connections that the kernel has
 * completed and nobody has accepted yet, along with whatever they have sent. So the queue is shortened first, and
 * closed only when nothing but connections of our own fills it: by then all before them have been accepted, and the
 * kernel admits no other.
 */
import { readFileSync } from "node:fs";
import { connect, Server, type Socket } from "node:net";

/** Room for two, the smallest with which Linux does not take a connection in progress for a flood. */
const BACKLOG = 1;
/** Turns between tries that each find somebody: leftovers of a try must be accepted in between. */
const TURNS = 4;

/** What Node has beneath a server and a socket, undocumented. */
interface Handle {
  listen?(backlog: number): number;
  getpeername?(into: object): number;
}

/**
 * Resolves when no new connection can arrive; existing ones stay open. On a host so busy that the queue never empties
 * until `giveUpAt` (on performance.now()), what is queued then is reset.
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
    // Each turn of the event loop accepts one connection, if any, possibly the last; our own probes cost a turn too.
    const before = accepted;
    await new Promise((resolve) => setImmediate(resolve));
    if (accepted > before && turn % TURNS !== 0) continue;
    const own = Array.from({ length: BACKLOG + 1 }, () => connect({ host, port }).on("error", () => {}));
    // Then connect(2) was called for each; to a local address it completes the connection at once, or finds no room.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    full = own.every(isConnected) && !isConnecting(port);
    // Before the event loop accepts them. An HTTP server's own close would also end idle connections.
    if (full) Server.prototype.close.call(server);
    for (const socket of own) socket.destroy();
  }
  if (!full) Server.prototype.close.call(server);
}

/** Whether somebody has begun to connect and would now find no room. Only on Linux. */
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
