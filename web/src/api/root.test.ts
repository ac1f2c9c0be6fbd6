import { expect, test } from "vitest";
import { rootOf } from "./root";

test.each([
  ["http://host:15672/", "./", ""],
  ["http://host:15672/index.html#/queues", "./", ""],
  ["http://host:15672/api/index.html", "../", ""],
  ["https://host/mq/prod/?a=b/c#/queues", "./", "/mq/prod"],
  ["https://host/mq/api/", "./", "/mq/api"],
  ["https://host/mq/cli/index.html", "../", "/mq"],
  ["https://host/mq/js/oidc-oauth/login-callback.html?code=1/2", "../../", "/mq"],
])("the root of %s, by %s, is '%s'", (page, way, root) => {
  expect(rootOf(page, way)).toBe(root);
});
