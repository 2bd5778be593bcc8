/** The headers that callers may rely on. */
import type { HeaderName } from "./part.ts";

const text = (description: string, example: string) => ({
  description,
  required: true,
  schema: { type: "string" },
  example,
});

export const HEADERS: Record<HeaderName | "X-Request-Id", object> = {
  "X-Request-Id": text(
    "Names this request in the log: the caller's own name for it, or one made up.",
    "5b1f0c7e-3a52-4a4e-9c1d-0f6d2f6f8a11",
  ),
  Allow: text("The methods that this address takes.", "POST"),
  "Cache-Control": text("Whether it may be kept.", "no-store"),
  "Content-Security-Policy": text("What the page may load: nothing from any other host.", "default-src 'none'"),
  ETag: text(
    "Names this version; sent back as If-None-Match it spares the body, as If-Match it says what is to be changed.",
    '"q1bXzV9gkL0-br"',
  ),
  "Keybeat-Signature": {
    description:
      "To a request with `Keybeat-Nonce`, where the service has a key that the client trusts: `v1;<key id>;<time, ms>;<signature>;<place>/<size>;<path>`.",
    required: false,
    schema: { type: "string" },
    example: `v1;0123456789abcdef;1764000000000;${"A".repeat(86)};0/1;`,
  },
  Location: text("Where it is.", "/admin"),
  "Retry-After": {
    description:
      "Whole seconds to wait before asking again; of a 503 jittered, so that callers do not come back together.",
    required: true,
    schema: { type: "integer", minimum: 1, maximum: 3600 },
    example: 2,
  },
  "Set-Cookie": text("The cookie of the operator's page.", "keybeat_admin=…; Path=/; HttpOnly; SameSite=Strict"),
  "WWW-Authenticate": text("How to say who you are.", 'Bearer realm="keybeat admin"'),
};
