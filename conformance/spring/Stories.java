import com.rabbitmq.client.ConnectionFactory;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.amqp.AmqpRejectAndDontRequeueException;
import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageListener;
import org.springframework.amqp.core.MessagePostProcessor;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.core.TopicExchange;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory.ConfirmType;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.junit.BrokerRunningSupport;
import org.springframework.amqp.rabbit.listener.AbstractMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.DirectMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.adapter.MessageListenerAdapter;
import org.springframework.amqp.rabbit.transaction.RabbitTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** The stories of Spring AMQP: templates, listeners, the administration. What an application of Spring Boot does is in Boot. */
final class Stories {
    private static final long WAIT_MS = 60_000;

    private final Deque<AutoCloseable> endings = new ArrayDeque<>();
    private final List<String> queues = new ArrayList<>();
    private final List<String> exchanges = new ArrayList<>();
    final CachingConnectionFactory connections = cached("AMQP_URL");
    final RabbitAdmin admin = new RabbitAdmin(connections);

    static String env(String name) {
        return Optional.ofNullable(System.getenv(name)).orElseThrow(() -> new AssertionError(name + " is not set"));
    }

    CachingConnectionFactory connections(String variable) {
        CachingConnectionFactory made = cached(variable);
        endings.push(made::destroy);
        return made;
    }

    private static CachingConnectionFactory cached(String variable) {
        ConnectionFactory factory = new ConnectionFactory();
        try {
            factory.setUri(env(variable));
        } catch (Exception wrong) {
            throw new IllegalStateException(wrong);
        }
        return new CachingConnectionFactory(factory);
    }

    /** Has this closed at the end of the story; what came last first. */
    <T extends AutoCloseable> T closing(T what) {
        endings.push(what);
        return what;
    }

    String queue() {
        queues.add(Harness.unique("spring"));
        return queues.get(queues.size() - 1);
    }

    String exchange() {
        exchanges.add(Harness.unique("spring"));
        return exchanges.get(exchanges.size() - 1);
    }

    /** Has these deleted at the end as well: somebody else named them. */
    void names(String... others) {
        queues.addAll(List.of(others));
    }

    Queue declare(QueueBuilder builder) {
        Queue queue = builder.build();
        admin.declareQueue(queue);
        return queue;
    }

    QueueBuilder durable() {
        return QueueBuilder.durable(queue());
    }

    RabbitTemplate template() {
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setReplyTimeout(WAIT_MS);
        template.setReceiveTimeout(WAIT_MS);
        return template;
    }

    void listen(AbstractMessageListenerContainer container, String queue, MessageListener listener) {
        container.setQueueNames(queue);
        container.setMessageListener(listener);
        if (container instanceof SimpleMessageListenerContainer simple) {
            simple.setReceiveTimeout(50); // it ends only between two of these
        }
        container.afterPropertiesSet();
        endings.push(container::destroy);
        container.start();
    }

