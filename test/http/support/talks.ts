/** Connections on which a test says what it likes, byte for byte. */
import { connect, type Socket } from "node:net";
import { afterEach } from "vitest";

export interface Talk {
  socket: Socket;
  received(): string;
  /** The bodies of the answers so far. */
  bodies(): string[];
  closed: Promise<void>;
}

/** For a test file: opens connections, which end with the test. `port` is asked for each of them. */
export function useTalks(): (port: number, options?: { allowHalfOpen?: boolean }) => Talk {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  return (port, options) => {
    const socket = connect({ port, host: "127.0.0.1", ...options });
    sockets.push(socket);
    let text = "";
    socket.on("data", (part) => {
      text += part;
    });
    socket.on("error", () => {});
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    return { socket, received: () => text, bodies: () => text.match(/\{[^{}]*\}/g) ?? [], closed };
  };
}
