// Logging in where somebody else knows the users, against a provider of the test and a broker that is configured by a file.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Broker, eventually } from "./broker.mjs";
import { RULES, closeBrowser, openPage, sees, violations, visit } from "./browser.mjs";
import { Provider } from "./provider.mjs";

const CALLBACK = "/js/oidc-oauth/login-callback.html";

let files, provider, broker;
const brokers = [];

/** A broker with RabbitMQ's keys in a file. */
async function configured(name, lines) {
  const file = join(files, `${name}.conf`);
  writeFileSync(file, ["auth_backends.1 = oauth2", "auth_backends.2 = internal", `auth_oauth2.issuer = ${provider.url}`, "auth_oauth2.https.verify = verify_none", "management.oauth_enabled = true", ...lines, ""].join("\n"));
  const started = await Broker.start("--config", file);
  brokers.push(started);
  return started;
}

before(async () => {
  files = mkdtempSync(join(tmpdir(), "leveret-oauth-"));
  provider = await Provider.start();
  broker = await configured("tokens", ["auth_oauth2.resource_server_id = rabbitmq", "management.oauth_client_id = pages", "management.oauth_scopes = openid rabbitmq.tag:administrator"]);
});
after(async () => {
  await closeBrowser();
  await Promise.all(brokers.map((one) => one.end()));
  await provider.end();
  rmSync(files, { recursive: true, force: true });
});

const open = (where = broker, options = {}) => openPage(where, { others: [provider.url], ...options });

