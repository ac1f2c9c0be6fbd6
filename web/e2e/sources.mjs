// While one works on the pages: has a browser take them from web/build instead of the binary, under the same policy.
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

export async function serveBuild(context, url) {
  const build = resolve(import.meta.dirname, "../build");
  await context.route((address) => address.href.startsWith(url) && !address.pathname.startsWith("/api/"), async (route) => {
    const path = new URL(route.request().url()).pathname;
    // A provider that knows users sends a browser back to the second one.
    const file = join(build, ["/", "/js/oidc-oauth/login-callback.html"].includes(path) ? "index.html" : path);
    if (!existsSync(file) || !statSync(file).isFile()) return route.continue();
    const answer = await route.fetch({ url: `${url}/`, maxRedirects: 0 }).catch(() => undefined);
    await route.fulfill({
      body: readFileSync(file),
      contentType: TYPES[extname(file)],
      headers: { "content-security-policy": answer?.headers()["content-security-policy"] ?? "" },
    });
  });
}