    static String body(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    static <T> T next(BlockingQueue<T> from) throws InterruptedException {
        T got = from.poll(WAIT_MS, TimeUnit.MILLISECONDS);
        Harness.check("nothing came within " + WAIT_MS + " ms", got != null);
        return got;
    }

    static void proxy(String command) throws Exception {
        String control = env("PROXY_CONTROL");
        int colon = control.lastIndexOf(':');
        try (Socket socket = new Socket(control.substring(0, colon), Integer.parseInt(control.substring(colon + 1)))) {
            socket.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
            Harness.same("answer", new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine(), "ok");
        }
    }

    void tidy() throws Exception {
        for (AutoCloseable each : endings) {
            each.close();
        }
        queues.forEach(admin::deleteQueue);
        exchanges.forEach(admin::deleteExchange);
        connections.destroy();
    }

    /** Every argument that its builders know, and the numbers of a passive declare. */
    void arguments() {
        Queue classic = declare(durable().ttl(60_000).expires(600_000).maxLength(100).maxLengthBytes(1_000_000)
                .overflow(QueueBuilder.Overflow.rejectPublish).deadLetterExchange("").deadLetterRoutingKey("dead")
                .maxPriority(5).singleActiveConsumer().lazy().leaderLocator(QueueBuilder.LeaderLocator.clientLocal));
        declare(durable().quorum().deliveryLimit(5).withArgument("x-quorum-initial-group-size", 1)
                .overflow(QueueBuilder.Overflow.dropHead).leaderLocator(QueueBuilder.LeaderLocator.balanced));
        template().convertAndSend(classic.getName(), "one");
        Properties told = Optional.ofNullable(admin.getQueueProperties(classic.getName())).orElseThrow();
        Harness.same("consumers", told.get(RabbitAdmin.QUEUE_CONSUMER_COUNT), 0);
        Harness.same("a queue that is not there", admin.getQueueProperties(queue()), null);
        Harness.same("purged", admin.purgeQueue(classic.getName()), 1);
    }

    /** Both containers; the simple one declares its queue passively first, and so does the admin at each new connection. */
    void listeners() throws Exception {
        TopicExchange exchange = new TopicExchange(exchange());
        admin.declareExchange(exchange);
        BlockingQueue<String> got = new LinkedBlockingQueue<>();
        SimpleMessageListenerContainer simple = new SimpleMessageListenerContainer(connections);
        simple.setConcurrentConsumers(2);
        simple.setConsumerArguments(Map.of("x-priority", 10));
        DirectMessageListenerContainer direct = new DirectMessageListenerContainer(connections);
        direct.setConsumersPerQueue(2);
        for (AbstractMessageListenerContainer container : List.of(simple, direct)) {
            Queue queue = declare(durable());
            Binding binding = BindingBuilder.bind(queue).to(exchange).with("orders.#");
            admin.declareBinding(binding);
            listen(container, queue.getName(), message -> got.add(body(message) + message.getMessageProperties().getReceivedRoutingKey()));
        }
        template().convertAndSend(exchange.getName(), "orders.made", "hello ");
        Harness.same("first", next(got), "hello orders.made");
        Harness.same("second", next(got), "hello orders.made");
    }

    /** A request waits for its reply in amq.rabbitmq.reply-to. */
    void requests() throws Exception {
        Queue queue = declare(durable());
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections);
        listen(container, queue.getName(), new MessageListenerAdapter(new Upper()));
        RabbitTemplate template = template();
        for (String each : List.of("a", "b", "c")) {
            Harness.same("reply", template.convertSendAndReceive(queue.getName(), each), each.toUpperCase());
        }
        // The other kind of container for replies, which takes a consumer for each request.
        template.setUseDirectReplyToContainer(false);
        Harness.same("reply", template.convertSendAndReceive(queue.getName(), "d"), "D");
    }

    static final class Upper {
        public String handleMessage(String text) {
            return text.toUpperCase();
        }
    }

