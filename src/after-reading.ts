/**
 * Runs it when all input that had arrived has been read. A timer fires before that: a busy process may be late to read
 * what was sent in time, and closing a connection with unread input resets it, along with the answer.
 */
export function afterReading(act: () => void): void {
  setImmediate(act);
}
