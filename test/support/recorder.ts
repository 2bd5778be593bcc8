/** Watches what node:http sends, whoever asked and whichever way of the program it came. It changes nothing. */
import { ServerResponse } from "node:http";

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

export function recordAnswers({ wants, keep }: Recorder): void {
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
    keep({ method, url, status: response.statusCode, headers: headersOf(response), body });
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

/** As sent: headers given to writeHead alone are known to nobody else. */
function headersOf(response: ServerResponse): Record<string, string> {
  const head = (response as unknown as { _header: string | null })._header ?? "";
  const lines = head.split("\r\n").slice(1).filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
}
