/**
 * The Content-Security-Policy of a page of ours: nothing inline, nothing from elsewhere. `loads` are the directives of
 * what it needs beyond scripts and styles. With `trustedTypes` no script of it can turn a text into HTML.
 */
export function pagePolicy(loads: string[], { trustedTypes }: { trustedTypes: boolean }): Record<string, string> {
  const directives = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    ...loads,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  if (trustedTypes) directives.push("require-trusted-types-for 'script'", "trusted-types 'none'");
  return { "Content-Security-Policy": directives.join("; ") };
}
