import static com.rabbitmq.http.client.GetAckMode.ACK_REQUEUE_FALSE;
import static com.rabbitmq.http.client.GetAckMode.NACK_REQUEUE_TRUE;
import static com.rabbitmq.http.client.GetEncoding.AUTO;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.http.client.Client;
import com.rabbitmq.http.client.ClientParameters;
import com.rabbitmq.http.client.HttpClientException;
import com.rabbitmq.http.client.domain.BindingInfo;
import com.rabbitmq.http.client.domain.ChannelInfo;
import com.rabbitmq.http.client.domain.ConnectionInfo;
import com.rabbitmq.http.client.domain.Definitions;
import com.rabbitmq.http.client.domain.DeleteQueueParameters;
import com.rabbitmq.http.client.domain.ExchangeInfo;
import com.rabbitmq.http.client.domain.InboundMessage;
import com.rabbitmq.http.client.domain.NodeInfo;
import com.rabbitmq.http.client.domain.OutboundMessage;
import com.rabbitmq.http.client.domain.OverviewResponse;
import com.rabbitmq.http.client.domain.Page;
import com.rabbitmq.http.client.domain.PolicyInfo;
import com.rabbitmq.http.client.domain.QueryParameters;
import com.rabbitmq.http.client.domain.QueueInfo;
import com.rabbitmq.http.client.domain.TopicPermissions;
import com.rabbitmq.http.client.domain.UserPermissions;
import com.rabbitmq.http.client.domain.VhostLimits;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The stories of Hop, a client of the management API. What it has no method for, other clients tell. */
final class Stories {
    private final Client client;
    private final String vhost = Harness.unique("vhost/with a slash");

    private Stories() throws Exception {
        client = client("guest", "guest");
        client.createVhost(vhost);
        client.updatePermissions(vhost, "guest", permissions(".*", ".*", ".*"));
    }

    private static Client client(String user, String password) throws Exception {
        URI address = URI.create(System.getenv("HTTP_URL"));
        String url = "http://" + address.getHost() + ":" + address.getPort() + "/api/";
        return new Client(new ClientParameters().url(url).username(user).password(password));
    }

    private Connection connect(String user, String password) throws Exception {
        URI address = URI.create(System.getenv("AMQP_URL"));
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(address.getHost());
        factory.setPort(address.getPort() < 0 ? 5672 : address.getPort());
        factory.setVirtualHost(vhost);
        factory.setUsername(user);
        factory.setPassword(password);
        factory.setAutomaticRecoveryEnabled(false);
        return factory.newConnection("conformance of hop");
    }

    private static UserPermissions permissions(String configure, String write, String read) {
        UserPermissions permissions = new UserPermissions();
        permissions.setConfigure(configure);
        permissions.setWrite(write);
        permissions.setRead(read);
        return permissions;
    }

    private static void refused(int status, Harness.Body body) throws Exception {
        try {
            body.run();
        } catch (HttpClientException error) {
            Harness.same("status", error.status(), status);
            return;
        }
        throw new AssertionError("it was not refused");
    }

    private void overview() throws Exception {
        OverviewResponse overview = client.getOverview();
        NodeInfo node = client.getNode(overview.getNode());
        Harness.check("version " + overview.getServerVersion(), overview.getServerVersion().split("\\.").length == 3);
        Harness.check("listeners", overview.getListeners().stream().anyMatch(l -> l.getProtocol().equals("amqp")));
        Harness.check("exchange types", overview.getExchangeTypes().size() >= 4);
        Harness.check("totals", overview.getObjectTotals().getExchanges() >= 7);
        Harness.check("node", node.isRunning() && node.getNumberOfProcessors() > 0 && node.getMemoryLimit() > 0);
        Harness.same("nodes", client.getNodes().size(), 1);
        Harness.same("whoami", client.whoAmI().getName(), "guest");
        Harness.check("alive", client.alivenessTest(vhost));
        Harness.check("cluster name", !client.getClusterName().getName().isEmpty());
        Harness.check("extensions", client.getExtensions() != null);
    }

    private void vhosts() throws Exception {
        String name = Harness.unique("described");
        client.createVhost(name, true, "for a story", "a", "b");
        Harness.same("description", client.getVhost(name).getDescription(), "for a story");
        Harness.same("tags", client.getVhost(name).getTags(), List.of("a", "b"));
        Harness.check("tracing", client.getVhost(name).isTracing());
        Harness.check("listed", client.getVhosts().stream().anyMatch(each -> each.getName().equals(name)));
        client.deleteVhost(name);
        Harness.check("gone", client.getVhost(name) == null);
    }

    private void limits() throws Exception {
        client.limitMaxNumberOfQueues(vhost, 1);
        client.limitMaxNumberOfConnections(vhost, 5);
        VhostLimits limits = client.getVhostLimits(vhost);
        Harness.same("limits", List.of(limits.getMaxQueues(), limits.getMaxConnections()), List.of(1, 5));
        client.declareQueue(vhost, "first", new QueueInfo(true, false, false));
        refused(400, () -> client.declareQueue(vhost, "second", new QueueInfo(true, false, false)));
        client.clearMaxQueuesLimit(vhost);
        client.clearMaxConnectionsLimit(vhost);
        client.declareQueue(vhost, "second", new QueueInfo(true, false, false));
    }

