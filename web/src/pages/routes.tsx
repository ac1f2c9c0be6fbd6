import type { ComponentType } from "preact";
import type { Tag } from "../state/session";
import { AlertsPage } from "./alerts";
import { ChannelPage, ChannelsPage } from "./channels";
import { ConnectionPage } from "./connection";
import { ConnectionsPage } from "./connections";
import { ConsumersPage } from "./consumers";
import { DefinitionsPage } from "./definitions";
import { DelayedPage } from "./delayed";
import { ErrorsPage } from "./errors";
import { ExchangePage } from "./exchange";
import { ExchangesPage } from "./exchanges";
import { FeaturesPage } from "./features";
import { LimitsPage } from "./limits";
import { LivePage } from "./live";
import { NodePage } from "./node";
import { OverviewPage } from "./overview";
import { ParametersPage } from "./parameters";
import { PoliciesPage, PolicyPage } from "./policies";
import { QueuePage } from "./queue";
import { QueuesPage } from "./queues";
import { TopologyPage } from "./topology";
import { UserPage } from "./user";
import { UsersPage } from "./users";
import { VhostPage, VhostsPage } from "./vhosts";
import { WherePage } from "./where";

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
      { title: "Exchanges", path: ["exchanges"] },
      { title: "Topology", path: ["topology"] },
    ],
  },
  {
    title: "Programs",
    items: [
      { title: "Connections", path: ["connections"] },
      { title: "Channels", path: ["channels"] },
      { title: "Consumers", path: ["consumers"] },
    ],
  },
  {
    title: "What happens",
    items: [
      { title: "Errors", path: ["errors"] },
      { title: "Alerts", path: ["alerts"], needs: "monitoring" },
      { title: "Live", path: ["live"], needs: "monitoring" },
      { title: "Where would this go?", path: ["where"] },
      { title: "Delayed", path: ["delayed"] },
    ],
  },
  {
    title: "Admin",
    items: [
      { title: "Users", path: ["users"], needs: "administrator" },
      { title: "Virtual hosts", path: ["vhosts"] },
      { title: "Policies", path: ["policies"] },
      { title: "Limits", path: ["limits"] },
      { title: "Parameters", path: ["parameters"], needs: "policymaker" },
      { title: "Features", path: ["feature-flags"] },
      { title: "Definitions", path: ["definitions"], needs: "administrator" },
    ],
  },
];

/** Every page. The paths of RabbitMQ's pages are among them. */
export const ROUTES: PageRoute[] = [
  { path: [], title: "Overview", page: OverviewPage },
  // The name of the cluster stands there, and is changed there.
  { path: ["cluster-name"], title: "Overview", page: OverviewPage },
  { path: ["nodes", "*"], title: "Node", page: NodePage, needs: "monitoring" },
  { path: ["queues"], title: "Queues", page: QueuesPage },
  { path: ["queues", "*", "*"], title: "Queue", page: QueuePage },
  { path: ["exchanges"], title: "Exchanges", page: ExchangesPage },
  { path: ["exchanges", "*", "*"], title: "Exchange", page: ExchangePage },
  { path: ["topology"], title: "Topology", page: TopologyPage },
  { path: ["connections"], title: "Connections", page: ConnectionsPage },
  { path: ["connections", "*"], title: "Connection", page: ConnectionPage },
  { path: ["channels"], title: "Channels", page: ChannelsPage },
  { path: ["channels", "*"], title: "Channel", page: ChannelPage },
  { path: ["consumers"], title: "Consumers", page: ConsumersPage },
  { path: ["errors"], title: "Errors", page: ErrorsPage },
  { path: ["alerts"], title: "Alerts", page: AlertsPage, needs: "monitoring" },
  { path: ["live"], title: "Live", page: LivePage, needs: "monitoring" },
  { path: ["where"], title: "Where would this go?", page: WherePage },
  { path: ["delayed"], title: "Delayed", page: DelayedPage },
  { path: ["users"], title: "Users", page: UsersPage, needs: "administrator" },
  { path: ["users", "*"], title: "User", page: UserPage, needs: "administrator" },
  { path: ["vhosts"], title: "Virtual hosts", page: VhostsPage },
  { path: ["vhosts", "*"], title: "Virtual host", page: VhostPage, needs: "administrator" },
  { path: ["policies"], title: "Policies", page: PoliciesPage },
  { path: ["policies", "*", "*"], title: "Policy", page: PolicyPage },
  { path: ["limits"], title: "Limits", page: LimitsPage },
  { path: ["parameters"], title: "Parameters", page: ParametersPage, needs: "policymaker" },
  { path: ["feature-flags"], title: "Features", page: FeaturesPage },
  { path: ["deprecated-features"], title: "Features", page: FeaturesPage },
  { path: ["definitions"], title: "Definitions", page: DefinitionsPage, needs: "administrator" },
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
