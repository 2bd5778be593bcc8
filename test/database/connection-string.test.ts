/** Connection strings as people write them and providers hand them out: each is read by its meaning, or refused by name. */
import { describe, expect, it } from "vitest";
import { BadConnectionString } from "../../src/database/connection-string.ts";
import { nameDestination, readDestination } from "../../src/database/destination.ts";

const where = (text: string) => {
  const { servers, user, password, database } = readDestination(text);
  return [servers.map(({ host, port }) => `${host} ${port}`).join(), user, password, database];
};

function refusal(text: string): string {
  try {
    readDestination(text);
  } catch (error) {
    expect(error).toBeInstanceOf(BadConnectionString);
    return (error as Error).message;
  }
  throw new Error(`${text} was taken`);
}

describe("where it leads", () => {
  it.each([
    ["postgres://u:p@h:6543/d", ["h 6543", "u", "p", "d"]],
    ["postgresql://u:p@h/d", ["h 5432", "u", "p", "d"]],
    ["POSTGRES://u@h/", ["h 5432", "u", "", "u"]],
    [" postgres://u@h/d\n", ["h 5432", "u", "", "d"]],
    ["postgres://u:p@[::1]:6543/d", ["::1 6543", "u", "p", "d"]],
    ["postgres://u@[2001:db8::1]/d", ["2001:db8::1 5432", "u", "", "d"]],
    ["postgres://u:p@a:1,b:2,[::1]:3/d", ["a 1,b 2,::1 3", "u", "p", "d"]],
    ["postgres://u@a,b/d", ["a 5432,b 5432", "u", "", "d"]],
    ["postgres://u@/d?host=/var/run/postgresql", ["/var/run/postgresql 5432", "u", "", "d"]],
    ["postgres:///d?host=/tmp&user=u&port=6543", ["/tmp 6543", "u", "", "d"]],
    ["postgres://u@%2Fvar%2Frun%2Fpostgresql:6543/d", ["/var/run/postgresql 6543", "u", "", "d"]],
    ["postgres://u@h?dbname=d", ["h 5432", "u", "", "d"]],
    ["postgres://h/d?user=u&password=p%26q", ["h 5432", "u", "p&q", "d"]],
    ["postgres://u%40tenant:p@h/d%20e", ["h 5432", "u@tenant", "p", "d e"]],
    ["host=h port=6543 user=u password=p dbname=d", ["h 6543", "u", "p", "d"]],
    ["host=a,b port=1,2 user=u dbname=d", ["a 1,b 2", "u", "", "d"]],
    ["host=/tmp user = u password='a b\\'c' dbname=d", ["/tmp 5432", "u", "a b'c", "d"]],
    ["hostaddr=127.0.0.1 host=db user=u password=a\\ b dbname=d", ["db 5432", "u", "a b", "d"]],
  ])("%s", (text, expected) => {
    expect(where(text)).toEqual(expected);
  });
});

describe("a password with characters of the URL's own is read whole or refused, and shown in no case", () => {
  it.each([
    ["postgres://u:p@ssw0rd@h:1/d", "p@ssw0rd"],
    ["postgres://u:@@h:1/d", "@"],
    ["postgres://u:a:b@h:1/d", "a:b"],
    ["postgres://u:a#b@h:1/d", "a#b"],
    ["postgres://u:a%2Fb%3Fc%25@h:1/d", "a/b?c%"],
    ["postgres://u:a b+c@h:1/d", "a b+c"],
    ["postgres://u:pä$$&=;,'\"@h:1/d", "pä$$&=;,'\""],
    ["host=h port=1 user=u dbname=d password='p@ss/w#o?r%d'", "p@ss/w#o?r%d"],
  ])("read: %s", (text, password) => {
    expect(readDestination(text).password).toBe(password);
    expect(nameDestination(text)).toBe("h:1/d");
  });

  it.each([
    "postgres://u:hunter/2@h:1/d",
    "postgres://u:12/hunter@h:1/d",
    "postgres://u:/hunter@h/d",
    "postgres://u:12/hunter?x=2@h/d",
    "postgres://u:hunter?2@h:1/d",
    "postgres://u:12?hunter=2@h/d",
    "postgres://u:hun@ter/2@h/d",
    "postgres://u:hunter#2/3@h/d",
    "postgres://u:hunter%@h/d",
    "postgres://u:hunter%zz@h/d",
    "postgres://u:[hunter/]@h/d",
    "host=h password=hunter 2 dbname=d",
    "host=h password='hunter",
  ])("refused: %s", (text) => {
    expect(refusal(text)).toMatch(/^must /);
    expect(refusal(text)).not.toMatch(/hun|2@|12/);
  });
});

