// The lines of DESIGN: routes -> verbs -> sql, never back; who may know Hono, the database's driver, another kind.
// A room may have several files of either: routes.ts, event-route.ts; sql.ts, live-sql.ts.
const ROUTES = "[/-]routes?\\.ts$";
const SQL = "[/-]sql\\.ts$";
const DATABASE_KNOWERS = `(^src/database/|^drizzle/|${SQL}|^drizzle\\.config\\.ts$|^test/|^scripts/)`;
const HONO_KNOWERS = `(^src/http/|^src/(app|main)\\.ts$|/kind\\.ts$|${ROUTES}|^test/|^scripts/)`;

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "only-sql-knows-the-database",
      comment: "Only files of SQL, database/ and drizzle/ know drizzle or the driver.",
      severity: "error",
      from: { pathNot: DATABASE_KNOWERS },
      to: { path: "node_modules/(drizzle-orm|postgres)/|^drizzle/" },
    },
    {
      name: "only-routes-know-hono",
      comment: "Only files of routes, the kinds' doors, app.ts, main.ts and http/ know Hono.",
      severity: "error",
      from: { pathNot: HONO_KNOWERS },
      to: { path: "node_modules/(hono|@hono)/" },
    },
    {
      name: "kinds-are-strangers",
      comment: "The kinds of session never import each other; what two need moves to a shared place.",
      severity: "error",
      from: { path: "^src/sessions/([^/]+)/" },
      to: { path: "^src/sessions/([^/]+)/", pathNot: "^src/sessions/$1/" },
    },
    {
      name: "kinds-have-one-door",
      comment:
        "The service knows the kinds of session by the list alone. Operators, commands and clients know theirs, and a key its holder.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(admin|cli|client|sessions/[^/]+)/|^src/(sessions/kinds|keys/sql)\\.ts$" },
      to: { path: "^src/sessions/[^/]+/" },
    },
    {
      name: "verbs-do-not-know-routes",
      comment: "door -> routes -> verbs -> sql, never back. Routes may have others beneath them.",
      severity: "error",
      from: { pathNot: `^src/(app|compose|main)\\.ts$|/kinds?\\.ts$|^src/cli/doctor/|${ROUTES}|^test/` },
      to: { path: `^src/.*(${ROUTES}|/kind\\.ts$)`, pathNot: "^src/sessions/kind\\.ts$" },
    },
    {
      name: "routes-know-no-sql",
      comment: "routes -> verbs -> sql: a route calls a verb, and an index.ts hands out verbs, no statements.",
      severity: "error",
      from: { path: `${ROUTES}|^src/http/|^src/app\\.ts$|^src/keys/index\\.ts$|^src/sessions/[^/]+/index\\.ts$` },
      to: { path: SQL },
    },
    {
      name: "sql-knows-no-verbs",
      severity: "error",
      from: { path: SQL },
      to: { path: "^src/", pathNot: `^src/(database|errors)|^src/audit/operator\\.ts$|[/-]contract\\.ts$|${SQL}` },
    },
    {
      name: "nothing-knows-the-root",
      comment: "The composition root and the command line are on top.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli/|main\\.ts$)" },
      to: { path: "^src/(main\\.ts$|cli/)" },
    },
    {
      name: "the-sdk-stands-alone",
      comment:
        "The client imports only contracts, how texts are cut, and nothing of Node. Its fake server for tests runs on Node.",
      severity: "error",
      from: { path: "^src/client/", pathNot: "^src/client/testing/" },
      to: { pathNot: "^src/client/|[/-]contract\\.ts$|^src/text\\.ts$" },
    },
    {
      name: "the-page-stands-alone",
      comment: "The page runs in browsers: of ours it knows the shapes of the contracts, and whose turn a stream is.",
      severity: "error",
      from: { path: "^src/admin/page/client/" },
      to: {
        pathNot:
          "^src/admin/page/client/|^src/admin/contract\\.ts$|^src/admin/[^/]+/contract\\.ts$|^src/client/stream-turn\\.ts$|node_modules/uplot/",
      },
    },
    {
      name: "the-demo-stands-alone",
      comment: "The waiting room's demo page runs in browsers: it knows the client, and the shapes of the contract.",
      severity: "error",
      from: { path: "^src/sessions/waiting-room/demo/client/" },
      to: { pathNot: "^src/(client|sessions/waiting-room/demo/client)/|^src/sessions/waiting-room/contract\\.ts$" },
    },
    {
      name: "the-key-page-stands-alone",
      comment: "The page for a key's owner runs in browsers: it knows the shapes of the contract.",
      severity: "error",
      from: { path: "^src/sessions/device/key-page/client/" },
      to: { pathNot: "^src/sessions/device/(key-page/client/|contract\\.ts$)" },
    },
    {
      name: "no-dev-dependency-in-the-product",
      severity: "error",
      from: { path: "^(src|drizzle)/", pathNot: "^src/admin/page/client/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] },
    },
    { name: "not-to-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    { name: "not-to-test", severity: "error", from: { path: "^src/" }, to: { path: "^(test|scripts)/" } },
  ],
  options: {
    parser: "swc", // typescript 7 has no API that dependency-cruiser could call
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json"],
    },
  },
};
