/** Calls the app. An error of its own is reported like any other, and stops nothing here. */
export function tellApp(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
