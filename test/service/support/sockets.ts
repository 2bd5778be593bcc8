/** What the tests of the whole program need: ports that somebody listens on, and connections on which HTTP is written by hand. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach } from "vitest";
import { childrenOf, signal } from "../../support/children.ts";
import type { RunningServer } from "../../support/process.ts";
import { waitUntil } from "../../support/wait-until.ts";

const opened: Array<Server | Socket> = [];

/** Ends after each test what it has started and left. */
export function useProcesses(): void {
  afterEach(() => {
    for (const pid of childrenOf(process.pid)) signal(pid, "SIGKILL");
    for (const one of opened.splice(0)) "destroy" in one ? one.destroy() : one.close();
  });
}

export async function listenOnFreePort(onConnection: (socket: Socket) => void = () => {}): Promise<number> {
  const server = createServer((socket) => {
    opened.push(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** A connection on which a test writes HTTP by hand. */
export class Connection {
  text = "";
  closed = false;
  readonly socket: Socket;

  constructor(server: RunningServer) {
    this.socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    opened.push(this.socket);
    this.socket.on("data", (chunk) => {
      this.text += chunk;
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** The next answer, whole. */
  async answer(): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
    let whole: RegExpExecArray | null = null;
    await waitUntil(() => {
      const length = Number(/content-length: (\d+)/i.exec(this.text)?.[1] ?? 0);
      whole = new RegExp(`^HTTP/1.1 (\\d{3})[^\r]*\r\n(.*?)\r\n\r\n(.{${length}})`, "s").exec(this.text);
      return whole !== null || this.closed;
    });
    const [all, status, headers, body] = (whole ?? []) as string[];
    if (all === undefined) throw new Error(`the connection was closed after: ${this.text}`);
    this.text = this.text.slice(all.length);
    const pairs = headers?.split("\r\n").map((line) => line.split(": ") as [string, string]);
    return { status: Number(status), headers: new Headers(pairs), body: JSON.parse(body || "null") };
  }

  get(path: string, headers = ""): ReturnType<Connection["answer"]> {
    this.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n${headers}\r\n`);
    return this.answer();
  }
}

export const post = (path: string, body: unknown) => {
  const text = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n`;
  return { head, rest: `Content-Length: ${text.length}\r\n\r\n${text}` };
};
