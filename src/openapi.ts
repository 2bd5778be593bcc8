/** All that the document is made of: the parts of the rooms, in the order in which a reader meets them. */
import { adminErrors, adminPart } from "../../admin/description.ts";
import type { ErrorCode } from "../../errors.ts";
import { deviceErrors, devicePart } from "../../sessions/device/description.ts";
import { waitingRoomErrors, waitingRoomPart } from "../../sessions/waiting-room/description.ts";
import { serviceErrors, servicePart } from "../description.ts";
import { createDocument } from "./document.ts";
import type { ErrorDescription } from "./part.ts";
import type { Json, Version } from "./schemas.ts";

export const PARTS = [devicePart, waitingRoomPart, servicePart, adminPart];

/** Complete by type: a code that no room describes does not compile. */
const ERRORS: Record<ErrorCode, ErrorDescription> = {
  ...serviceErrors,
  ...deviceErrors,
  ...waitingRoomErrors,
  ...adminErrors,
};

export function describeApi(version: Version, release: string): Json {
  const info = {
    title: "Keybeat",
    version: release,
    summary: "One live device per access key",
    description: DESCRIPTION,
    license: { name: "MIT", identifier: "MIT" },
  };
  const { summary: _new, ...older } = { ...info, license: { name: "MIT", url: "https://opensource.org/license/mit" } };
  return createDocument({ parts: PARTS, errors: ERRORS, info: version === "3.1" ? info : older, version });
}

const DESCRIPTION = `A session service on PostgreSQL: whoever starts last holds the key, and the device before is told at once.

- JSON in, JSON out, UTF-8. Times are RFC 3339 in UTC with milliseconds, from the database's clock. Durations are seconds.
- Unknown fields of a request are ignored, and an optional one that is null counts as absent; a client ignores fields of an answer that it does not know.
- Every error has a sentence for a person (\`error\`), a stable \`code\` to decide by, and the \`request_id\` that the log has too.
- An unknown address is 404 \`not_found\`, another method 405 \`method_not_allowed\` with \`Allow\`. What answers GET answers HEAD.
- 429 and 503 say in \`Retry-After\` how many seconds to wait. Every answer has \`X-Request-Id\`.`;
