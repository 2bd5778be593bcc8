/** The demo page: what its buttons do, and how full the room is. */
import { createWaitingRoom, type KeybeatError } from "../../../../client/waiting-room/index.ts";
import type { StatusReply } from "../../contract.ts";
import { byId } from "./elements.ts";
import { Users } from "./users.ts";
import { showYou } from "./you.ts";

const LOOK_MS = 2_000;

let timer: ReturnType<typeof setTimeout> | undefined;
const room = createWaitingRoom({ baseUrl: new URL("..", location.href).href });
const users = new Users(room, { list: byId("users"), onChange: showUsers, onTrouble: showTrouble });

byId("start").onclick = () => {
  byId<HTMLButtonElement>("start").disabled = true;
  void users.start();
};
byId("leave").onclick = () => void users.letOneLeave();
byId("stop").onclick = () => void users.stop();
addEventListener("pagehide", () => users.giveBack());
showYou(showTrouble);
void look();

function showUsers(): void {
  const { active, waiting } = users.count();
  const here = active + waiting > 0;
  byId<HTMLButtonElement>("start").disabled = here || users.starting;
  for (const id of ["leave", "stop"]) byId<HTMLButtonElement>(id).disabled = !here;
  const summary = here ? `${active} have a seat, ${waiting} wait in line.` : "None of them is here.";
  if (byId("summary").textContent === summary) return;
  byId("summary").textContent = summary;
  lookSoon(200);
}

/** What went wrong and what to do about it; empty when all is well. */
function showTrouble(error?: KeybeatError): void {
  const explained: Partial<Record<string, string>> = {
    unauthorized:
      "This service asks every user for a token (QUEUE_AUTH=jwt), so users cannot be made up. Run the demo on one with QUEUE_AUTH=none.",
    queue_full: "The line is full (QUEUE_MAX_WAITING).",
    too_many_requests: "As many requests as are allowed at once are under way (QUEUE_MAX_REQUESTS).",
    unreachable: "The service cannot be reached. Trying again…",
    unavailable: "The service is there, but its database is not. Trying again…",
  };
  const text = error ? (explained[error.code] ?? `${error.code}: ${error.message}`) : "";
  if (byId("trouble").textContent !== text) byId("trouble").textContent = text;
}

async function look(): Promise<void> {
  try {
    const response = await fetch("../api/v1/session/status");
    const status = (await response.json()) as StatusReply;
    byId("seats").textContent = `${status.active_sessions} of ${status.max_sessions}`;
    byId("line").textContent = String(status.queue_length);
    byId("requests").textContent = `${status.active_requests} of ${status.max_requests}`;
  } catch {
    // Keep the last counts; the users' own calls report what is wrong.
  }
  lookSoon(LOOK_MS);
}

function lookSoon(ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void look(), ms);
}