    void deadLetters() throws Exception {
        Queue dead = declare(durable());
        Queue work = declare(durable().quorum().deadLetterExchange("").deadLetterRoutingKey(dead.getName()));
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections);
        listen(container, work.getName(), message -> {
            throw new AmqpRejectAndDontRequeueException("never");
        });
        template().convertAndSend(work.getName(), "bad");
        Message letter = template().receive(dead.getName());
        Harness.check("no dead letter", letter != null);
        Map<String, ?> death = letter.getMessageProperties().getXDeathHeader().get(0);
        Harness.same("reason", death.get("reason"), "rejected");
        Harness.same("queue", death.get("queue"), work.getName());
    }

    /** Correlated confirms, a nack, and a message that nobody gets. */
    void confirms() throws Exception {
        connections.setPublisherConfirmType(ConfirmType.CORRELATED);
        connections.setPublisherReturns(true);
        RabbitTemplate template = template();
        template.setMandatory(true);
        Queue full = declare(durable().maxLength(1).overflow(QueueBuilder.Overflow.rejectPublish));
        Harness.same("the first is acked", confirmed(template, full.getName()).ack(), true);
        Harness.same("the second is acked", confirmed(template, full.getName()).ack(), false);
        CorrelationData lost = new CorrelationData("lost");
        template.convertAndSend("", Harness.unique("nobody"), "lost", lost);
        Harness.same("the lost one is acked", lost.getFuture().get(WAIT_MS, TimeUnit.MILLISECONDS).ack(), true);
        Harness.same("reply code", Optional.ofNullable(lost.getReturned()).orElseThrow().getReplyCode(), 312);
    }

    private static CorrelationData.Confirm confirmed(RabbitTemplate template, String queue) throws Exception {
        CorrelationData told = new CorrelationData(Harness.unique("message"));
        template.convertAndSend("", queue, "text", told);
        return told.getFuture().get(WAIT_MS, TimeUnit.MILLISECONDS);
    }

    void priorities() {
        Queue queue = declare(durable().maxPriority(10));
        RabbitTemplate template = template();
        for (int priority : List.of(1, 9, 5)) {
            MessagePostProcessor urgent = message -> {
                message.getMessageProperties().setPriority(priority);
                return message;
            };
            template.invoke(within -> {
                within.convertAndSend("", queue.getName(), priority, urgent);
                return null;
            });
        }
        Harness.same("order", List.of(template.receiveAndConvert(queue.getName()), template.receiveAndConvert(queue.getName()),
                template.receiveAndConvert(queue.getName())), List.of(9, 5, 1));
    }

    void transactions() {
        Queue queue = declare(durable());
        RabbitTemplate template = template();
        template.setChannelTransacted(true);
        TransactionTemplate transaction = new TransactionTemplate(new RabbitTransactionManager(connections));
        transaction.executeWithoutResult(status -> {
            template.convertAndSend(queue.getName(), "kept");
            template.convertAndSend(queue.getName(), "kept, too");
        });
        transaction.executeWithoutResult(status -> {
            template.convertAndSend(queue.getName(), "lost");
            status.setRollbackOnly();
        });
        transaction.executeWithoutResult(status -> {
            Harness.same("received", template.receiveAndConvert(queue.getName()), "kept");
            status.setRollbackOnly(); // it goes back
        });
        template.convertAndSend(queue.getName(), "last");
        List<String> found = new ArrayList<>();
        Message message;
        template.setReceiveTimeout(0);
        while ((message = template.receive(queue.getName())) != null) {
            found.add(body(message));
        }
        Harness.same("found", found, List.of("kept", "kept, too", "last"));
    }

    /** A container outlives its connection, and a queue that is deleted and comes back. */
    void recovery() throws Exception {
        Queue queue = declare(durable());
        BlockingQueue<String> got = new LinkedBlockingQueue<>();
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections("PROXY_URL"));
        container.setRecoveryInterval(100);
        container.setMissingQueuesFatal(false);
        container.setDeclarationRetries(1);
        container.setFailedDeclarationRetryInterval(100);
        listen(container, queue.getName(), message -> got.add(body(message)));
        template().convertAndSend(queue.getName(), "before");
        Harness.same("first", next(got), "before");
        proxy("cut");
        template().convertAndSend(queue.getName(), "after");
        Harness.same("second", nextBut("before", got), "after");
        admin.deleteQueue(queue.getName());
        admin.declareQueue(queue);
        template().convertAndSend(queue.getName(), "anew");
        Harness.same("third", nextBut("before", got), "anew");
    }

    /** The next body but one whose acknowledgement may have been under way when the connection was cut: that one may come again. */
    private static String nextBut(String repeated, BlockingQueue<String> got) throws Exception {
        String body = next(got);
        return body.equals(repeated) ? next(got) : body;
    }

    /** What JUnit tests ask before they begin: over AMQP, and the body of the aliveness test over the API. */
    void junit() {
        URI amqp = URI.create(env("AMQP_URL"));
        URI http = URI.create(env("HTTP_URL"));
        String[] login = http.getUserInfo().split(":", 2);
        String queue = queue();
        admin.declareQueue(new Queue(queue));
        template().convertAndSend(queue, "to be purged");
        BrokerRunningSupport running = BrokerRunningSupport.isBrokerAndManagementRunningWithEmptyQueues(queue);
        running.setHostName(amqp.getHost());
        running.setPort(amqp.getPort());
        running.setUser(login[0]);
        running.setPassword(login[1]);
        running.setAdminUri("http://" + http.getAuthority().replaceFirst(".*@", "") + "/api/");
        running.setAdminUser(login[0]);
        running.setAdminPassword(login[1]);
        try {
            running.test();
        } catch (Exception dead) {
            throw new AssertionError(dead);
        }
        Harness.same("messages", admin.getQueueInfo(queue).getMessageCount(), 0L);
    }

    public static void main(String[] names) {
        Harness harness = new Harness();
        harness.story("arguments", Stories::arguments);
        harness.story("listeners", Stories::listeners);
        harness.story("requests", Stories::requests);
        harness.story("dead-letters", Stories::deadLetters);
        harness.story("confirms", Stories::confirms);
        harness.story("priorities", Stories::priorities);
        harness.story("transactions", Stories::transactions);
        harness.story("recovery", Stories::recovery);
        harness.story("junit", Stories::junit);
        harness.story("boot-health", Boot::health);
        harness.story("cloud-stream", Boot::cloudStream);
        System.exit(harness.tell(names, Stories::new, Stories::tidy));
    }
}
