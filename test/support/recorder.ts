/** Watches what is sent by node:http and by what stands before it, whoever asked. It changes nothing. */
import { ServerResponse } from "node:http";
import { Socket } from "node:net";

export interface Answer {
  method: string;
  url: string;
  status: number;
  /** In lower case. */
  headers: Record<string, string>;
  body: string;
}

export interface Recorder {
  /** Asked once an answer: does it come from a server of ours? */
  wants(port: number | undefined): boolean;
  keep(answer: Answer): void;
}

export function recordAnswers(recorder: Recorder): void {
  recordResponses(recorder);
  recordFront(recorder);
}

/** The front writes an answer as one text, to a socket that no response of Node's has; and it has one route. */
function recordFront({ wants, keep }: Recorder): void {
  const { write } = Socket.prototype;
  Socket.prototype.write = function (this: Socket & { _httpMessage?: unknown }, ...args: unknown[]) {
    const [text] = args;
    if (typeof text === "string" && text.startsWith("HTTP/1.1 ") && !this._httpMessage && wants(this.localPort)) {
      const at = text.indexOf("\r\n\r\n");
      const [head, body] = [text.slice(0, at), text.slice(at + 4)];
      const headers = headersOf(head);
      keep({ method: "POST", url: "/api/session/heartbeat", status: Number(head.slice(9, 12)), headers, body });
    }
    return write.apply(this, args as Parameters<typeof write>);
  } as typeof write;
}

function recordResponses({ wants, keep }: Recorder): void {
  const bodies = new WeakMap<ServerResponse, Buffer[]>();
  const { write, end } = ServerResponse.prototype;

  const add = (response: ServerResponse, chunk: unknown, encoding: unknown) => {
    let parts = bodies.get(response);
    if (parts === undefined) {
      if (!wants(response.req.socket?.localPort)) return;
      parts = [];
      bodies.set(response, parts);
      response.once("close", () => finish(response)); // a stream that its reader has left never ends
    }
    if (typeof chunk === "string") {
      parts.push(Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8"));
    } else if (chunk instanceof Uint8Array) parts.push(Buffer.from(chunk));
  };
  const finish = (response: ServerResponse) => {
    const parts = bodies.get(response);
    if (parts === undefined || !bodies.delete(response)) return;
    const { method = "", url = "" } = response.req;
    const body = Buffer.concat(parts).toString("utf8");
    // As sent: headers given to writeHead alone are known to nobody else.
    const head = (response as unknown as { _header: string | null })._header ?? "";
    keep({ method, url, status: response.statusCode, headers: headersOf(head), body });
  };

  ServerResponse.prototype.write = function (this: ServerResponse, ...args: unknown[]) {
    add(this, args[0], args[1]);
    return write.apply(this, args as Parameters<typeof write>);
  } as typeof write;
  ServerResponse.prototype.end = function (this: ServerResponse, ...args: unknown[]) {
    add(this, args[0], args[1]);
    const result = end.apply(this, args as Parameters<typeof end>);
    finish(this);
    return result;
  } as typeof end;
}

function headersOf(head: string): Record<string, string> {
  const lines = head.split("\r\n").slice(1).filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
}
