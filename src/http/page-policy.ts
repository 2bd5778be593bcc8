/**
 * The Content-Security-Policy of our pages: nothing inline, nothing from other hosts. `loads` adds directives for what
 * a page needs beyond scripts and styles. With `trustedTypes` no script can turn text into HTML.
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
