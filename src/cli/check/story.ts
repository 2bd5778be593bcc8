/** What the steps of `keybeat check` share: the server, the devices of the story, and what was learned on the way. */
import { randomUUID } from "node:crypto";
import { describe, expectError, expectReply, expectThat } from "./expect.ts";
import type { Reply, Server } from "./server.ts";

export interface Step {
  /** The guarantee, as it is printed behind PASS or FAIL. */
  name: string;
  /** Where this says no, the step is left out. Absent: it is for every server. */
  when?(story: Story): boolean;
  /** True: without it nothing further can be checked. */
  essential?: true;
  /** Resolves if it holds; what it throws says why not. May rest on nothing that an earlier step could have failed. */
  run(story: Story): Promise<void>;
}

export interface Device {
  name: string;
  sessionId: string;
  /** The start that gave it its session. */
  reply: Reply | undefined;
}

export interface Story {
  server: Server;
  /** Whether the server speaks the whole contract; false: only its older subset. Known after the first start. */
  newer: boolean;
  a: Device;
  b: Device;
  c: Device;
  d: Device;
  e: Device;
  /** Waits; given a reason, it tells the person so. */
  wait(seconds: number, why?: string): Promise<void>;
}

export const isNewer = (story: Story): boolean => story.newer;

export function newStory(server: Server, wait: Story["wait"]): Story {
  const [a, b, c, d, e] = [newDevice("A"), newDevice("B"), newDevice("C"), newDevice("D"), newDevice("E")];
  return { server, newer: false, a, b, c, d, e, wait };
}

export function newDevice(name: string): Device {
  return { name: `keybeat check, device ${name}`, sessionId: randomUUID(), reply: undefined };
}

/** Starts the device's session. The older subset knows no more than the key and the id, so it is sent no more. */
export async function start(story: Story, device: Device, fields: Record<string, unknown> = {}): Promise<Reply> {
  const about = story.newer ? { device: { name: device.name } } : {};
  const reply = await story.server.start({ session_id: device.sessionId, ...about, ...fields });
  if (reply.status === 200) device.reply ??= reply;
  return reply;
}

export const beat = (story: Story, device: Device): Promise<Reply> => story.server.heartbeat(device.sessionId);

/** The generation that the device was given; NaN where it was given none, which is neither above nor below any. */
export function generationOf(device: Device): number {
  const generation = device.reply?.body.generation;
  return typeof generation === "number" ? generation : Number.NaN;
}

export async function expectLive(story: Story, device: Device): Promise<void> {
  expectReply(await beat(story, device), { success: true });
}

/** That the device's heartbeat says why its session is over; the older subset has one answer for every reason. */
export async function expectOver(story: Story, device: Device, code: string): Promise<Reply> {
  const reply = await beat(story, device);
  if (story.newer) expectError(reply, 410, code);
  else expectUnknown(reply);
  return reply;
}

/** 404, in the words that clients have long relied on. */
export function expectUnknown(reply: Reply): void {
  const words = "Session not found or expired";
  expectThat(reply.status === 404 && reply.body.error === words, `404 {"error":"${words}"}`, describe(reply));
}
