// Shows the document of this very server, and lets its reader call it. Nothing is asked of any other host.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// Behind a proxy the service may stand below a path; its document names the root.
const base = new URL(".", location.href).pathname.replace(/\/$/, "") || "/";

fetch("openapi.json")
  .then((response) => response.json())
  .then((spec) =>
    globalThis.SwaggerUIBundle({
      spec: { ...spec, servers: [{ ...spec.servers[0], url: base }] },
      dom_id: "#docs",
      deepLinking: true,
      displayRequestDuration: true,
      docExpansion: "list",
      defaultModelsExpandDepth: 0,
      tryItOutEnabled: true,
      persistAuthorization: false,
      validatorUrl: null,
    }),
  )
  .catch((error) => {
    document.querySelector("#docs").textContent = `The document could not be shown: ${error.message}`;
  });
