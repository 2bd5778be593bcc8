/**
 * The caller's address: the connection's, unless TRUST_PROXY declares proxies of ours. Each of them appends the address
 * it saw to X-Forwarded-For, so the list is read from the right: the caller may have made up whatever stands left of
 * our own proxies' entries.
 */
import { BlockList, isIP, isIPv6 } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

/** A number of proxies, or those with these addresses or CIDRs. Undefined: none. */
export type TrustProxy = number | readonly string[] | undefined;

/** The address that the request came from; null without a network. */
export type ReadAddress = (c: Context) => string | null;

export function createAddressReader(trust: TrustProxy): ReadAddress {
  const find = typeof trust === "object" ? findUntrusted(trust) : findByHops(trust ?? 0);
  return (c) => {
    const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
    const socket = incoming?.socket.remoteAddress;
    if (socket === undefined) return null;
    const near = bare(socket);
    if (trust === undefined) return near;
    const forwarded = c.req.header("x-forwarded-for")?.split(",") ?? [];
    return find([near, ...forwarded.reverse().map(bare)]);
  };
}

/** What counts as one caller: an IPv6 host has a whole /64 to choose from. */
export function groupAddress(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = (address.split("%")[0] as string).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail ? tail.split(":") : [];
  const groups = [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right];
  const four = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${four.join(":")}::/64`;
}

/** An address, or a CIDR. */
export function isNetwork(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

/** From the nearest outwards, up to the first entry that is no address. */
type FindAddress = (chain: string[]) => string;

function findByHops(hops: number): FindAddress {
  return (chain) => {
    let found = chain[0] as string;
    for (const address of chain.slice(1, hops + 1)) {
      if (isIP(address) === 0) break;
      found = address;
    }
    return found;
  };
}

function findUntrusted(networks: readonly string[]): FindAddress {
  const trusted = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    if (bits === undefined) trusted.addAddress(address, familyOf(address));
    else trusted.addSubnet(address, Number(bits), familyOf(address));
  }
  return (chain) => {
    let found = chain[0] as string;
    for (const address of chain.slice(1)) {
      if (!trusted.check(found, familyOf(found)) || isIP(address) === 0) break;
      found = address;
    }
    return found;
  };
}

const familyOf = (address: string) => (isIPv6(address) ? "ipv6" : "ipv4");

/** Without the decoration that some add: a port, brackets, the IPv6 form of an IPv4 address. */
function bare(text: string): string {
  return text
    .trim()
    .replace(/^\[(.+)\](:\d+)?$/, "$1")
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1")
    .replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i, "$1");
}
