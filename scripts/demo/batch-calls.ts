/** A call of the batch routes. */
export async function callBatch(url: string, method: string, path: string, body?: object) {
  const response = await fetch(`${url}/api/v1/batch/sessions${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: whatever the route answers
  return { status: response.status, body: (await response.json()) as any };
}