    private void users() throws Exception {
        String name = Harness.unique("user");
        client.createUser(name, "secret".toCharArray(), List.of("monitoring", "custom"));
        try {
            Harness.same("tags", client.getUser(name).getTags(), List.of("monitoring", "custom"));
            Harness.same("who am I", client(name, "secret").whoAmI().getName(), name);
            refused(401, () -> client(name, "wrong").whoAmI());
            refused(401, () -> client(name, "secret").getUsers());
            client.updateUser(name, "changed".toCharArray(), List.of());
            refused(401, () -> client(name, "changed").getOverview());
            client.updatePermissions(vhost, name, permissions("^c", "^w", "^r"));
            UserPermissions told = client.getPermissions(vhost, name);
            Harness.same("permissions", List.of(told.getConfigure(), told.getWrite(), told.getRead()), List.of("^c", "^w", "^r"));
            TopicPermissions topic = new TopicPermissions();
            topic.setExchange("amq.topic");
            topic.setWrite("^w\\.");
            topic.setRead("^r\\.");
            client.updateTopicPermissions(vhost, name, topic);
            Harness.same("topic permissions", client.getTopicPermissions(vhost, name).get(0).getWrite(), "^w\\.");
            client.clearTopicPermissions(vhost, name);
            client.clearPermissions(vhost, name);
            Harness.same("none are left", client.getPermissionsOf(name).size(), 0);
        } finally {
            client.deleteUser(name);
        }
        Harness.check("gone", client.getUser(name) == null);
    }

    private void queues() throws Exception {
        String name = "100 %/?#";
        client.declareQueue(vhost, name, new QueueInfo(true, false, false, Map.of("x-max-length", 7)));
        QueueInfo told = client.getQueue(vhost, name);
        Harness.check("queue", told.isDurable() && !told.isAutoDelete() && told.getName().equals(name));
        Harness.same("argument", told.getArguments().get("x-max-length"), 7);
        client.declareQueue(vhost, "plain", new QueueInfo(true, false, false));
        refused(400, () -> client.declareQueue(vhost, "plain", new QueueInfo(true, false, true)));
        OutboundMessage message = new OutboundMessage().payload("one").utf8Encoded().properties(Map.of("message_id", "m"));
        Harness.check("routed", client.publish(vhost, "amq.default", name, message));
        Harness.check("not routed", !client.publish(vhost, "amq.default", "nowhere", message));
        Harness.until("it is counted", () -> client.getQueue(vhost, name).getTotalMessages() == 1);
        refused(400, () -> client.deleteQueue(vhost, name, new DeleteQueueParameters(true, false)));
        InboundMessage looked = client.get(vhost, name, 1, NACK_REQUEUE_TRUE, AUTO).get(0);
        Harness.same("message", List.of(looked.getPayload(), looked.getProperties().get("message_id")), List.of("one", "m"));
        List<InboundMessage> taken = client.get(vhost, name, 5, ACK_REQUEUE_FALSE, AUTO, 2);
        Harness.same("cut", List.of(taken.size(), taken.get(0).getPayload(), taken.get(0).isRedelivered()), List.of(1, "on", true));
        client.purgeQueue(vhost, name);
        client.deleteQueue(vhost, name);
        Harness.check("gone", client.getQueue(vhost, name) == null);
    }

    private void pages() throws Exception {
        for (int n = 0; n < 25; n++) {
            client.declareQueue(vhost, "page-" + n, new QueueInfo(true, false, false));
        }
        client.declareQueue(vhost, "other", new QueueInfo(true, false, false));
        QueryParameters query = new QueryParameters().name("^page-", true).pagination().pageSize(10).query();
        List<String> seen = new ArrayList<>();
        for (Page<QueueInfo> page = client.getQueues(vhost, query); ; page = client.getQueues(vhost, query)) {
            Harness.same("counts", List.of(page.getTotalCount(), page.getFilteredCount(), page.getPageCount()), List.of(26, 25, 3));
            page.getItemsAsList().forEach(queue -> seen.add(queue.getName()));
            if (page.getPage() == page.getPageCount()) {
                break;
            }
            query.pagination().nextPage(page);
        }
        Harness.same("seen", seen.stream().distinct().count(), 25L);
        Harness.same("all", client.getQueues(vhost).size(), 26);
    }

