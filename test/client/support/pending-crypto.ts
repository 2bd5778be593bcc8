/**
 * Virtual time must not pass while the platform hashes or verifies: it does so in threads of its own. Each call of
 * crypto.subtle goes through as it is, and is counted until it is done.
 */
let pending = 0;

const subtle = Object.getPrototypeOf(crypto.subtle);
for (const name of ["digest", "importKey", "verify"]) {
  const plain = subtle[name];
  subtle[name] = function call(this: unknown, ...given: unknown[]) {
    pending++;
    return (plain.apply(this, given) as Promise<unknown>).finally(() => {
      pending--;
    });
  };
}

export const isCryptoPending = (): boolean => pending > 0;
