// Somebody who knows users, for a test: OpenID Connect as far as the pages use it. Whoever comes is logged in as the user that the test
// names, without a question.
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";

const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

export class Provider {
  /** What is issued, and what was asked. */
  user = "anna";
  scopes = "rabbitmq.tag:administrator rabbitmq.read:*/* rabbitmq.write:*/* rabbitmq.configure:*/*";
  audience = "rabbitmq";
  lifeSeconds = 600;
  asked = [];
  ended = [];
  #codes = new Map();
  #refreshTokens = new Set();

  static async start() {
    const provider = new Provider();
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    provider.key = privateKey;
    provider.jwks = { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "RS256", use: "sig" }] };
    provider.server = createServer((request, response) => void provider.#answer(request, response));
    await new Promise((done) => provider.server.listen(0, "127.0.0.1", done));
    provider.url = `http://127.0.0.1:${provider.server.address().port}`;
    return provider;
  }

  async end() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  #token(claims) {
    const now = Math.floor(Date.now() / 1000);
    const text = `${base64({ alg: "RS256", kid: "k1", typ: "JWT" })}.${base64({ iss: this.url, sub: this.user, iat: now, exp: now + this.lifeSeconds, ...claims })}`;
    return `${text}.${sign("sha256", Buffer.from(text), this.key).toString("base64url")}`;
  }

  #tokens(nonce, clientId) {
    const refresh_token = randomUUID();
    this.#refreshTokens.add(refresh_token);
    return {
      access_token: this.#token({ aud: this.audience, scope: this.scopes, jti: randomUUID() }),
      ...(nonce && { id_token: this.#token({ aud: clientId, nonce: this.wrongNonce ? "another" : nonce }) }),
      refresh_token,
      token_type: "Bearer",
      expires_in: this.lifeSeconds,
    };
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url);
    const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };
    const json = (status, body) => (response.writeHead(status, { ...headers, "content-type": "application/json" }), response.end(JSON.stringify(body)));
    const redirect = (to) => (response.writeHead(302, { location: to }), response.end());
    const form = new URLSearchParams(request.method === "POST" ? (await request.toArray()).join("") : "");
    this.asked.push(url.pathname === "/token" ? `${url.pathname} ${form.get("grant_type")}` : url.pathname);
    if (request.method === "OPTIONS") return response.writeHead(204, headers).end();
    const at = (path) => this.url + path;
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return json(200, { issuer: this.url, authorization_endpoint: at("/authorize"), token_endpoint: at("/token"), jwks_uri: at("/keys"), end_session_endpoint: at("/logout") });
      case "/keys":
        return json(200, this.jwks);
      case "/authorize": {
        this.wanted = Object.fromEntries(url.searchParams);
        const back = new URL(this.wanted.redirect_uri);
        back.searchParams.set("state", this.wrongState ? "another" : this.wanted.state);
        if (this.refusal) {
          back.searchParams.set("error", "access_denied");
          back.searchParams.set("error_description", this.refusal);
        } else {
          const code = randomUUID();
          this.#codes.set(code, this.wanted);
          back.searchParams.set("code", code);
        }
        return redirect(back.href);
      }
      case "/token": {
        if (form.get("grant_type") === "refresh_token") {
          return this.#refreshTokens.delete(form.get("refresh_token")) ? json(200, this.#tokens()) : json(400, { error: "invalid_grant" });
        }
        const wanted = this.#codes.get(form.get("code"));
        this.#codes.delete(form.get("code"));
        const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
        const isRight = wanted && wanted.code_challenge === challenge && wanted.client_id === form.get("client_id") && wanted.redirect_uri === form.get("redirect_uri");
        return isRight ? json(200, this.#tokens(wanted.nonce, wanted.client_id)) : json(400, { error: "invalid_grant" });
      }
      case "/logout":
        this.ended.push(Object.fromEntries(url.searchParams));
        return redirect(url.searchParams.get("post_logout_redirect_uri"));
      default:
        response.writeHead(200, { "content-type": "text/html" });
        return response.end("<h1>The provider</h1>");
    }
  }
}
