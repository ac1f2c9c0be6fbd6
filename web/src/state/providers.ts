/** Where a provider sends the browser back to: the address that is registered there for RabbitMQ's pages. */
export const CALLBACK = "/js/oidc-oauth/login-callback.html";

/** How one logs in, as `GET /api/auth` says it: RabbitMQ's names. */
export interface AuthTold {
  oauth_enabled?: boolean;
  oauth_disable_basic_auth?: boolean;
  oauth_client_id?: string;
  oauth_client_secret?: string;
  oauth_scopes?: string;
  oauth_initiated_logon_type?: string;
  oauth_authorization_endpoint_params?: Record<string, string>;
  oauth_token_endpoint_params?: Record<string, string>;
  oauth_resource_servers?: Record<string, ServerTold>;
}

/** What is told of one resource server goes before what is told of all. */
interface ServerTold extends Omit<AuthTold, "oauth_enabled" | "oauth_disable_basic_auth" | "oauth_resource_servers"> {
  id?: string;
  label?: string;
  oauth_provider_url?: string;
  oauth_metadata_url?: string;
  end_session_endpoint?: string;
}

/** Somebody who knows users, and issues tokens for this broker. */
export interface Provider {
  /** What its button says. */
  title: string;
  url: string;
  metadataUrl: string;
  endSession: string | undefined;
  /** Whether one begins there, and not here. */
  beginsThere: boolean;
  clientId: string;
  clientSecret: string | undefined;
  scopes: string;
  authorizationParams: Record<string, string>;
  tokenParams: Record<string, string>;
}

export interface LoginWays {
  providers: Provider[];
  /** Whether a name with a password is taken. */
  hasPassword: boolean;
}

const WELL_KNOWN = ".well-known/openid-configuration";

/** Reads what the broker tells. Only addresses of the web are followed. */
export function waysOf(told: AuthTold): LoginWays {
  if (!told.oauth_enabled) return { providers: [], hasPassword: true };
  const servers = Object.entries(told.oauth_resource_servers ?? {}).filter(([, server]) => hostOf(server.oauth_provider_url));
  const providers = servers.map(([id, own]): Provider => {
    const { oauth_provider_url: url = "", ...server } = { ...told, ...own };
    const host = hostOf(url);
    return {
      title: own.label || (servers.length === 1 ? host : `${own.id ?? id} (${host})`),
      url,
      metadataUrl: own.oauth_metadata_url ?? `${url.replace(/\/$/, "")}/${WELL_KNOWN}`,
      endSession: own.end_session_endpoint,
      beginsThere: server.oauth_initiated_logon_type === "idp_initiated",
      clientId: server.oauth_client_id ?? "",
      clientSecret: server.oauth_client_secret,
      scopes: server.oauth_scopes || "openid profile",
      authorizationParams: server.oauth_authorization_endpoint_params ?? {},
      tokenParams: server.oauth_token_endpoint_params ?? {},
    };
  });
  return { providers, hasPassword: told.oauth_disable_basic_auth === false };
}

function hostOf(url: string | undefined): string {
  try {
    const { protocol, host } = new URL(url ?? "");
    return /^https?:$/.test(protocol) ? host : "";
  } catch {
    return "";
  }
}
