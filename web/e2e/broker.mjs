// A broker of its own for a test: the real binary, in memory of nobody else, and what a test wants to ask it.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const binary = process.env.LEVERET_BINARY ?? join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug/leveret");
/** Nothing takes so long but on a machine that does much else: what holds is not waited for. */
export const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 60_000);

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits until something holds. */
export async function eventually(what, holds, patienceMs = PATIENCE_MS) {
  const until = Date.now() + patienceMs;
  for (;;) {
    const answer = await holds();
    if (answer) return answer;
    if (Date.now() > until) throw new Error(`never: ${what}`);
    await pause(50);
  }
}

export class Broker {
  /** With more flags, if there are any. */
  static async start(...more) {
    const broker = new Broker();
    broker.more = more;
    broker.directory = mkdtempSync(join(tmpdir(), "leveret-pages-"));
    await broker.run("127.0.0.1:0", "127.0.0.1:0");
    return broker;
  }

  async run(amqp, http) {
    const ports = join(this.directory, "ports");
    rmSync(ports, { force: true });
    const flags = ["--amqp-listen", amqp, "--http-listen", http, "--ports-file", ports, "--data-dir", join(this.directory, "data"), ...this.more];
    this.errors = "";
    this.process = spawn(binary, flags, { stdio: ["ignore", "ignore", "pipe"] });
    this.process.stderr.on("data", (text) => (this.errors = (this.errors + text).slice(-4000)));
    const text = await eventually("the broker says its ports", () => {
      if (this.process.exitCode !== null) throw new Error(`the broker ended:\n${this.errors}`);
      try {
        const text = readFileSync(ports, "utf8");
        return text.endsWith("\n") && text;
      } catch {
        return undefined;
      }
    });
    ({ amqp: this.amqpPort, http: this.httpPort } = JSON.parse(text));
    this.url = `http://127.0.0.1:${this.httpPort}`;
    this.amqp = `amqp://guest:guest@127.0.0.1:${this.amqpPort}/`;
  }

  async stop() {
    if (this.process.exitCode === null) {
      const ended = new Promise((done) => this.process.once("exit", done));
      this.process.kill("SIGTERM");
      await ended;
    }
  }

  /** Starts again, on the same ports. Others of this machine may have got them meanwhile for a connection of theirs. */
  async startAgain() {
    const { amqpPort, httpPort } = this;
    await eventually("the ports are free again", async () => {
      try {
        await this.run(`127.0.0.1:${amqpPort}`, `127.0.0.1:${httpPort}`);
        return true;
      } catch (error) {
        if (!String(error).includes("Address already in use")) throw error;
        return false;
      }
    });
  }

  async end() {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async api(method, path, body, user = "guest:guest") {
    const response = await fetch(`${this.url}/api${path}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(user).toString("base64")}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  async queue(name, options = {}, vhost = "/") {
    await this.api("PUT", `/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}`, { durable: true, ...options });
  }
}
