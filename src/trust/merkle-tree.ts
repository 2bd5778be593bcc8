/** A Merkle tree, so that one signature serves many answers: each takes along its siblings on the way to the root. */
import { hash } from "node:crypto";

export interface Tree {
  root: Buffer;
  /** Of each leaf: its siblings from below, 32 bytes each, joined. */
  paths: Buffer[];
}

const NODE = Buffer.from([1]);

/** `leaves`: at least one. A node that has no sibling goes up as it is, and adds nothing to a path. */
export function growTree(leaves: readonly Buffer[]): Tree {
  const levels = [leaves];
  let top = leaves;
  while (top.length > 1) {
    top = joinPairs(top);
    levels.push(top);
  }
  return { root: top[0] as Buffer, paths: leaves.map((_, place) => Buffer.concat(findSiblings(levels, place))) };
}

function joinPairs(level: readonly Buffer[]): Buffer[] {
  const above: Buffer[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const [left, right] = [level[at] as Buffer, level[at + 1]];
    above.push(right === undefined ? left : hash("sha256", Buffer.concat([NODE, left, right]), "buffer"));
  }
  return above;
}

function findSiblings(levels: ReadonlyArray<readonly Buffer[]>, place: number): Buffer[] {
  return levels.flatMap((level, height) => level[(place >> height) ^ 1] ?? []);
}