    private void bindings() throws Exception {
        client.declareExchange(vhost, "source", new ExchangeInfo("topic", true, false));
        client.declareExchange(vhost, "target", new ExchangeInfo("fanout", true, false));
        client.declareQueue(vhost, "q", new QueueInfo(true, false, false));
        client.bindQueue(vhost, "q", "source", "a.#", Map.of("n", 1));
        client.bindQueue(vhost, "q", "source", "plain");
        client.bindExchange(vhost, "target", "source", "k/e y");
        BindingInfo bound = client.getQueueBindingsBetween(vhost, "source", "q").get(0);
        Harness.same("binding", List.of(bound.getRoutingKey(), bound.getArguments()), List.of("a.#", Map.of("n", 1)));
        Harness.same("by source", client.getBindingsBySource(vhost, "source").size(), 3);
        Harness.same("by destination", client.getExchangeBindingsByDestination(vhost, "target").size(), 1);
        Harness.same("with the default one", client.getQueueBindings(vhost, "q").size(), 3);
        client.unbindQueue(vhost, "q", "source", "plain");
        client.unbindExchange(vhost, "target", "source", "k/e y");
        Harness.same("left", client.getBindingsBySource(vhost, "source").size(), 1);
        Harness.same("type", client.getExchange(vhost, "source").getType(), "topic");
        client.deleteExchange(vhost, "source");
        Harness.check("gone", client.getExchange(vhost, "source") == null);
    }

    private void policies() throws Exception {
        PolicyInfo policy = new PolicyInfo("^limited", 3, "queues", Map.of("max-length", 2));
        client.declarePolicy(vhost, "limit", policy);
        client.declareOperatorPolicy(vhost, "roof", new PolicyInfo("^limited", 0, "queues", Map.of("max-length", 1)));
        client.declareQueue(vhost, "limited", new QueueInfo(true, false, false));
        PolicyInfo told = client.getPolicies(vhost).get(0);
        Harness.same("policy", List.of(told.getPattern(), told.getPriority(), told.getApplyTo()), List.of("^limited", 3, "queues"));
        Harness.same("operator policies", client.getOperatorPolicies(vhost).size(), 1);
        Harness.until("the lower limit holds", () -> Map.of("max-length", 1).equals(client.getQueue(vhost, "limited").getEffectivePolicyDefinition()));
        client.deleteOperatorPolicy(vhost, "roof");
        client.deletePolicy(vhost, "limit");
        Harness.same("left", client.getPolicies(vhost).size() + client.getOperatorPolicies(vhost).size(), 0);
    }

    private void connections() throws Exception {
        Connection connection = connect("guest", "guest");
        try {
            Channel channel = connection.createChannel();
            channel.queueDeclare("consumed", true, false, false, null);
            channel.basicQos(7);
            channel.basicConsume("consumed", false, "the tag", (tag, message) -> {}, tag -> {});
            ConnectionInfo own = Harness.found("the connection", () -> client.getConnections().stream()
                    .filter(each -> vhost.equals(each.getVhost())).findFirst());
            Harness.same("user", own.getUser(), "guest");
            Harness.same("name", own.getClientProperties().getConnectionName(), "conformance of hop");
            Harness.same("by name", client.getConnection(own.getName()).getName(), own.getName());
            ChannelInfo first = Harness.found("its channel", () -> client.getChannels(own.getName()).stream().findFirst());
            Harness.until("its consumer", () -> client.getChannel(first.getName()).getConsumerCount() == 1);
            Harness.until("the consumer", () -> client.getConsumers(vhost).stream()
                    .anyMatch(each -> each.getConsumerTag().equals("the tag") && each.getPrefetchCount() == 7));
            Harness.check("of the user", client.getConnectionsOfUser("guest").stream().anyMatch(each -> each.getName().equals(own.getName())));
            client.closeConnection(own.getName(), "for a story");
            Harness.until("it is closed", () -> !connection.isOpen());
            String reason = connection.getCloseReason().getMessage();
            Harness.check(reason, reason.contains("320") && reason.contains("for a story"));
        } finally {
            connection.abort();
        }
    }

    private void definitions() throws Exception {
        client.declareQueue(vhost, "defined", new QueueInfo(true, false, false));
        Definitions told = client.getDefinitions();
        Harness.check("queue", told.getQueues().stream().anyMatch(each -> each.getName().equals("defined")));
        Harness.check("virtual host", told.getVhosts().stream().anyMatch(each -> each.getName().equals(vhost)));
        Harness.check("user", told.getUsers().stream().anyMatch(each -> each.getName().equals("guest")));
        Harness.check("permissions", told.getPermissions().stream().anyMatch(each -> each.getVhost().equals(vhost)));
    }

    private void plugins() throws Exception {
        // What is asked for all the time by dashboards: there is none, and that is no error.
        Harness.same("upstreams", client.getUpstreams().size() + client.getUpstreamSets().size(), 0);
    }

    public static void main(String[] names) throws Exception {
        Harness harness = new Harness();
        harness.story("overview", Stories::overview);
        harness.story("vhosts", Stories::vhosts);
        harness.story("limits", Stories::limits);
        harness.story("users", Stories::users);
        harness.story("queues", Stories::queues);
        harness.story("pages", Stories::pages);
        harness.story("bindings", Stories::bindings);
        harness.story("policies", Stories::policies);
        harness.story("connections", Stories::connections);
        harness.story("definitions", Stories::definitions);
        harness.story("plugins", Stories::plugins);
        System.exit(harness.tell(names, Stories::new, stories -> stories.client.deleteVhost(stories.vhost)));
    }
}