describe("what is none is refused", () => {
  it.each([
    ...["localhost:5432", "mysql://u@h/d", "jdbc:postgresql://h/d", "", "x"].map((text) => [
      text,
      /look like postgres:/,
    ]),
    ...["postgres://", "postgres:///d", "dbname=d", "postgres://u@/d", "postgres://u@,h/d"].map((text) => [
      text,
      /host/,
    ]),
    ["postgres://u@h:port/d", /number as its port/],
    ["postgres://u@h:0/d", /between 1 and 65535/],
    ["postgres://u@h:65536/d", /between 1 and 65535/],
    ["postgres://u@::1/d", /brackets/],
    ["postgres://u@h/d?connect_timeout=soon", /connect_timeout/],
    ["postgres://u@h/d?sslmode=verify_full", /sslmode/],
    ["postgres://u@h/d?sslmode=VERIFY-FULL", /sslmode/],
    ["postgres://u@h/d?ssl=maybe", /sslmode/],
    ["postgres://u@h/d?sslMode=verify-full", /sslMode/],
    ["postgres://u@h/d?ssl_mode=require", /ssl_mode/],
    ["postgres://u@h/d?tls=true", /tls/],
    ["postgres://u@h/d?sslmode=disable&channel_binding=require", /channel_binding/],
    ["postgres://u@h/d?sslmode=require&sslcert=/c", /sslcert and sslkey/],
    ["postgres://u@h/d?sslmode=require&sslrootcert=system", /verify-full/],
    ["postgres://u@h/d?sslmode=require&sslaccept=perhaps", /sslaccept/],
    ["postgres://u@h/d?sslmode=require&ssl_min_protocol_version=TLSv9", /ssl_min_protocol_version/],
    // What the driver cannot do, and would be less safe without.
    ...[
      "require_auth=scram-sha-256",
      "requirepeer=postgres",
      "gssencmode=require",
      "sslcrldir=/x",
      "sslidentity=/x.p12",
    ]
      .concat(["sslcertmode=require", "passfile=/x", "service=x", "target_session_attrs=standby"])
      .map((pair) => [`postgres://u@h/d?${pair}`, new RegExp(`must not have ${pair.split("=")[0]}:`)]),
  ] as Array<[string, RegExp]>)("%s", (text, why) => {
    expect(refusal(text)).toMatch(why);
  });
});

describe("how safely", () => {
  const tls = (query: string, host = "h") => readDestination(`postgres://u:p@${host}/d?${query}`).tls;
  it.each([
    ["", "off"],
    ["sslmode=disable", "off"],
    ["ssl=false", "off"],
    ["sslmode=allow", "offered"],
    ["sslmode=prefer", "offered"],
    ["sslmode=require", "unverified"],
    ["requiressl=1", "unverified"],
    ["channel_binding=require", "unverified"],
    ["sslmode=prefer&channel_binding=require", "unverified"],
    ["sslmode=no-verify", "unverified"],
    ["ssl=require", "unverified"],
    ["sslmode=require&sslrootcert=/ca", "chain"],
    ["sslmode=prefer&sslrootcert=/ca", "chain"],
    ["sslrootcert=/ca", "chain"],
    ["sslmode=require&sslcrl=/crl", "chain"],
    ["sslcert=/c&sslkey=/k", "unverified"],
    ["sslnegotiation=direct", "unverified"],
    ["sslmode=verify-ca&sslrootcert=/ca", "chain"],
    ["sslmode=verify-full", "name"],
    ["sslmode=verify-full&sslrootcert=/ca", "name"],
    ["sslrootcert=system", "name"],
    ["ssl=true", "name"],
    ["sslmode=require&sslaccept=strict", "name"],
    ["sslmode=require&sslaccept=accept_invalid_certs", "unverified"],
  ])("?%s: %s", (query, check) => {
    expect(tls(query).check).toBe(check);
  });

  it("not at all on a socket, where nobody can listen in", () => {
    expect(tls("sslmode=verify-full", "%2Ftmp").check).toBe("off");
  });

  it("a client's certificate is not shown where sslcertmode says so", () => {
    expect(tls("sslmode=require&sslcert=/c&sslkey=/k&sslcertmode=disable")).toMatchObject({ cert: undefined });
  });
});

describe("what providers and other drivers add", () => {
  const read = (query: string) => readDestination(`postgres://u:p@h/d?${query}`);

  it("Neon: channel_binding is noted as not enforced, unless the certificate makes sure of the server", () => {
    const neon = "postgresql://u:npg_x@ep-x-pooler.eu.aws.neon.tech/neondb?sslmode=require&channel_binding=require";
    expect(readDestination(neon).notes).toEqual([expect.stringContaining("channel_binding=require is not enforced")]);
    expect(read("sslmode=verify-full&channel_binding=require").notes).toEqual([]);
    expect(read("sslmode=require&channel_binding=prefer").notes).toEqual([]);
    expect(read("options=endpoint%3Dep-x").settings).toEqual({ options: "endpoint=ep-x" });
  });

  it("Prisma and Supabase: a pooler loses prepared statements, a schema is a search_path", () => {
    const { prepare, settings, notes } = read("pgbouncer=true&connection_limit=1&pool_timeout=10&schema=key%22beat");
    expect({ prepare, settings }).toEqual({ prepare: false, settings: { search_path: '"key""beat"' } });
    expect(notes).toEqual(["DATABASE_URL: connection_limit, pool_timeout has no meaning here and is left out"]);
  });

  it.each(["prepare=false", "pool_mode=transaction", "statement_cache_size=0", "prepared_statements=false"])(
    "%s: nothing is prepared",
    (pair) => {
      expect(read(pair)).toMatchObject({ prepare: false, notes: [] });
    },
  );

  it("libpq's and JDBC's own", () => {
    expect(read("options=-c%20search_path%3Dkeybeat").settings).toEqual({ options: "-c search_path=keybeat" });
    expect(read("currentSchema=keybeat").settings).toEqual({ search_path: '"keybeat"' });
    expect(read("connect_timeout=5").waitSeconds).toBe(5);
    expect(read("application_name=shop").applicationName).toBe("shop");
    expect(read("keepalives=0").keepAliveSeconds).toBe(0);
    expect(read("keepalives_idle=7").keepAliveSeconds).toBe(7);
    for (const pair of [
      "gssencmode=disable",
      "target_session_attrs=read-write",
      "uselibpqcompat=true",
      "sslcompression=0",
    ]) {
      expect(read(pair).notes).toEqual([]);
    }
    expect(read("tcp_user_timeout=5").notes).toEqual([expect.stringContaining("tcp_user_timeout")]);
  });

  it("verify-ca without a CA of one's own is noted, as any public certificate passes", () => {
    expect(read("sslmode=verify-ca").notes).toEqual([expect.stringContaining("verify-ca without sslrootcert")]);
  });
});
