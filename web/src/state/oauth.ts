// Logging in where somebody else knows the users: an authorization code with PKCE, and the tokens that it is changed for. The library
// checks what comes back (state, nonce, issuer, audience). This file is loaded only where somebody logs in so.
import * as oauth from "oauth4webapi";
import type { Credentials } from "../api/client";
import { ROOT } from "../api/root";
import { CALLBACK, type Provider } from "./providers";

const BEGUN = "leveret.begun";
/** A token is made new when so little of its life is left; when half of it is over, if it is short. */
const REST_MS = 60_000;
/** A provider that gave no new token is asked again so much later. */
const RETRY_MS = 10_000;

/** What must be known when the browser comes back. */
interface Begun {
  provider: Provider;
  state: string;
  nonce: string | undefined;
  verifier: string;
  /** Where somebody wanted to go. */
  hash: string;
}

/** A login that goes on: it is kept for the tab. */
export interface TokenLogin {
  provider: Provider;
  accessToken: string;
  refreshToken: string | undefined;
  idToken: string | undefined;
  /** When the access token ends, and from when on a new one is asked for; 0 where nobody says. */
  endsAt: number;
  renewAt: number;
}

/** The provider as it describes itself. Its name may be another one than its address, which is configured: so it is taken from there. */
async function described(provider: Provider): Promise<oauth.AuthorizationServer> {
  const response = await fetch(provider.metadataUrl, { credentials: "omit" });
  const { issuer } = (await response.clone().json()) as { issuer?: string };
  return oauth.processDiscoveryResponse(new URL(issuer ?? provider.url), response);
}

const clientOf = (provider: Provider): oauth.Client => ({ client_id: provider.clientId });
const proofOf = ({ clientSecret }: Provider) => (clientSecret ? oauth.ClientSecretPost(clientSecret) : oauth.None());
const redirectOf = () => location.origin + ROOT + CALLBACK;

/** The administrator chose the address: one without TLS is for trying things out. */
const optionsOf = ({ metadataUrl, tokenParams }: Provider) => ({ additionalParameters: tokenParams, [oauth.allowInsecureRequests]: metadataUrl.startsWith("http:") });

/** Leaves for the provider, who sends the browser back to `CALLBACK`. */
export async function begin(provider: Provider): Promise<void> {
  if (!globalThis.isSecureContext) {
    throw new Error("A browser logs in with tokens only on a page that came over https, or from this machine. Open these pages with https.");
  }
  const server = await described(provider);
  if (!server.authorization_endpoint) throw new Error("The provider does not say where one logs in.");
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  // Only who asks for OpenID Connect is told who somebody is.
  const nonce = provider.scopes.split(" ").includes("openid") ? oauth.generateRandomNonce() : undefined;
  const begun: Begun = { provider, state, nonce, verifier, hash: location.hash };
  sessionStorage.setItem(BEGUN, JSON.stringify(begun));
  const address = new URL(server.authorization_endpoint);
  const parameters = {
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: redirectOf(),
    scope: provider.scopes,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    ...(nonce && { nonce }),
    ...provider.authorizationParams,
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  location.assign(address);
}

/** Ends what `begin` began, with what the provider says in the address; a code is good for one time. */
export async function finish(address: URL): Promise<{ login: TokenLogin; hash: string }> {
  const kept = sessionStorage.getItem(BEGUN);
  sessionStorage.removeItem(BEGUN);
  if (!kept) throw new Error("this login was not begun in this tab.");
  const { provider, state, nonce, verifier, hash } = JSON.parse(kept) as Begun;
  const server = await described(provider);
  const client = clientOf(provider);
  const parameters = oauth.validateAuthResponse(server, client, address, state);
  const response = await oauth.authorizationCodeGrantRequest(server, client, proofOf(provider), parameters, redirectOf(), verifier, optionsOf(provider));
  const answer = await oauth.processAuthorizationCodeResponse(server, client, response, nonce ? { expectedNonce: nonce, requireIdToken: true } : {});
  return { login: loginOf(provider, answer), hash };
}

function loginOf(provider: Provider, answer: oauth.TokenEndpointResponse, before?: TokenLogin): TokenLogin {
  const lifeMs = (answer.expires_in ?? 0) * 1000;
  const endsAt = lifeMs > 0 ? Date.now() + lifeMs : 0;
  return {
    provider,
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? before?.refreshToken,
    idToken: answer.id_token ?? before?.idToken,
    endsAt,
    renewAt: lifeMs > 0 ? endsAt - Math.min(REST_MS, lifeMs / 2) : 0,
  };
}

/** The credentials of a login: the token, made new before it ends. `keep` is told each new one. */
export class TokenCredentials implements Credentials {
  private renewing: Promise<void> | undefined;

  constructor(
    private login: TokenLogin,
    private readonly keep: (login: TokenLogin) => void,
  ) {}

  async header(): Promise<string> {
    const { refreshToken, renewAt } = this.login;
    if (refreshToken && renewAt > 0 && Date.now() >= renewAt) {
      // Once for all who ask meanwhile: a provider may take each refresh token one time only.
      this.renewing ??= this.renew(refreshToken).finally(() => (this.renewing = undefined));
      await this.renewing;
    }
    return `Bearer ${this.login.accessToken}`;
  }

  /** If it fails, the old token goes on: when it has ended, the broker says so. */
  private async renew(refreshToken: string): Promise<void> {
    const { provider } = this.login;
    try {
      const server = await described(provider);
      const client = clientOf(provider);
      const response = await oauth.refreshTokenGrantRequest(server, client, proofOf(provider), refreshToken, optionsOf(provider));
      this.login = loginOf(provider, await oauth.processRefreshTokenResponse(server, client, response), this.login);
      this.keep(this.login);
    } catch (error) {
      console.warn("no new token:", error);
      this.login = { ...this.login, renewAt: Date.now() + RETRY_MS };
    }
  }
}

/** Where the session with the provider is ended; `undefined` if nobody says where. */
export async function endOf({ provider, idToken }: TokenLogin): Promise<string | undefined> {
  const told = provider.endSession ?? (await described(provider).catch(() => undefined))?.end_session_endpoint;
  if (!told) return undefined;
  const address = new URL(told);
  address.searchParams.set("client_id", provider.clientId);
  address.searchParams.set("post_logout_redirect_uri", `${location.origin}${ROOT}/`);
  if (idToken) address.searchParams.set("id_token_hint", idToken);
  return address.href;
}
