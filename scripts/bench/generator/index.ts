/** The parent's side of the load generator. */
import { type ChildProcess, fork } from "node:child_process";
import type { Teardown } from "../teardown.ts";
import type { FromGenerator, ToGenerator } from "./protocol.ts";

export interface Generator {
  pid: number;
  tell(message: ToGenerator): void;
  /** The next message of that kind. Rejects if the generator ends first. */
  hear<K extends FromGenerator["kind"]>(kind: K): Promise<Extract<FromGenerator, { kind: K }>>;
  /** Every message of that kind from now on. */
  on<K extends FromGenerator["kind"]>(kind: K, listen: (message: Extract<FromGenerator, { kind: K }>) => void): void;
}

export function startGenerator(teardown: Teardown): Generator {
  teardown.signal.throwIfAborted();
  const child: ChildProcess = fork(new URL("./main.ts", import.meta.url).pathname, {
    execArgv: ["--import", "tsx"],
    detached: true,
  });
  teardown.add(() => child.connected && child.disconnect());
  const on: Generator["on"] = (kind, listen) => {
    child.on("message", (message: FromGenerator) => {
      if (message.kind === kind) listen(message as never);
    });
  };
  return {
    pid: child.pid as number,
    tell: (message) => child.send(message),
    on,
    hear: (kind) =>
      new Promise((resolve, reject) => {
        const onMessage = (message: FromGenerator) => {
          if (message.kind !== kind) return;
          child.off("message", onMessage);
          child.off("exit", onExit);
          resolve(message as never);
        };
        const onExit = (code: number | null) => reject(new Error(`the generator ended (${code})`));
        child.on("message", onMessage);
        child.once("exit", onExit);
      }),
  };
}
