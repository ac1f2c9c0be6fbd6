import type { ComponentType } from "preact";
import type { Tag } from "../state/session";
import { OverviewPage } from "./overview";
import { QueuesPage } from "./queues";
import { QueuePage } from "./queue";

export interface PageProps {
  /** The variable parts of the path. */
  args: string[];
}

export interface PageRoute {
  /** Parts of the hash; `*` stands for any. */
  path: string[];
  title: string;
  page: ComponentType<PageProps>;
  needs?: Tag;
}

/** A group of the navigation. */
export const NAVIGATION: { title: string; items: { title: string; path: string[]; needs?: Tag }[] }[] = [
  {
    title: "Messages",
    items: [
      { title: "Overview", path: [] },
      { title: "Queues", path: ["queues"] },
    ],
  },
];

export const ROUTES: PageRoute[] = [
  { path: [], title: "Overview", page: OverviewPage },
  { path: ["queues"], title: "Queues", page: QueuesPage },
  { path: ["queues", "*", "*"], title: "Queue", page: QueuePage },
];

/** The page of a path, with the parts that vary. */
export function route(parts: string[]): { found: PageRoute; args: string[] } | undefined {
  for (const found of ROUTES) {
    if (found.path.length !== parts.length) continue;
    if (found.path.every((part, at) => part === "*" || part === parts[at])) {
      return { found, args: parts.filter((_, at) => found.path[at] === "*") };
    }
  }
  return undefined;
}
