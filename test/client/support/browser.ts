/** What tabs of one origin share: locks as the Web Locks API has them, and real BroadcastChannels. */
import type { SharedOptions, TabChannel, TabLocks } from "../../../src/client/tabs/index.ts";
import { FakePage } from "./virtual-app.ts";

/** Exclusive locks, granted in the order of asking. */
export class FakeLocks implements TabLocks {
  readonly #tails = new Map<string, Promise<unknown>>();

  request(name: string, { signal }: { signal: AbortSignal }, whileHeld: () => Promise<void>): Promise<unknown> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const mine = before.then(() => {
      if (signal.aborted) throw signal.reason;
      return whileHeld();
    });
    this.#tails.set(
      name,
      mine.catch(() => {}),
    );
    return mine;
  }
}

export interface FakeTab {
  options: Pick<SharedOptions, "page" | "locks" | "openChannel">;
  page: FakePage;
  /** Sends nothing more to the others, as if it were frozen. */
  mute(muted: boolean): void;
  closeChannels(): void;
}

export function openTab(locks: FakeLocks): FakeTab {
  const page = new FakePage();
  const channels: { close(): void }[] = [];
  let muted = false;
  const openChannel = (name: string): TabChannel => {
    const channel = new BroadcastChannel(name);
    channels.push(channel);
    const facade: TabChannel = {
      onmessage: null,
      postMessage: (message) => {
        if (!muted) channel.postMessage(message);
      },
      close: () => channel.close(),
    };
    channel.onmessage = (event) => facade.onmessage?.(event as never);
    return facade;
  };
  return {
    options: { page, locks, openChannel },
    page,
    mute(now) {
      muted = now;
    },
    closeChannels: () => {
      for (const channel of channels) channel.close();
    },
  };
}
