/** Somebody in a demonstration, in a process of their own so that they can really crash. */
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

export interface Said {
  event: string;
  at: number;
  detail: Record<string, unknown>;
}

export class Actor<Message extends object> {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #heard: Said[] = [];
  #wake: () => void = () => {};

  /** `program`: beside this file; it talks by messages. */
  constructor(name: string, program: string) {
    this.name = name;
    this.#process = fork(new URL(program, import.meta.url).pathname, { execArgv: ["--import", "tsx"] });
    this.#process.on("message", (message: Said) => {
      this.#heard.push(message);
      this.#wake();
    });
  }

  send(message: Message | { end: true }): void {
    this.#process.send(message);
  }

  /** The next event of that name; others are skipped. */
  async next(event: string): Promise<Said> {
    const giveUpAt = Date.now() + 60_000;
    for (;;) {
      const message = this.#heard.shift();
      if (message?.event === event) return message;
      if (message) continue;
      if (Date.now() > giveUpAt) throw new Error(`${this.name} never said "${event}"`);
      await Promise.race([sleep(1000), new Promise<void>((resolve) => (this.#wake = resolve))]);
    }
  }

  crash(): void {
    this.#process.kill("SIGKILL");
  }

  async end(): Promise<void> {
    if (this.#process.connected) this.send({ end: true });
    await Promise.race([new Promise((resolve) => this.#process.once("exit", resolve)), sleep(2000)]);
    this.#process.kill("SIGKILL");
  }
}
