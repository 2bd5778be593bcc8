// The lines of DESIGN: routes -> verbs -> sql, never back; who may know Hono, the database's driver, another kind.
const DATABASE_KNOWERS = "(^src/database/|^drizzle/|/sql\\.ts$|^drizzle\\.config\\.ts$|^test/|^scripts/)";
const HONO_KNOWERS = "(^src/http/|^src/admin/|^src/app\\.ts$|^src/main\\.ts$|/(routes|kind)\\.ts$|^test/|^scripts/)";

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "only-sql-knows-the-database",
      comment: "Only sql.ts files, database/ and drizzle/ know drizzle or the driver.",
      severity: "error",
      from: { pathNot: DATABASE_KNOWERS },
      to: { path: "node_modules/(drizzle-orm|postgres)/|^drizzle/" },
    },
    {
      name: "only-routes-know-hono",
      comment: "Only routes.ts, the kinds' doors, app.ts, main.ts, http/ and admin/ know Hono.",
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
      comment: "The service knows the kinds of session by the list alone. Operators, commands and clients know theirs.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(admin|cli|client|sessions/[^/]+)/|^src/sessions/kinds\\.ts$" },
      to: { path: "^src/sessions/[^/]+/" },
    },
    {
      name: "verbs-do-not-know-routes",
      comment: "door -> routes -> verbs -> sql, never back.",
      severity: "error",
      from: { pathNot: "^src/(app|compose|main)\\.ts$|/kinds?\\.ts$|^src/cli/doctor/|^test/" },
      to: { path: "^src/.*/(routes|kind)\\.ts$", pathNot: "^src/sessions/kind\\.ts$" },
    },
    {
      name: "sql-knows-no-verbs",
      severity: "error",
      from: { path: "/sql\\.ts$" },
      to: { path: "^src/", pathNot: "^src/(database|errors)|/contract\\.ts$" },
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
      to: { pathNot: "^src/client/|/contract\\.ts$|^src/text\\.ts$" },
    },
    {
      name: "the-page-stands-alone",
      comment: "The page runs in browsers: of ours it knows the shapes of the contracts, and whose turn a stream is.",
      severity: "error",
      from: { path: "^src/admin/page/client/" },
      to: {
        pathNot:
          "^src/admin/(page/client/|waiting-room/contract\\.ts$|contract\\.ts$)|^src/client/stream-turn\\.ts$|node_modules/uplot/",
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
