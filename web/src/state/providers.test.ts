import { expect, test } from "vitest";
import { waysOf } from "./providers";

test("without OAuth there is the password alone", () => {
  expect(waysOf({ oauth_enabled: false })).toEqual({ providers: [], hasPassword: true });
});

test("one provider is named by its host, and its document is below its address", () => {
  const told = { oauth_enabled: true, oauth_disable_basic_auth: true, oauth_client_id: "pages", oauth_resource_servers: { rabbitmq: { id: "rabbitmq", oauth_provider_url: "https://idp.example/realms/shop/" } } };
  const { providers, hasPassword } = waysOf(told);
  expect(hasPassword).toBe(false);
  expect(providers).toMatchObject([{ title: "idp.example", clientId: "pages", scopes: "openid profile", beginsThere: false, metadataUrl: "https://idp.example/realms/shop/.well-known/openid-configuration" }]);
});

test("of several, each has what is told of it, and what is told of all", () => {
  const told = {
    oauth_enabled: true,
    oauth_disable_basic_auth: false,
    oauth_client_id: "pages",
    oauth_resource_servers: {
      prod: { id: "prod", label: "Production", oauth_provider_url: "https://a.example", oauth_client_id: "own", oauth_initiated_logon_type: "idp_initiated" },
      dev: { id: "dev", oauth_provider_url: "https://b.example", oauth_metadata_url: "https://c.example/x" },
      odd: { id: "odd", oauth_provider_url: "javascript:alert(1)" },
    },
  };
  const { providers, hasPassword } = waysOf(told);
  expect(hasPassword).toBe(true);
  expect(providers).toMatchObject([
    { title: "Production", clientId: "own", beginsThere: true },
    { title: "dev (b.example)", clientId: "pages", beginsThere: false, metadataUrl: "https://c.example/x" },
  ]);
});
