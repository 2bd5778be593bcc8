/** Follows a stream of server-sent events as a page does. */
export interface Told {
  id: number | undefined;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says; the tests look at it
  data: any;
}

export interface Following {
  status: number;
  told: Told[];
  /** Resolves when the server has ended the stream. */
  ended: Promise<void>;
  stop(): void;
}

export async function followStream(
  url: string,
  lastEventId?: string | number,
  headers: Record<string, string> = {},
): Promise<Following> {
  const abort = new AbortController();
  const response = await fetch(url, {
    headers: lastEventId === undefined ? headers : { ...headers, "Last-Event-ID": String(lastEventId) },
    signal: abort.signal,
  });
  const told: Told[] = [];
  const read = async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() as string;
      for (const block of blocks) if (!block.startsWith(":")) told.push(parse(block));
    }
  };
  const ended = read().catch(() => {});
  return { status: response.status, told, ended, stop: () => abort.abort() };
}

function parse(block: string): Told {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
  const id = field("id");
  return {
    id: id === undefined ? undefined : Number(id),
    event: field("event") as string,
    data: JSON.parse(field("data") as string),
  };
}
