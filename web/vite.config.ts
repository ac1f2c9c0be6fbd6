import { defineConfig } from "vite";

// `npm run dev` serves the sources and asks this broker.
const broker = process.env["LEVERET_HTTP"] ?? "http://127.0.0.1:15672";

export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: "build",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Pictures stay files: the policy of the pages allows no other source, and a diff shows what changed.
    assetsInlineLimit: 0,
    // The names of the chunks are part of what is committed: a hash of the content, and nothing of the machine.
    rollupOptions: { output: { entryFileNames: "assets/index-[hash].js" } },
  },
  server: { proxy: { "/api": broker } },
  preview: { proxy: { "/api": broker } },
});
