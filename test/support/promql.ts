/** What a PromQL expression asks for: the names of its series, and the labels that it knows of them. */
export interface Selector {
  name: string;
  matchers: Array<{ label: string; operator: string; value: string }>;
  /** Labels that the result is grouped by, anywhere in the expression. */
  groupedBy: string[];
}

const WORDS = new Set(["and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool", "group_left"]);
const GROUPING = /\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g;

/** Throws where something is left that it does not understand, so that nothing is overlooked. */
export function selectorsOf(expression: string): Selector[] {
  const groupedBy = [...expression.matchAll(GROUPING)].flatMap(([, labels]) =>
    (labels ?? "").split(",").map((label) => label.trim()),
  );
  const rest = expression.replace(GROUPING, " ").replace(/\[[^[\]]*\]/g, " ");
  const selectors: Selector[] = [];
  const left = rest.replace(
    /([a-zA-Z_:][\w:]*)\s*(\(|\{([^}]*)\})?/g,
    (whole, name: string, after: string | undefined, inside: string | undefined) => {
      if (after === "(") return "(";
      if (WORDS.has(name) || isDuration(rest, whole)) return " ";
      const matchers = [...(inside ?? "").matchAll(/\b(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)];
      selectors.push({
        name,
        groupedBy,
        matchers: matchers.map(([, label = "", operator = "", value = ""]) => ({ label, operator, value })),
      });
      return " ";
    },
  );
  if (!/^[\s\d.()+\-*/<>=!,]*$/.test(left)) throw new Error(`not understood in ${expression}: ${left}`);
  if (selectors.length === 0) throw new Error(`no series in ${expression}`);
  return selectors;
}

/** The letter behind the number in `offset 15m`. */
const isDuration = (text: string, word: string) => /^[smhdwy]$/.test(word.trim()) && text.includes("offset");
