/** The processes of a story: who has which session's id, and what each would send next. */

import type { Proof } from "../../../../src/sessions/device/contract.ts";
import { newProofWord } from "../../../support/secrets.ts";
import type { Proving } from "./model-commands.ts";

interface Process {
  instance: string;
  number: number;
  /** Its last beat. */
  sent: Proof | undefined;
  /** What that was told to answer last. */
  challenge: string | undefined;
}

export interface Processes {
  /** The beat that the process sends now. */
  prove(sessionId: string, { by, sends }: Proving): Proof;
  /** The challenge to its last beat. */
  challenge(sessionId: string, by: Proving["by"], challenge: string): void;
}

export function createProcesses(): Processes {
  const processes = new Map<string, Process>();
  const find = (sessionId: string, by: Proving["by"]): Process => {
    const name = `${sessionId} ${by}`;
    const known = processes.get(name);
    if (known) return known;
    const instance = by === 2 ? find(sessionId, 0).instance : newProofWord();
    const made = { instance, number: -1, sent: undefined, challenge: undefined };
    processes.set(name, made);
    return made;
  };
  return {
    prove(sessionId, { by, sends }) {
      const process = find(sessionId, by);
      const { sent, challenge, instance } = process;
      if (sent && sends === "last") return sent;
      if (sent && sends === "answer" && challenge !== undefined) return { ...sent, answer: challenge };
      process.sent = { instance, number: ++process.number, beat_id: newProofWord() };
      process.challenge = undefined;
      return process.sent;
    },
    challenge(sessionId, by, challenge) {
      find(sessionId, by).challenge = challenge;
    },
  };
}
