import { Refused } from "../api.ts";
import { ask, reasonField, say } from "../parts/dialog.ts";
import { el } from "../parts/element.ts";
import { endGame, type GameReply } from "./api.ts";
import { STATES } from "./game-state.ts";

export function askToEnd({ session, match }: GameReply, done: () => void): void {
  const { input, content } = reasonField("The session's log and the audit log keep it.");
  const what = match ? "match" : "session";
  const told = match ? " Who follows it is told at once, and nobody has won." : "";
  ask({
    title: `End this ${what}?`,
    confirm: "End it",
    dismiss: "Keep it",
    danger: true,
    done,
    content: [
      el(
        "p",
        { class: "breakable" },
        el("strong", {}, session.session_id),
        ` ends as terminated, by an operator.${told}`,
      ),
      content,
    ],
    async run() {
      const { status, ended_reason } = await endGame(session.session_id, input.value.trim()).catch(inWords);
      if (ended_reason !== "operator") {
        throw new Error(`It has ended meanwhile: ${STATES[status].words}. Nothing was changed.`);
      }
      say(`Ended as ${STATES[status].words}`);
      return undefined;
    },
  });
}

function inWords(error: Error): never {
  const gone = error instanceof Refused && error.code === "session_not_found";
  throw gone ? new Error("It is gone: erased meanwhile, or no longer kept.") : error;
}
