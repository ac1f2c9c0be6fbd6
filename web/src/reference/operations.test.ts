import { expect, it } from "vitest";
import { grouped, type ApiDocument } from "./operations";

const document: ApiDocument = {
  info: { version: "1.0" },
  paths: {
    "/api/whoami": { get: { summary: "The user that asks", description: "" } },
    "/api/queues": { get: { summary: "All queues", description: "The user needs: the tag management." } },
    "/api/leveret/queues/{vhost}/{queue}/redrive": {
      post: {
        summary: "Sends dead letters back",
        description: "",
        parameters: [{ name: "vhost", in: "path", schema: { type: "string" } }],
        requestBody: { content: { "application/json": { schema: { properties: { to: { type: "string", description: "queue or exchange" } }, required: [] } } } },
      },
    },
  },
};

it("puts operations under what they are about, with what they take", () => {
  const groups = grouped(document, "");
  expect(groups.map((group) => group.title)).toEqual(["Queues", "Leveret's own", "Others"]);
  expect(groups[1]?.operations[0]?.fields).toEqual([{ name: "to", place: "body", type: "string", isRequired: false, about: "queue or exchange" }]);
});

it("finds all words in any order", () => {
  expect(grouped(document, "queues GET").map((group) => group.title)).toEqual(["Queues"]);
  expect(grouped(document, "nothing")).toEqual([]);
});
