/** The kinds of session, in the order in which a reader meets them. To add one is to add it here. */
import { batch } from "./batch/kind.ts";
import { device } from "./device/kind.ts";
import { game } from "./game/kind.ts";
import type { Given, Kind, OpenKind } from "./kind.ts";
import { waitingRoom } from "./waiting-room/kind.ts";

export const KINDS = [device, waitingRoom, batch, game] as const;

/** The settings of the kinds, by their names. */
export type KindSettings = Readonly<Record<string, unknown>>;

export function settingsOf<Meaning>(kind: Kind<Meaning>, settings: KindSettings): Meaning {
  return settings[kind.name] as Meaning;
}

export function openKinds(
  kinds: readonly Kind[],
  settings: KindSettings,
  given: Omit<Given, "settings">,
): readonly OpenKind[] {
  return kinds.map((kind) => kind.open({ ...given, settings: settingsOf(kind, settings) }));
}
