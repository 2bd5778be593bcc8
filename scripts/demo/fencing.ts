/**
 * `generation` as a fencing token: a vendor's backend that refuses an outdated holder's writes, even if that device
 * does not know yet that it was replaced. `npm run demo:fencing`
 *
 * The rule: remember the highest generation seen for a key, refuse a lower one, and do both in one step with the write
 * that it protects, here in one statement of the backend's own database.
 */
import { createServer } from "node:http";
import { startSession } from "../../src/client/index.ts";
import { startService } from "./service.ts";

// The backend of a vendor: one document a customer. A Map stands for a row that is updated WHERE generation <= $1.
const documents = new Map<string, { generation: number; text: string }>();

function save(customer: string, generation: number, text: string): boolean {
  const kept = documents.get(customer);
  if (kept && generation < kept.generation) return false; // a later holder has written already
  documents.set(customer, { generation, text });
  return true;
}

const backend = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { generation, text } = JSON.parse(body);
  response.statusCode = save("customer-1", generation, text) ? 200 : 409;
  response.end();
});
await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
const { port } = backend.address() as { port: number };

const write = async (name: string, generation: number, text: string) => {
  const body = JSON.stringify({ generation, text });
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
  console.log(`${name} writes "${text}" with generation ${generation}: ${status === 200 ? "saved" : "refused"}`);
};

const { url, accessKey, stop } = await startService(60);
const a = await startSession({ url, accessKey, device: { name: "A" } });
const generationOfA = a.generation;
await write("A", generationOfA, "A's draft");
const b = await startSession({ url, accessKey, device: { name: "B" } });
await write("B", b.generation, "B's draft");
await write("A", generationOfA, "A's late change, sent before A was told");
console.log(`the document is "${documents.get("customer-1")?.text}"`);
await b.end();
backend.close();
await stop();
