/**
 * Parses a connection string as libpq does: a URL (several hosts, IPv6 in brackets, sockets) or `host=… dbname=…`.
 * Returns the parameters as given, without interpreting them.
 *
 * Nothing that might be part of a password is ever taken for something else, or shown: an ambiguous string is refused.
 * (pg-connection-string was considered: it knows one host only, and cuts a password at its `#`.)
 */

/** The message continues the variable's name: "must …". It quotes nothing of the string. */
export class BadConnectionString extends Error {}

const LOOKS = "must look like postgres://user:password@host:5432/database";
const ENCODE = "in a user, password or name write @ : / ? # % as %40 %3A %2F %3F %23 %25";

/** By libpq's names: host, port (comma-separated lists of equal length), user, password, dbname and the rest. */
export function readConnectionString(text: string): Map<string, string> {
  const trimmed = text.trim();
  const url = /^postgres(?:ql)?:\/\/(.*)$/is.exec(trimmed);
  if (url) return readUrl(url[1] as string);
  if (/^[a-z_]+\s*=/i.test(trimmed)) return readPairs(trimmed);
  throw new BadConnectionString(LOOKS);
}

function readUrl(rest: string): Map<string, string> {
  const [, authority, path, query] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) as unknown as string[];
  const at = (authority as string).lastIndexOf("@");
  // A bare @ after the host: the password contained a / or a ?, and what has been read so far are pieces of it.
  if (path?.includes("@") || (at < 0 && query?.includes("@"))) throw ambiguous();

  const read = new Map<string, string>();
  const set = (name: string, value: string | undefined) => value && read.set(name, decode(value));
  if (at >= 0) {
    const [user, ...password] = (authority as string).slice(0, at).split(":");
    set("user", user);
    set("password", password.join(":"));
  }
  const servers = (authority as string).slice(at + 1);
  if (servers !== "") {
    const all = servers.split(",").map(readServer);
    read.set("host", all.map(({ host }) => host).join());
    read.set("port", all.map(({ port }) => port).join());
  }
  set("dbname", path);
  for (const pair of query?.split("&").filter(Boolean) ?? []) {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined || value === undefined || !/^[\w.]+$/.test(name)) throw ambiguous();
    // Tools other than libpq write a blank as +.
    read.set(name, decode(name === "options" ? value.replaceAll("+", " ") : value));
  }
  return read;
}

function readServer(text: string): { host: string; port: string } {
  const [, address, name, port = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(text) ?? [];
  const host = decode(address ?? name ?? "");
  // (A comma would separate hosts, where they form one list.)
  if (/[\s,@#?]/.test(host) || (address === undefined && name === undefined)) {
    throw new BadConnectionString(
      `must have a host, or several, each with a number as its port at most (an IPv6 address in brackets); ${ENCODE}`,
    );
  }
  return { host, port };
}

/** `name = value` or `name = 'value'`, in which \ escapes the next character. */
function readPairs(text: string): Map<string, string> {
  const read = new Map<string, string>();
  const pair = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/sy;
  for (let at = 0; at < text.length; at = pair.lastIndex) {
    pair.lastIndex = at;
    const [, name, quoted, plain] = pair.exec(text) ?? [];
    if (name === undefined) {
      throw new BadConnectionString(`${LOOKS}, or like host=… dbname=…, with a value of several words in '…'`);
    }
    read.set(name, (quoted ?? plain ?? "").replace(/\\(.)/gs, "$1"));
  }
  return read;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw ambiguous();
  }
}

const ambiguous = () => new BadConnectionString(`must be readable in one way only: ${ENCODE}`);
