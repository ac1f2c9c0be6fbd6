import { defineConfig } from "vite";

// `npm run dev` serves the sources and asks this broker.
const broker = process.env["LEVERET_HTTP"] ?? "http://127.0.0.1:15672";

export default defineConfig({
  // Files name each other by where they are from there: the broker may serve them below a path.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: "build",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Pictures stay files: the policy of the pages allows no other source, and a diff shows what changed.
    assetsInlineLimit: 0,
    rollupOptions: {
      // The management pages, also where a login with a token comes back to; and what RabbitMQ has at /api/index.html and /cli/index.html.
      input: { index: "index.html", callback: "js/oidc-oauth/login-callback.html", api: "api/index.html", cli: "cli/index.html" },
      // The names of the chunks are part of what is committed: a hash of the content, and nothing of the machine.
      output: { entryFileNames: "assets/[name]-[hash].js" },
    },
  },
  server: { proxy: { "^/api/(?!index.html)": broker } },
  preview: { proxy: { "^/api/(?!index.html)": broker } },
});
