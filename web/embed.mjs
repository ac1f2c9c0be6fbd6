// Writes what Vite has built, compressed, into dist/, with the list that src/http/pages.rs includes.
//
// fflate and not Node's zlib: its output is the same on every machine and with every version of Node, so that CI can compare it.
// A file that is as it was is not written again: the program would be built anew, which takes minutes with all optimisation.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative, sep } from "node:path";
import { gzipSync } from "fflate";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  // A script for a shell has no extension.
  "": "application/x-sh",
};

const here = import.meta.dirname;
const built = join(here, "build");
const dist = join(here, "dist");

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();

const kept = new Set();

function put(name, content) {
  const target = join(dist, name);
  kept.add(name);
  if (existsSync(target) && readFileSync(target).equals(Buffer.from(content))) return;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}

const rows = filesIn(built).map((name) => {
  const type = TYPES[extname(name)];
  if (!type) throw new Error(`no content type is known for ${name}`);
  const content = readFileSync(join(built, name));
  const packed = gzipSync(content, { level: 9, mtime: 0 });
  put(`${name}.gz`, packed);
  const etag = createHash("sha256").update(content).digest("hex").slice(0, 16);
  console.log(`${name}: ${content.length} bytes, ${packed.length} compressed`);
  return `    File { path: "/${name}", content_type: "${type}", etag: "\\"${etag}\\"", gzip: include_bytes!("${name}.gz") },`;
});
put("files.rs", `// Made by web/embed.mjs.\n&[\n${rows.join("\n")}\n]\n`);
for (const name of filesIn(dist).filter((name) => !kept.has(name))) rmSync(join(dist, name));
