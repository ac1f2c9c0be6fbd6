import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import amqp from "amqplib";
import { Broker, eventually } from "./broker.mjs";
import { closeBrowser, logIn, openPage, sees, visit } from "./browser.mjs";

let broker, page;
before(async () => {
  broker = await Broker.start();
  page = await openPage(broker, { acceptDownloads: true });
  await logIn(page, broker);
});
after(async () => {
  await closeBrowser();
  await broker.end();
});

const dialog = () => page.getByRole("dialog");

test("a user is made, given permissions and a limit, and deleted", async () => {
  await visit(page, "#/users");
  await page.getByRole("button", { name: "New user" }).click();
  await dialog().getByLabel("Name").fill("anna");
  await dialog().getByLabel("Password").fill("secret");
  await dialog().getByLabel(/^monitoring/).check();
  await dialog().getByRole("button", { name: "Make user" }).click();
  await page.getByRole("link", { name: "anna" }).click();
  await page.getByText("Give or change permissions").click();
  await page.getByLabel("May configure names like").fill("^anna");
  await page.getByRole("button", { name: "Give" }).click();
  await page.getByRole("cell", { name: "^anna" }).waitFor();
  await page.getByText("Set a limit").click();
  await page.getByLabel("Value").fill("7");
  await page.getByRole("button", { name: "Set limit" }).click();
  await page.getByRole("cell", { name: "7", exact: true }).waitFor();
  const anna = await broker.api("GET", "/whoami", undefined, "anna:secret");
  assert.deepEqual(anna.tags, ["monitoring"]);
  assert.equal((await broker.api("GET", "/permissions/%2F/anna")).configure, "^anna");
  await page.getByRole("button", { name: "Change tags or password" }).click();
  await dialog().getByLabel(/^monitoring/).uncheck();
  await dialog().getByLabel(/^management/).check();
  await dialog().getByRole("button", { name: "Change" }).click();
  await eventually("the password stays, the tags change", async () => (await broker.api("GET", "/whoami", undefined, "anna:secret")).tags[0] === "management");
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog().getByLabel(/Type anna/).fill("anna");
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "User 'anna' is deleted.");
  await assert.rejects(broker.api("GET", "/users/anna"));
});

test("a virtual host is made, protected, and deleted with its name", async () => {
  await visit(page, "#/vhosts");
  await page.getByRole("button", { name: "New virtual host" }).click();
  await dialog().getByLabel("Name").fill("trial");
  await dialog().getByRole("button", { name: "Make virtual host" }).click();
  await page.getByRole("link", { name: "trial" }).click();
  await page.getByRole("button", { name: "Change" }).click();
  await dialog().getByLabel("Description").fill("For trials");
  await dialog().getByRole("button", { name: "Change" }).click();
  await sees(page, "Virtual host 'trial' is changed.");
  assert.equal((await broker.api("GET", "/vhosts/trial")).description, "For trials");
  await page.getByRole("button", { name: "Protect" }).click();
  await dialog().getByRole("button", { name: "Protect" }).click();
  await sees(page, "It is protected from being deleted");
  await page.getByRole("button", { name: "Delete", exact: true }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "End protection" }).click();
  await dialog().getByRole("button", { name: "End it" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await dialog().getByLabel(/Type trial/).fill("trial");
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "Virtual host 'trial' is deleted.");
});

test("an exchange is made, published to, and deleted", async () => {
  await visit(page, "#/exchanges");
  await page.getByRole("button", { name: "New exchange" }).click();
  await dialog().getByLabel("Name").fill("made");
  await dialog().getByLabel("Type").selectOption("topic");
  await dialog().getByRole("button", { name: "Make exchange" }).click();
  await page.getByRole("link", { name: "made" }).click();
  await page.getByRole("button", { name: "Publish" }).click();
  await dialog().getByLabel("Routing key").fill("nobody.listens");
  await dialog().getByRole("button", { name: "Publish" }).click();
  await dialog().getByText("No queue took this message").waitFor();
  await dialog().getByRole("button", { name: "Close" }).last().click();
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "Exchange 'made' is deleted.");
});

test("a policy is made with a look at what it matches, and deleted", async () => {
  await broker.queue("mail.in");
  await visit(page, "#/policies");
  await page.getByRole("button", { name: "New policy", exact: true }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("limit-mail");
  await dialog().getByLabel("Pattern, a regular expression").fill("^mial");
  await dialog().getByText("This matches nothing").waitFor();
  await dialog().getByLabel("Pattern, a regular expression").fill("^mail");
  await dialog().getByText("Matches 1 name now").waitFor();
  await dialog().getByLabel("Add to it").selectOption("At most 10,000 messages");
  // What it would change is the broker's word.
  await dialog().getByRole("row", { name: /queue mail\.in yes max-length: nothing → 10000/ }).waitFor();
  await dialog().getByLabel("Definition, a JSON object").fill('{"max-lenght": 1}');
  await dialog().getByText(/It would be refused: .*max-lenght/).waitFor();
  await dialog().getByLabel("Definition, a JSON object").fill("{");
  await dialog().getByText("The definition is no JSON object yet.").waitFor();
  await dialog().getByLabel("Definition, a JSON object").fill('{"max-length": 10000}');
  await dialog().getByRole("button", { name: "Make policy" }).click();
  await page.getByRole("link", { name: "limit-mail" }).waitFor();
  await eventually("it applies", async () => (await broker.api("GET", "/queues/%2F/mail.in")).policy === "limit-mail");
  await visit(page, "#/queues/%2F/mail.in?tab=arguments");
  await sees(page, "policy 'limit-mail'");
  await visit(page, "#/policies/%2F/limit-mail");
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "The policy is deleted.");
});

