/** A change that was sent again because its answer was lost, and is then refused. */
import type { GameSession, UpdateRequest } from "../../sessions/game/contract.ts";
import { KeybeatError } from "../error.ts";

/** Whether the change itself may be why: it has raised the version, or ended the session. */
export const mayBeOwn = (refusal: unknown): boolean =>
  refusal instanceof KeybeatError && (refusal.code === "version_conflict" || refusal.code === "session_over");

/**
 * Whether a session stands as the change leaves it: what was sent stands as it was sent, and the version is the next one after
 * that which was sent. The same change by somebody else leaves it so too.
 */
export function isOwnChange({ status, metadata, settings, version }: UpdateRequest, session: GameSession): boolean {
  if (version !== undefined && version !== null && session.version !== version + 1) return false;
  if (session.ended_at !== undefined && session.ended_reason !== "requested") return false;
  return (
    isSame(status ?? liveStatus(session), session.status) &&
    stands(metadata, session.metadata) &&
    stands(settings, session.settings)
  );
}

/** A change that does not speak of the status has ended nothing. */
const liveStatus = ({ status, ended_at }: GameSession) => (ended_at === undefined ? status : undefined);

/** What is left out stands as it may. */
const stands = (sent: object | null | undefined, found: object | undefined): boolean =>
  sent === undefined || sent === null || isSame(JSON.parse(JSON.stringify(sent)), found);

/** As JSON, in which the order of an object's fields says nothing. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [fields, others] = [Object.entries(one), new Map(Object.entries(other))];
  return (
    fields.length === others.size &&
    fields.every(([name, value]) => others.has(name) && isSame(value, others.get(name)))
  );
}
