/**
 * Sits before Node's HTTP parser. As long as a connection carries only plain requests for the direct route, one at a
 * time, they are answered here at half the cost; on anything else it becomes an ordinary connection of the server, and
 * stays one.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { afterReading } from "../after-reading.ts";
import { writeAnswer } from "./answer.ts";
import { answerBrokenRequest, TOO_SLOW } from "./broken-request.ts";
import type { Connections } from "./connections.ts";
import type { DirectRoute } from "./direct.ts";
import { readPlainPost } from "./plain-post.ts";

export interface Front {
  /** From now on each connection ends with its next answer. */
  drain(): void;
}

/** Takes a server's new connections; the server's time limits apply here too. */
export function placeFront(server: Server, route: DirectRoute, connections: Connections): Front {
  let draining = false;
  const ordinary = server.listeners("connection");
  server.removeAllListeners("connection");

  server.on("connection", (socket: Socket) => {
    const connection = connections.of(socket);
    /** Requests here; those that Node has seen are not counted. */
    const isBusy = () => connection.asking > 0;
    let [fresh, ended] = [true, false];
    /** What arrived while a request was in flight. */
    let next: Buffer | undefined;

    const handOver = (begun: Buffer) => {
      socket.setTimeout(0);
      socket.pause();
      socket.unshift(begun);
      // After what the stream still has to do: otherwise it would read on where Node has stopped it.
      setImmediate(() => {
        for (const [event, listener] of listeners) socket.off(event, listener);
        if (socket.destroyed) return;
        for (const listener of ordinary) listener.call(server, socket);
        socket.resume();
      });
    };

    const onData = (chunk: Buffer) => {
      if (isBusy()) {
        next = chunk;
        socket.pause();
        return;
      }
      // Node slows down callers that do not read their answers.
      const post = draining || socket.writableLength > 0 ? undefined : readPlainPost(chunk, route.path);
      if (post === undefined) return handOver(chunk);
      connections.begin(connection);
      route.answer(post, (answer) => {
        if (!isBusy()) return; // the connection broke before
        connections.leave(connection);
        const last = (draining || ended) && next === undefined;
        socket.write(writeAnswer(answer, sayWhatBecomes(last ? undefined : server.keepAliveTimeout)));
        if (last) return socket.end();
        if (fresh) socket.setTimeout(server.keepAliveTimeout);
        fresh = false;
        if (next !== undefined) handOver(next);
      });
    };
    const onEnd = () => {
      ended = true;
      if (!isBusy()) socket.end();
    };
    const onTimeout = () => {
      const { bytesRead } = socket;
      afterReading(() => {
        if (isBusy() || socket.bytesRead !== bytesRead) return;
        if (!fresh) return socket.destroy();
        socket.off("data", onData).resume(); // nothing is carried out after a refusal
        answerBrokenRequest(TOO_SLOW, socket);
      });
    };
    const listeners: ReadonlyArray<[string, (chunk: Buffer) => void]> = [
      ["data", onData],
      ["end", onEnd],
      ["timeout", onTimeout],
      ["error", () => socket.destroy()],
    ];
    for (const [event, listener] of listeners) socket.on(event, listener);
    socket.setTimeout(server.headersTimeout);
  });

  return {
    drain() {
      draining = true;
    },
  };
}

/** `keepMs` undefined: the connection ends with the answer. */
function sayWhatBecomes(keepMs: number | undefined): string {
  const keep = keepMs === undefined ? "close" : `keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepMs / 1000)}`;
  return `Date: ${date()}\r\nConnection: ${keep}`;
}

let dated = { second: 0, text: "" };

function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (dated.second !== second) dated = { second, text: new Date(second * 1000).toUTCString() };
  return dated.text;
}