/** Logs in as the provider's user. */
async function logIn(page, hash = "#/") {
  await page.goto(`${broker.url}/${hash}`);
  await page.getByRole("button", { name: /^Log in with 127\.0\.0\.1/ }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

test("one logs in with a code and a proof, where one wanted to go, and stays it", async () => {
  const page = await open();
  const tokens = [];
  page.on("request", (request) => request.url().includes("/api/whoami") && tokens.push(request.headers().authorization));
  await logIn(page, "#/queues");
  await page.getByRole("heading", { level: 1, name: "Queues" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/", "the code is no part of the address any more");
  assert.equal(new URL(page.url()).search, "");
  await page.locator(".who").getByText("anna").waitFor();
  const { response_type, code_challenge_method, redirect_uri, scope, client_id } = provider.wanted;
  const expected = { response_type: "code", code_challenge_method: "S256", redirect_uri: broker.url + CALLBACK, scope: "openid rabbitmq.tag:administrator", client_id: "pages" };
  assert.deepEqual({ response_type, code_challenge_method, redirect_uri, scope, client_id }, expected);
  assert.match(tokens[0], /^Bearer ey/);
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Queues" }).waitFor();
  assert.deepEqual(page.faults, []);
});

test("where passwords are not taken, none is asked for, and the broker takes none", async () => {
  const page = await open(broker, { reducedMotion: "reduce" });
  const response = await page.goto(broker.url);
  await page.getByRole("button", { name: /^Log in with/ }).waitFor();
  assert.equal(await page.getByLabel("Password").count(), 0);
  await sees(page, "This broker takes no passwords here.");
  const connect = /connect-src ([^;]*)/.exec(response.headers()["content-security-policy"])[1];
  assert.equal(connect, `'self' ${provider.url}`);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
    assert.deepEqual(await violations(page, ...RULES[colorScheme]), []);
  }
  await assert.rejects(broker.api("GET", "/overview"), /401 .*HTTP access denied: basic auth disabled/);
});

test("a token is made new before it ends", async () => {
  const page = await open();
  await page.clock.install();
  await logIn(page, "#/queues");
  await sees(page, "There is no queue yet.");
  const before = await page.evaluate(() => sessionStorage.getItem("leveret.tokens"));
  const askedBefore = provider.asked.filter((path) => path === "/token refresh_token").length;
  // Not half a minute of its ten is left; the broker, which has another clock, would still take the old one.
  await page.clock.fastForward("09:40");
  await eventually("the tab keeps the new token", () => page.evaluate((before) => sessionStorage.getItem("leveret.tokens") !== before, before));
  assert.equal(provider.asked.filter((path) => path === "/token refresh_token").length, askedBefore + 1, "once, however many ask at a time");
  const token = JSON.parse(await page.evaluate(() => sessionStorage.getItem("leveret.tokens"))).accessToken;
  await page.waitForRequest((request) => request.headers().authorization === `Bearer ${token}`);
  assert.deepEqual(page.faults, []);
});

test("who logs out is logged out at the provider, too", async () => {
  const page = await open();
  await logIn(page);
  provider.ended = [];
  await page.getByRole("button", { name: "Log out" }).click();
  await eventually("the session is ended", () => provider.ended.length === 1);
  await page.getByRole("button", { name: /^Log in with/ }).waitFor();
  assert.equal(provider.ended[0].post_logout_redirect_uri, `${broker.url}/`);
  assert.match(provider.ended[0].id_token_hint, /^ey/);
  await page.reload();
  await page.getByRole("button", { name: /^Log in with/ }).waitFor();
});

test("below a path the provider sends the browser back to there", async () => {
  const below = await configured("below", ["management.path_prefix = /mq", "auth_oauth2.resource_server_id = rabbitmq", "management.oauth_client_id = pages", "management.oauth_scopes = openid rabbitmq.tag:administrator"]);
  below.url += "/mq";
  const page = await open(below);
  await page.goto(`${below.url}/#/queues`);
  await page.getByRole("button", { name: /^Log in with/ }).click();
  await page.getByRole("heading", { level: 1, name: "Queues" }).waitFor();
  assert.equal(provider.wanted.redirect_uri, below.url + CALLBACK);
  assert.equal(page.url(), `${below.url}/#/queues`);
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Queues" }).waitFor();
  assert.deepEqual(page.faults, []);
});

test("what comes back and is not right lets nobody in", async () => {
  for (const [fault, text] of [
    [{ wrongState: true }, /The provider did not log you in: .*state/],
    [{ wrongNonce: true }, /The provider did not log you in: .*nonce/],
    [{ refusal: "anna has left" }, /The provider did not log you in: .*anna has left/],
    [{ audience: "another" }, /The provider knows you, but the broker does not accept its token/],
    [{ scopes: "rabbitmq.read:*/*" }, /the broker does not accept its token: Not management user/],
  ]) {
    const page = await open();
    const right = Object.fromEntries(Object.keys(fault).map((key) => [key, provider[key]]));
    Object.assign(provider, fault);
    try {
      await page.goto(broker.url);
      await page.getByRole("button", { name: /^Log in with/ }).click();
      await sees(page, text);
    } finally {
      Object.assign(provider, right);
    }
    await page.getByRole("button", { name: /^Log in with/ }).waitFor();
    await page.context().close();
  }
  // An address that somebody else has made.
  const page = await open();
  await page.goto(`${broker.url}${CALLBACK}?code=1&state=2`);
  await sees(page, "this login was not begun in this tab");
});

test("several providers have a button each, or an address, and passwords are taken where they may be", async () => {
  const several = await configured("several", [
    "auth_oauth2.resource_servers.1.id = prod",
    "auth_oauth2.resource_servers.2.id = rabbitmq",
    "management.oauth_disable_basic_auth = false",
    "management.oauth_client_id = pages",
    "management.oauth_resource_servers.1.id = prod",
    "management.oauth_resource_servers.1.label = Production",
    "management.oauth_resource_servers.1.oauth_initiated_logon_type = idp_initiated",
    `management.oauth_resource_servers.1.oauth_provider_url = ${provider.url}/start`,
  ]);
  const page = await open(several);
  await page.goto(several.url);
  assert.equal(await page.getByRole("link", { name: "Log in at Production" }).getAttribute("href"), `${provider.url}/start`);
  await page.getByRole("button", { name: /^Log in with rabbitmq/ }).waitFor();
  await page.getByLabel("Name").fill("guest");
  await page.getByLabel("Password").fill("guest");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
  await visit(page, "#/logout");
  await page.getByRole("button", { name: /^Log in with rabbitmq/ }).click();
  await page.locator(".who").getByText("anna").waitFor();
  assert.deepEqual(page.faults, []);
});

test("a provider that does not answer is told, and the page goes on", async () => {
  const lost = await configured("lost", ["auth_oauth2.resource_server_id = rabbitmq", "management.oauth_client_id = pages", "management.oauth_provider_url = http://127.0.0.1:9", "management.oauth_metadata_url = http://127.0.0.1:9/x"]);
  const page = await openPage(lost, { others: ["http://127.0.0.1:9"] });
  await page.goto(lost.url);
  await page.getByRole("button", { name: /^Log in with/ }).click();
  await page.getByRole("alert").getByText("does not answer").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Log in with/ }).isEnabled(), true);
});