test("an operator policy is made, limits what a policy gives, is changed, and deleted", async () => {
  await broker.queue("bounded");
  const effective = async () => (await broker.api("GET", "/queues/%2F/bounded")).effective_policy_definition?.["max-length"];
  await visit(page, "#/policies");
  const section = page.locator("section").filter({ has: page.getByRole("heading", { name: "Operator policies" }) });
  await section.getByRole("button", { name: "New operator policy" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("at-most");
  await dialog().getByLabel("Pattern, a regular expression").fill("^bounded");
  await dialog().getByLabel("Definition, a JSON object").fill('{"max-length": 50}');
  await dialog().getByRole("row", { name: /queue bounded yes max-length: nothing → 50/ }).waitFor();
  await dialog().getByLabel("Applies to", { exact: true }).selectOption("classic_queues");
  await dialog().getByLabel("Priority").fill("3");
  await dialog().getByRole("button", { name: "Make operator policy" }).click();
  const row = section.getByRole("row").filter({ hasText: "at-most" });
  await row.waitFor();
  await eventually("it applies", async () => (await effective()) === 50);
  const made = await broker.api("GET", "/operator-policies/%2F/at-most");
  assert.deepEqual([made.priority, made["apply-to"]], [3, "classic_queues"]);
  // It is no policy of a user.
  assert.deepEqual(await broker.api("GET", "/policies"), []);
  await row.getByRole("button", { name: "Change" }).click();
  await dialog().getByLabel("Definition, a JSON object").fill('{"dead-letter-exchange": "dead"}');
  await dialog().getByText(/It would be refused/).waitFor();
  await dialog().getByLabel("Definition, a JSON object").fill('{"max-length": 20}');
  await dialog().getByRole("row", { name: /queue bounded yes max-length: 50 → 20/ }).waitFor();
  await dialog().getByRole("button", { name: "Change" }).click();
  await eventually("it is changed", async () => (await effective()) === 20);
  await visit(page, "#/queues/%2F/bounded?tab=arguments");
  await sees(page, "operator policy 'at-most'");
  await visit(page, "#/policies");
  await row.getByRole("button", { name: "Delete" }).click();
  await dialog().getByText("What it applies to is at once as if it had never been there").waitFor();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "detached" });
  await eventually("it applies no more", async () => (await effective()) === undefined);
});

test("a parameter of the whole broker is kept and deleted", async () => {
  await visit(page, "#/parameters");
  await page.getByRole("button", { name: "New parameter" }).last().click();
  await dialog().getByLabel("Name").fill("colour");
  await dialog().getByLabel("Value, as JSON").fill('"green');
  await dialog().getByRole("button", { name: "Keep" }).click();
  await dialog().getByRole("alert").waitFor();
  await dialog().getByLabel("Value, as JSON").fill('"green"');
  await dialog().getByRole("button", { name: "Keep" }).click();
  await page.getByRole("cell", { name: "colour" }).waitFor();
  assert.equal((await broker.api("GET", "/global-parameters/colour")).value, "green");
  await page.getByRole("row", { name: /colour/ }).getByRole("button", { name: "Delete" }).click();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await sees(page, "The parameter is deleted.");
});

test("a connection is closed with a reason that its program hears", async () => {
  const connection = await amqp.connect(broker.amqp, { clientProperties: { connection_name: "to be closed" } });
  const heard = new Promise((done) => connection.on("close", done));
  await visit(page, "#/connections");
  await page.getByRole("link", { name: "to be closed" }).click();
  await page.getByRole("button", { name: "Close" }).click();
  await dialog().getByLabel(/Reason/).fill("maintenance at noon");
  await dialog().getByRole("button", { name: "Close connection" }).click();
  assert.match(String(await heard), /maintenance at noon/);
  await sees(page, "The connection is closed.");
});

test("definitions are saved, and imported after a look at what they bring", async () => {
  await broker.queue("there", { arguments: { "x-max-length": 5 } });
  await visit(page, "#/definitions");
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save definitions" }).click();
  assert.match((await saving).suggestedFilename(), /^definitions-\d{4}-\d\d-\d\d\.json$/);
  const file = {
    queues: [
      { name: "there", vhost: "/", durable: true, auto_delete: false, arguments: { "x-max-length": 9 } },
      { name: "brought", vhost: "/", durable: true, auto_delete: false, arguments: {} },
    ],
  };
  await page.getByLabel("File of definitions").setInputFiles({ name: "shop.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(file)) });
  await sees(page, "queue 'there': arguments");
  await assert.rejects(broker.api("GET", "/queues/%2F/brought"), "nothing is done yet");
  await page.getByRole("button", { name: "Import" }).click();
  await sees(page, "'shop.json' is imported.");
  await broker.api("GET", "/queues/%2F/brought");
  await page.getByLabel("File of definitions").setInputFiles({ name: "bad.json", mimeType: "application/json", buffer: Buffer.from("{") });
  await page.getByRole("alert").waitFor();
  assert.deepEqual(page.faults, []);
});
