/** Loaded before the program in a server of its own: writes its answers down for the test, a line each. */
import { appendFileSync } from "node:fs";
import { type Answer, recordAnswers } from "./recorder.ts";

const file = process.env.KEYBEAT_TEST_ANSWERS;
let lines: string[] = [];

function flush(): void {
  if (file === undefined || lines.length === 0) return;
  const text = lines.join("");
  lines = [];
  appendFileSync(file, text);
}

recordAnswers({
  wants: () => file !== undefined,
  keep: (answer: Answer) => {
    if (lines.push(`${JSON.stringify(answer)}\n`) === 1) setImmediate(flush);
  },
});
process.on("exit", flush);
