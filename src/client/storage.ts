import type { SessionIdStorage } from "./options.ts";

/** Wraps the caller's storage, or none: never throws, and returns only what can be a session id. */
export interface StoredId {
  read(): Promise<string | undefined>;
  write(sessionId: string): Promise<unknown>;
  forget(): Promise<unknown>;
}

/** `form`: what is believed to be ours. */
export function keepSessionId(storage: SessionIdStorage | undefined, form = /^[\w-]{16,128}$/): StoredId {
  // Async, but a synchronous storage has finished when the call returns: a closing page gets no later chance.
  const quietly = async <T>(use: () => T) => {
    try {
      return await use();
    } catch {}
  };
  return {
    read: async () => {
      const id = await quietly(() => storage?.get());
      return id && form.test(id) ? id : undefined;
    },
    write: (sessionId) => quietly(() => storage?.set(sessionId)),
    forget: () => quietly(() => storage?.remove()),
  };
}
