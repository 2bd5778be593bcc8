/** The whole API described: the parts of the kinds and of the other modules, in reading order. */
import { adminErrors, describeAdmin } from "./admin/description.ts";
import type { ErrorCode } from "./errors.ts";
import { createDocument } from "./http/openapi/document.ts";
import type { ErrorDescription, Part } from "./http/openapi/part.ts";
import type { Json, Version } from "./http/openapi/schemas.ts";
import { serviceErrors, servicePart } from "./http/service-description.ts";
import type { Kind } from "./sessions/kind.ts";
import { KINDS } from "./sessions/kinds.ts";

function describeParts(kinds: readonly Kind[]): Part[] {
  const admin = describeAdmin(kinds.flatMap(({ adminPart }) => adminPart ?? []));
  return [...kinds.map(({ part }) => part), servicePart, admin];
}

export const PARTS = describeParts(KINDS);

type DescribedByKind<K> = K extends { errors: infer Errors } ? keyof Errors : never;
type Described = keyof typeof serviceErrors | keyof typeof adminErrors | DescribedByKind<(typeof KINDS)[number]>;

function describeErrors(kinds: readonly Kind[]): Record<ErrorCode, ErrorDescription> {
  /** Complete by type: a code that nobody describes does not compile. */
  const undescribed: Record<Exclude<ErrorCode, Described>, ErrorDescription> = {};
  return Object.assign(undescribed, serviceErrors, ...kinds.map(({ errors }) => errors), adminErrors);
}

export function describeApi(version: Version, release: string, kinds: readonly Kind[] = KINDS): Json {
  const info = {
    title: "Keybeat",
    version: release,
    summary: "One live device per access key",
    description: DESCRIPTION,
    license: { name: "MIT", identifier: "MIT" },
  };
  const { summary: _new, ...older } = { ...info, license: { name: "MIT", url: "https://opensource.org/license/mit" } };
  return createDocument({
    parts: describeParts(kinds),
    errors: describeErrors(kinds),
    info: version === "3.1" ? info : older,
    version,
  });
}

const DESCRIPTION = `A session service on PostgreSQL: whoever starts last holds the key, and the device before is told at once.

- JSON in, JSON out, UTF-8. Times are RFC 3339 in UTC with milliseconds, from the database's clock. Durations are seconds.
- Unknown fields of a request are ignored, and an optional one that is null counts as absent; a client ignores fields of an answer that it does not know.
- Every error has a sentence for a person (\`error\`), a stable \`code\` to decide by, and the \`request_id\` that the log has too.
- An unknown address is 404 \`not_found\`, another method 405 \`method_not_allowed\` with \`Allow\`. What answers GET answers HEAD.
- 429 and 503 say in \`Retry-After\` how many seconds to wait. Every answer has \`X-Request-Id\`.`;
