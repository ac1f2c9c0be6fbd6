import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultSaslConfig;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.SaslConfig;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManagerFactory;

/** The stories, told by the RabbitMQ Java client, whose automatic recovery is on in `reconnect` only. */
final class Stories {
    static final AMQP.BasicProperties BARE = new AMQP.BasicProperties();

    static AMQP.BasicProperties.Builder properties() {
        return new AMQP.BasicProperties.Builder();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }

    static void send(Channel channel, String queue, String body) throws Exception {
        channel.basicPublish("", queue, BARE, bytes(body));
    }

    /** Publishes to the default exchange of a confirm channel and waits for the ack. */
    static void confirmed(Channel channel, String queue, AMQP.BasicProperties properties, byte[] body) throws Exception {
        channel.basicPublish("", queue, properties, body);
        Harness.check(channel.waitForConfirms(Harness.WAIT_MS), "nacked");
    }

    static void confirmed(Channel channel, String queue, String... bodies) throws Exception {
        for (String body : bodies) {
            confirmed(channel, queue, BARE, bytes(body));
        }
    }

    /** A consumer's deliveries, to be taken one by one. */
    record Inbox(String tag, BlockingQueue<Delivery> deliveries, BlockingQueue<String> cancels) {
        static Inbox consume(Channel channel, String queue, boolean autoAck) throws Exception {
            BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
            BlockingQueue<String> cancels = new LinkedBlockingQueue<>();
            String tag = channel.basicConsume(queue, autoAck, (t, delivery) -> deliveries.add(delivery), cancels::add);
            return new Inbox(tag, deliveries, cancels);
        }

        Delivery next() throws Exception {
            return Harness.next("message", deliveries, Harness.WAIT_MS);
        }

        /** The next delivery, which must have this body. */
        Delivery receive(String body) throws Exception {
            Delivery delivery = next();
            Harness.equal("body", text(delivery.getBody()), body);
            return delivery;
        }
    }

    static long tag(Delivery delivery) {
        return delivery.getEnvelope().getDeliveryTag();
    }

    static long ready(Channel channel, String queue) throws Exception {
        return channel.queueDeclarePassive(queue).getMessageCount();
    }

    static void holds(Channel channel, String queue, long n) throws Exception {
        Harness.until(n + " messages in " + queue, () -> ready(channel, queue) == n);
    }

    interface Declaration {
        void run(Channel channel) throws Exception;
    }

    static void missing(Harness.Context t, Declaration declaration) throws Exception {
        Channel channel = t.channel();
        Harness.refused(404, "NOT_FOUND - no ", () -> declaration.run(channel));
    }

    /** Waits until the declaration gives 404. */
    static void gone(Harness.Context t, String what, Declaration declaration) throws Exception {
        Harness.until(what + " is gone", () -> {
            Channel channel = t.channel();
            try {
                declaration.run(channel);
            } catch (Exception e) {
                Harness.refused(404, "NOT_FOUND - no ", () -> {
                    throw e;
                });
                return true;
            }
            channel.close();
            return false;
        });
    }

    /** What was decoded, in types that compare: the library has one of its own for strings. */
    static Object plain(Object value) {
        if (value instanceof LongString string) {
            return string.toString();
        }
        if (value instanceof byte[] bytes) {
            return "bytes " + Arrays.toString(bytes);
        }
        if (value instanceof List<?> list) {
            List<Object> result = new ArrayList<>();
            list.forEach(item -> result.add(plain(item)));
            return result;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> result = new HashMap<>();
            map.forEach((key, item) -> result.put(key, plain(item)));
            return result;
        }
        return value;
    }

    static Object header(Delivery delivery, String name) {
        Map<String, Object> headers = delivery.getProperties().getHeaders();
        return headers == null ? null : plain(headers.get(name));
    }

    /** The x-death entries; their times must be recent. */
    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> deaths(Delivery delivery) {
        List<Map<String, Object>> deaths = (List<Map<String, Object>>) header(delivery, "x-death");
        for (Map<String, Object> death : deaths) {
            Date time = (Date) death.remove("time");
            Harness.check(Math.abs(time.getTime() - System.currentTimeMillis()) < 60_000, "time " + time);
        }
        return deaths;
    }

    static Map<String, Object> death(long count, String reason, String queue) {
        return Map.of("count", count, "reason", reason, "queue", queue, "exchange", "", "routing-keys", List.of(queue));
    }

    static void deathHeaders(Delivery delivery, String which, String reason, String queue) {
        String prefix = "x-" + which + "-death-";
        Harness.equal(which + " death",
            Arrays.asList(header(delivery, prefix + "reason"), header(delivery, prefix + "queue"), header(delivery, prefix + "exchange")),
            List.of(reason, queue, ""));
    }

    static Map<String, Object> lettersTo(String exchange, String key) {
        return Map.of("x-dead-letter-exchange", exchange, "x-dead-letter-routing-key", key);
    }

    static Map<String, Object> and(Map<String, Object> arguments, String name, Object value) {
        Map<String, Object> all = new HashMap<>(arguments);
        all.put(name, value);
        return all;
    }

    static void declare(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        List<String> exchanges = new ArrayList<>();
        for (String type : List.of("direct", "fanout", "topic", "headers")) {
            String exchange = t.exchange(channel, type);
            channel.exchangeDeclare(exchange, type, true);
            channel.exchangeDeclarePassive(exchange);
            exchanges.add(exchange);
        }
        String queue = t.queueName();
        for (AMQP.Queue.DeclareOk ok : List.of(channel.queueDeclare(queue, true, false, false, null),
                channel.queueDeclare(queue, true, false, false, null), channel.queueDeclarePassive(queue))) {
            Harness.equal("declare-ok", List.of(ok.getQueue(), ok.getMessageCount(), ok.getConsumerCount()), List.of(queue, 0, 0));
        }
        String named = channel.queueDeclare().getQueue();
        Harness.check(named.startsWith("amq.gen-"), "server-named: " + named);
        for (int i = 0; i < 3; i++) {
            send(channel, queue, "x");
        }
        holds(channel, queue, 3);
        Harness.equal("purged", channel.queuePurge(queue).getMessageCount(), 3);
        holds(channel, queue, 0);
        channel.queueDelete(queue);
        missing(t, ch -> ch.queueDeclarePassive(queue));
        for (String exchange : exchanges) {
            channel.exchangeDelete(exchange);
        }
        missing(t, ch -> ch.exchangeDeclarePassive(exchanges.get(0)));
        channel.queueDeclarePassive(named); // other channels go on
    }

    static void arrives(Inbox inbox, String exchange, String key) throws Exception {
        Delivery delivery = inbox.receive(key);
        Harness.equal("exchange", delivery.getEnvelope().getExchange(), exchange);
        Harness.equal("routing key", delivery.getEnvelope().getRoutingKey(), key);
    }

    static void bind(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Inbox inbox = Inbox.consume(channel, queue, true);
        String topic = t.exchange(channel, "topic");
        channel.queueBind(queue, topic, "stock.*.nyse");
        channel.queueBind(queue, topic, "#.all");
        for (String key : List.of("stock.ibm.nyse", "stock.ibm.lse", "a.b.all")) {
            channel.basicPublish(topic, key, BARE, bytes(key));
        }
        arrives(inbox, topic, "stock.ibm.nyse");
        arrives(inbox, topic, "a.b.all");
        channel.queueUnbind(queue, topic, "#.all");
        for (String key : List.of("a.b.all", "stock.sun.nyse")) {
            channel.basicPublish(topic, key, BARE, bytes(key));
        }
        arrives(inbox, topic, "stock.sun.nyse");

        String headers = t.exchange(channel, "headers");
        channel.queueBind(queue, headers, "", Map.of("x-match", "all", "a", 1, "b", "two"));
        channel.basicPublish(headers, "first", properties().headers(Map.of("a", 1)).build(), bytes("first"));
        channel.basicPublish(headers, "second", properties().headers(Map.of("a", 1L, "b", "two", "c", true)).build(), bytes("second"));
        arrives(inbox, headers, "second");

        String fanout = t.exchange(channel, "fanout");
        String other = t.queue(channel);
        channel.queueBind(queue, fanout, "");
        channel.queueBind(other, fanout, "");
        channel.basicPublish(fanout, "one", BARE, bytes("one"));
        channel.basicPublish(fanout, "two", BARE, bytes("two"));
        arrives(inbox, fanout, "one");
        arrives(inbox, fanout, "two");
        holds(channel, other, 2);
    }

    static void publishConsume(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Inbox inbox = Inbox.consume(channel, queue, false);
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            bodies.add("message " + i);
        }
        bodies.add("");
        for (String body : bodies) {
            channel.basicPublish("", queue, properties().deliveryMode(2).build(), bytes(body));
        }
        for (String body : bodies) {
            Delivery delivery = inbox.receive(body);
            Harness.equal("redelivered", delivery.getEnvelope().isRedeliver(), false);
            Harness.equal("exchange", delivery.getEnvelope().getExchange(), "");
            Harness.equal("routing key", delivery.getEnvelope().getRoutingKey(), queue);
            channel.basicAck(tag(delivery), false);
        }
        channel.basicCancel(inbox.tag());
        send(channel, queue, "one more");
        holds(channel, queue, 1);
        Harness.check(inbox.deliveries().isEmpty(), "delivered after the cancel");
    }

    static void confirms(Harness.Context t) throws Exception {
        Channel channel = t.confirming();
        String queue = t.queue(channel);
        Set<Long> open = Collections.synchronizedSet(new HashSet<>());
        channel.addConfirmListener((tag, multiple) -> open.removeIf(each -> multiple ? each <= tag : each == tag),
            (tag, multiple) -> {});
        for (int i = 0; i < 50; i++) {
            open.add(channel.getNextPublishSeqNo());
            channel.basicPublish("", queue, properties().deliveryMode(1 + i % 2).build(), bytes("x"));
        }
        Harness.check(channel.waitForConfirms(Harness.WAIT_MS), "nacked");
        Harness.until("all tags acked", open::isEmpty);
        holds(channel, queue, 50);
        confirmed(channel, Harness.unique("nowhere"), "unroutable");
        String full = t.queue(channel, Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
        confirmed(channel, full, "fits");
        send(channel, full, "too many");
        Harness.check(!channel.waitForConfirms(Harness.WAIT_MS), "the message to a full queue was acked");
    }

    static void mandatoryReturn(Harness.Context t) throws Exception {
        Channel channel = t.confirming();
        BlockingQueue<Object> events = new LinkedBlockingQueue<>();
        channel.addReturnListener((Return returned) -> events.add(returned));
        channel.addConfirmListener((tag, multiple) -> events.add("ack"), (tag, multiple) -> events.add("nack"));
        String key = Harness.unique("nowhere");
        channel.basicPublish("", key, true, properties().messageId("m1").headers(Map.of("a", 1)).build(), bytes("back"));
        Return returned = (Return) Harness.next("return", events, Harness.WAIT_MS);
        Harness.equal("then", Harness.next("ack", events, Harness.WAIT_MS), "ack");
        Harness.equal("return",
            List.of(returned.getReplyCode(), returned.getReplyText(), returned.getExchange(), returned.getRoutingKey(),
                returned.getProperties().getMessageId(), returned.getProperties().getHeaders(), text(returned.getBody())),
            List.of(312, "NO_ROUTE", "", key, "m1", Map.of("a", 1), "back"));
        channel.basicPublish("", t.queue(channel), true, BARE, bytes("routed"));
        Harness.equal("routed", Harness.next("ack", events, Harness.WAIT_MS), "ack");
    }

    static void prefetch(Harness.Context t) throws Exception {
        Channel channel = t.confirming();
        String queue = t.queue(channel);
        for (int i = 1; i <= 10; i++) {
            confirmed(channel, queue, "" + i);
        }
        channel.basicQos(3);
        Inbox inbox = Inbox.consume(channel, queue, false);
        interface Settled {
            void run(long left) throws Exception;
        }
        // Nothing more arrives: behind a round trip it would be on its way to the inbox. The last
        // step, where all come in order and once each, catches what was slower than that.
        Settled settled = left -> {
            holds(channel, queue, left);
            Harness.check(inbox.deliveries().isEmpty(), "more than the prefetch count");
        };
        Delivery first = inbox.receive("1");
        inbox.receive("2");
        inbox.receive("3");
        settled.run(7);
        channel.basicAck(tag(first), false);
        Delivery fourth = inbox.receive("4");
        settled.run(6);
        channel.basicAck(tag(fourth), true);
        List<Delivery> three = List.of(inbox.receive("5"), inbox.receive("6"), inbox.receive("7"));
        settled.run(3);
        for (Delivery delivery : three) {
            channel.basicAck(tag(delivery), false);
        }
        for (String body : List.of("8", "9", "10")) {
            channel.basicAck(tag(inbox.receive(body)), false);
        }
        settled.run(0);
    }

    static void nackRequeue(Harness.Context t) throws Exception {
        Channel channel = t.confirming();
        String queue = t.queue(channel);
        confirmed(channel, queue, "a", "b", "c");
        Inbox inbox = Inbox.consume(channel, queue, false);
        interface Arrives {
            long run(String body, boolean redelivered) throws Exception;
        }
        Arrives arrives = (body, redelivered) -> {
            Delivery delivery = inbox.receive(body);
            Harness.equal("redelivered of " + body, delivery.getEnvelope().isRedeliver(), redelivered);
            return tag(delivery);
        };
        arrives.run("a", false);
        long b = arrives.run("b", false);
        long c = arrives.run("c", false);
        channel.basicNack(b, false, true);
        arrives.run("b", true);
        channel.basicReject(c, true);
        channel.basicNack(arrives.run("c", true), true, true);
        for (String body : List.of("a", "b", "c")) {
            channel.basicNack(arrives.run(body, true), false, false);
        }
        holds(channel, queue, 0);
        Harness.check(inbox.deliveries().isEmpty(), "delivered again");
    }

    static void deadLetter(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        String dlx = t.exchange(channel, "direct");
        String dead = t.queue(channel);
        channel.queueBind(dead, dlx, "dead");
        String work = t.queue(channel, lettersTo(dlx, "dead"));
        Inbox buried = Inbox.consume(channel, dead, true);
        channel.basicPublish("", work, properties().headers(Map.of("mine", "kept")).build(), bytes("x"));
        channel.basicReject(tag(Inbox.consume(channel, work, false).receive("x")), false);
        Delivery delivery = buried.receive("x");
        Harness.equal("exchange", delivery.getEnvelope().getExchange(), dlx);
        Harness.equal("routing key", delivery.getEnvelope().getRoutingKey(), "dead");
        Harness.equal("header", header(delivery, "mine"), "kept");
        Harness.equal("x-death", deaths(delivery), List.of(death(1, "rejected", work)));
        deathHeaders(delivery, "first", "rejected", work);
        deathHeaders(delivery, "last", "rejected", work);

        String wait = t.queueName();
        String work2 = t.queue(channel, lettersTo("", wait));
        channel.queueDeclare(wait, true, false, false, and(lettersTo("", work2), "x-message-ttl", 100));
        Inbox inbox = Inbox.consume(channel, work2, false);
        send(channel, work2, "retry");
        delivery = inbox.receive("retry");
        Harness.equal("x-death", header(delivery, "x-death"), null);
        channel.basicReject(tag(delivery), false);
        channel.basicReject(tag(inbox.receive("retry")), false);
        delivery = inbox.receive("retry");
        Harness.equal("x-death", deaths(delivery), List.of(death(2, "expired", wait), death(2, "rejected", work2)));
        deathHeaders(delivery, "first", "rejected", work2);
        deathHeaders(delivery, "last", "expired", wait);
    }

    static void ttl(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        String dead = t.queue(channel);
        Inbox inbox = Inbox.consume(channel, dead, true);
        String byQueue = t.queue(channel, and(lettersTo("", dead), "x-message-ttl", 200));
        send(channel, byQueue, "queue");
        Harness.equal("x-death", deaths(inbox.receive("queue")), List.of(death(1, "expired", byQueue)));

        String byMessage = t.queue(channel, lettersTo("", dead));
        channel.basicPublish("", byMessage, properties().expiration("200").build(), bytes("message"));
        Delivery delivery = inbox.receive("message");
        Harness.equal("x-death", deaths(delivery), List.of(and(death(1, "expired", byMessage), "original-expiration", "200")));
        Harness.equal("expiration", delivery.getProperties().getExpiration(), null);

        String expiring = t.queue(channel, Map.of("x-expires", 300));
        CountDownLatch returned = new CountDownLatch(1);
        channel.addReturnListener((Return any) -> returned.countDown());
        Harness.until("a return: the queue has expired", () -> {
            channel.basicPublish("", expiring, true, BARE, bytes("x"));
            return returned.getCount() == 0;
        });
        gone(t, expiring, ch -> ch.queueDeclarePassive(expiring));
    }

    static void priorities(Harness.Context t) throws Exception {
        Channel channel = t.confirming();
        String queue = t.queue(channel, Map.of("x-max-priority", 10));
        Map<String, Integer> priorities = Map.of("a", 1, "b", 5, "c", 3, "e", 10, "f", 5);
        for (String body : List.of("a", "b", "c", "d", "e", "f")) {
            confirmed(channel, queue, properties().priority(priorities.get(body)).build(), bytes(body));
        }
        channel.basicQos(1);
        Inbox inbox = Inbox.consume(channel, queue, false);
        for (String body : List.of("e", "b", "f", "c", "a", "d")) {
            Delivery delivery = inbox.receive(body);
            Harness.equal("priority", delivery.getProperties().getPriority(), priorities.get(body));
            channel.basicAck(tag(delivery), false);
        }
    }

    static void rpcDirectReplyTo(Harness.Context t) throws Exception {
        Channel server = t.channel();
        String requests = t.queue(server);
        BlockingQueue<String> replyTos = new LinkedBlockingQueue<>();
        server.basicConsume(requests, true, (tag, request) -> {
            AMQP.BasicProperties asked = request.getProperties();
            replyTos.add(asked.getReplyTo());
            AMQP.BasicProperties reply = properties().correlationId(asked.getCorrelationId()).build();
            server.basicPublish("", asked.getReplyTo(), reply, bytes(text(request.getBody()).toUpperCase()));
        }, tag -> {});
        Channel client = t.connect().createChannel();
        Inbox replies = Inbox.consume(client, "amq.rabbitmq.reply-to", true);
        List<String> ids = List.of("one", "two", "three");
        for (String id : ids) {
            client.basicPublish("", requests, properties().replyTo("amq.rabbitmq.reply-to").correlationId(id).build(), bytes("hello " + id));
        }
        for (String id : ids) {
            Delivery reply = replies.receive("HELLO " + id.toUpperCase());
            Harness.equal("correlation id", reply.getProperties().getCorrelationId(), id);
            Harness.check(Harness.next("reply-to", replyTos, 0).startsWith("amq.rabbitmq.reply-to."), "reply-to");
        }
    }

    static void exclusiveAutoDelete(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        Connection owner = t.connect();
        String exclusive = owner.createChannel().queueDeclare(t.queueName(), false, true, false, null).getQueue();
        Channel locked = t.channel();
        Harness.refused(405, "RESOURCE_LOCKED", () -> locked.queueDeclarePassive(exclusive));
        owner.close();
        missing(t, ch -> ch.queueDeclarePassive(exclusive));

        String fleeting = channel.queueDeclare(t.queueName(), true, false, true, null).getQueue();
        channel.basicCancel(Inbox.consume(channel, fleeting, true).tag());
        gone(t, fleeting, ch -> ch.queueDeclarePassive(fleeting));

        String exchange = t.exchangeName();
        channel.exchangeDeclare(exchange, "direct", true, true, null);
        String queue = t.queue(channel);
        channel.queueBind(queue, exchange, "key");
        channel.queueUnbind(queue, exchange, "key");
        gone(t, exchange, ch -> ch.exchangeDeclarePassive(exchange));
    }

    static void largeBody(Harness.Context t) throws Exception {
        Channel channel = t.confirming();
        String queue = t.queue(channel);
        Random random = new Random(1);
        List<byte[]> bodies = new ArrayList<>();
        for (int size : new int[] {0, 1, 131063, 131064, 131065, 131072, 10 << 20}) {
            byte[] body = new byte[size];
            random.nextBytes(body);
            bodies.add(body);
            confirmed(channel, queue, BARE, body);
        }
        Inbox inbox = Inbox.consume(channel, queue, true);
        for (byte[] body : bodies) {
            Harness.check(Arrays.equals(inbox.next().getBody(), body), "a body of " + body.length + " bytes came back changed");
        }
    }

    static void cancelNotification(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Inbox inbox = Inbox.consume(channel, queue, false);
        t.channel().queueDelete(queue);
        Harness.equal("cancelled", Harness.next("cancel", inbox.cancels(), Harness.WAIT_MS), inbox.tag());
        channel.queueDeclare();
    }

    static void errors(Harness.Context t) throws Exception {
        Connection connection = t.connect();
        String at = " in vhost '" + Harness.vhost() + "'";
        String nowhere = Harness.unique("missing");
        Harness.refused(404, "NOT_FOUND - no queue '" + nowhere + "'" + at, () -> Inbox.consume(t.channel(), nowhere, true));
        String queue = t.queue(t.channel());
        Harness.refused(406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '" + queue + "'" + at
            + ": received 'false' but current is 'true'", () -> t.channel().queueDeclare(queue, false, false, false, null));
        Harness.refused(403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct'" + at + " not allowed",
            () -> t.channel().exchangeDelete("amq.direct"));
        String exclusive = t.connect().createChannel().queueDeclare().getQueue();
        Harness.refused(405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '" + exclusive + "'" + at + ".",
            () -> t.channel().queueDeclarePassive(exclusive));

        ConnectionFactory factory = Harness.factory(Harness.env("AMQP_URL"));
        factory.setVirtualHost(nowhere);
        Harness.refused(530, "NOT_ALLOWED - vhost " + nowhere + " not found", () -> t.connect(factory));
        ConnectionFactory stranger = Harness.factory(Harness.env("AMQP_URL"));
        stranger.setUsername("conformance-nobody");
        stranger.setPassword(nowhere);
        try {
            t.connect(stranger);
            Harness.check(false, "logged in with a wrong password");
        } catch (AuthenticationFailureException e) {
            Harness.equal("text", e.getMessage(), "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."
                + " For details see the broker logfile.");
        }
        connection.createChannel().queueDeclare();
    }

    static void heartbeatLoss(Harness.Context t) throws Exception {
        ConnectionFactory factory = Harness.factory(Harness.env("PROXY_URL"));
        factory.setRequestedHeartbeat(1);
        Connection connection = t.connect(factory);
        Channel channel = connection.createChannel();
        Inbox.consume(channel, t.queue(channel), true);
        BlockingQueue<ShutdownSignalException> lost = new LinkedBlockingQueue<>();
        connection.addShutdownListener(lost::add);
        Harness.equal("lost while nothing was wrong", lost.poll(3, TimeUnit.SECONDS), null); // three heartbeats, idle
        Harness.proxy("freeze");
        try {
            ShutdownSignalException signal = Harness.next("notice of the lost connection", lost, Harness.WAIT_MS);
            Harness.check(!signal.isInitiatedByApplication(), "closed by " + signal);
            Harness.check(!channel.isOpen(), "the channel is still open");
        } finally {
            Harness.proxy("thaw");
        }
    }

    static void reconnect(Harness.Context t) throws Exception {
        ConnectionFactory factory = Harness.factory(Harness.env("PROXY_URL"));
        factory.setAutomaticRecoveryEnabled(true);
        factory.setNetworkRecoveryInterval(50);
        Connection connection = t.connect(factory);
        Channel channel = connection.createChannel();
        String queue = t.queue(channel);
        channel.basicQos(10);
        Inbox inbox = Inbox.consume(channel, queue, false);
        send(channel, queue, "a");
        send(channel, queue, "b");
        channel.basicAck(tag(inbox.receive("a")), false);
        inbox.receive("b");
        Harness.equal("ready", ready(channel, queue), 0L); // behind the ack, so that has arrived
        CountDownLatch recovered = new CountDownLatch(1);
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable recoverable) {
                recovered.countDown();
            }

            @Override
            public void handleRecoveryStarted(Recoverable recoverable) {}
        });
        Harness.proxy("cut");
        Harness.check(recovered.await(Harness.WAIT_MS, TimeUnit.MILLISECONDS), "no recovery");
        Delivery again = inbox.receive("b");
        Harness.equal("redelivered", again.getEnvelope().isRedeliver(), true);
        channel.basicAck(tag(again), false);
        send(channel, queue, "c");
        channel.basicAck(tag(inbox.receive("c")), false);
        holds(channel, queue, 0);
        Harness.check(inbox.deliveries().isEmpty(), "something came twice");
    }

    static void channels1000(Harness.Context t) throws Exception {
        Connection connection = t.connect();
        Channel first = connection.createChannel();
        String queue = t.queue(first);
        List<Channel> channels = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            channels.add(connection.createChannel());
        }
        for (int i = 0; i < 1000; i++) {
            channels.get(i).queueDeclarePassive(queue);
            send(channels.get(i), queue, "" + i);
        }
        Inbox inbox = Inbox.consume(first, queue, true);
        Set<String> seen = new HashSet<>();
        for (int i = 0; i < 1000; i++) {
            seen.add(text(inbox.next().getBody()));
        }
        Harness.equal("different messages", seen.size(), 1000);
        for (Channel channel : channels) {
            channel.close();
        }
        connection.close();
    }

    static void tx(Harness.Context t) throws Exception {
        Channel watcher = t.channel();
        Channel first = t.channel();
        String queue = t.queue(first);
        first.txSelect();
        send(first, queue, "1");
        send(first, queue, "2");
        Harness.equal("before the commit", ready(first, queue), 0L);
        Harness.equal("before the commit", ready(watcher, queue), 0L);
        first.txCommit();
        holds(watcher, queue, 2);
        send(first, queue, "3");
        first.txRollback();
        holds(watcher, queue, 2);
        Inbox inbox = Inbox.consume(first, queue, false);
        for (String body : List.of("1", "2")) {
            first.basicAck(tag(inbox.receive(body)), false);
        }
        first.txRollback();
        first.close();
        holds(watcher, queue, 2);

        Channel second = t.channel();
        second.txSelect();
        inbox = Inbox.consume(second, queue, false);
        for (String body : List.of("1", "2")) {
            second.basicAck(tag(inbox.receive(body)), false);
        }
        second.txCommit();
        second.close();
        holds(watcher, queue, 0);
    }

    static void headersAndProperties(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        String queue = t.queue(channel);
        Inbox inbox = Inbox.consume(channel, queue, true);
        Date when = new Date(1_700_000_000_000L);
        Map<String, Object> headers = new HashMap<>(Map.of(
            "string", "grüße", "empty", "", "yes", true, "no", false, "byte", (byte) -5, "short", (short) -3000, "int", -2_000_000_000,
            "long", 9_000_000_000_000_000_000L, "float", 0.5f, "double", 1.25));
        headers.put("void", null);
        headers.put("decimal", new BigDecimal("3.14"));
        headers.put("bytes", new byte[] {0, -1});
        headers.put("time", when);
        headers.put("table", Map.of("inner", Map.of("innermost", List.of(1)), "empty", Map.of()));
        headers.put("array", Arrays.asList("a", 2, Arrays.asList(true, null), Map.of("three", 3L)));
        AMQP.BasicProperties sent = new AMQP.BasicProperties("text/plain", "utf-8", headers, 2, 7, "c1", "r1", "60000", "m1", when, "t1",
            Harness.factory(Harness.env("AMQP_URL")).getUsername(), "a1", "k1");
        channel.basicPublish("", queue, sent, bytes("x"));
        AMQP.BasicProperties got = inbox.receive("x").getProperties();
        Harness.equal("headers", plain(got.getHeaders()), plain(headers));
        Harness.equal("properties", got.builder().headers(null).build(), sent.builder().headers(null).build());
        send(channel, queue, "y");
        Harness.equal("no properties", inbox.receive("y").getProperties(), BARE);
    }

    static void exchangeToExchange(Harness.Context t) throws Exception {
        Channel channel = t.channel();
        String a = t.exchange(channel, "fanout");
        String b = t.exchange(channel, "topic");
        String queue = t.queue(channel);
        channel.exchangeBind(b, a, "");
        channel.queueBind(queue, b, "k.#");
        Inbox inbox = Inbox.consume(channel, queue, true);
        channel.basicPublish(a, "k.1", BARE, bytes("k.1"));
        channel.basicPublish(a, "other", BARE, bytes("other"));
        arrives(inbox, a, "k.1");
        channel.exchangeUnbind(b, a, "");
        channel.basicPublish(a, "k.2", BARE, bytes("k.2"));
        channel.basicPublish(b, "k.3", BARE, bytes("k.3"));
        arrives(inbox, b, "k.3");
    }

    static void tls(Harness.Context t) throws Exception {
        String url = System.getenv("AMQPS_URL");
        if (url == null) {
            return; // a broker that was started by somebody else
        }
        Path folder = Path.of(System.getenv("TLS_FOLDER"));
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream pem = Files.newInputStream(folder.resolve("ca.pem"))) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        char[] password = "changeit".toCharArray();
        KeyStore own = KeyStore.getInstance(folder.resolve("client.p12").toFile(), password);
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, password);

        SSLContext trusting = SSLContext.getInstance("TLS");
        trusting.init(null, trust.getTrustManagers(), null);
        thereAndBack(t, url, trusting, DefaultSaslConfig.PLAIN);
        try {
            thereAndBack(t, url, SSLContext.getDefault(), DefaultSaslConfig.PLAIN);
        } catch (SSLException refused) {
            trusting = null;
        }
        Harness.check(trusting == null, "a certificate that nobody vouches for was believed");
        SSLContext showing = SSLContext.getInstance("TLS");
        showing.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        thereAndBack(t, url, showing, DefaultSaslConfig.EXTERNAL);
    }

    private static void thereAndBack(Harness.Context t, String url, SSLContext tls, SaslConfig sasl) throws Exception {
        ConnectionFactory factory = Harness.factory(url);
        factory.useSslProtocol(tls);
        factory.enableHostnameVerification();
        factory.setSaslConfig(sasl);
        Channel channel = t.connect(factory).createChannel();
        channel.confirmSelect();
        String queue = channel.queueDeclare().getQueue();
        byte[] body = new byte[1024 * 1024];
        new Random(7).nextBytes(body);
        confirmed(channel, queue, BARE, body);
        Harness.check(Arrays.equals(channel.basicGet(queue, true).getBody(), body), "another body came back");
    }

    static void get(Harness.Context t) throws Exception {
        Channel channel = t.confirming();
        String queue = t.queue(channel);
        interface Take {
            long run(String body, int left, boolean redelivered, boolean autoAck) throws Exception;
        }
        Take take = (body, left, redelivered, autoAck) -> {
            GetResponse got = channel.basicGet(queue, autoAck);
            Harness.check(got != null, "the queue is empty");
            Harness.equal("get-ok",
                List.of(text(got.getBody()), got.getMessageCount(), got.getEnvelope().isRedeliver(), got.getEnvelope().getExchange(),
                    got.getEnvelope().getRoutingKey()),
                List.of(body, left, redelivered, "", queue));
            return got.getEnvelope().getDeliveryTag();
        };
        Harness.equal("get", channel.basicGet(queue, false), null);
        confirmed(channel, queue, "1", "2", "3");
        long first = take.run("1", 2, false, false);
        take.run("2", 1, false, true);
        long third = take.run("3", 0, false, false);
        channel.basicNack(first, false, true);
        channel.basicAck(third, false);
        channel.basicAck(take.run("1", 0, true, false), false);
        Harness.equal("get", channel.basicGet(queue, false), null);
    }

    public static void main(String[] arguments) throws Exception {
        Harness harness = new Harness();
        harness.story("declare", Stories::declare);
        harness.story("bind", Stories::bind);
        harness.story("publish-consume", Stories::publishConsume);
        harness.story("confirms", Stories::confirms);
        harness.story("mandatory-return", Stories::mandatoryReturn);
        harness.story("prefetch", Stories::prefetch);
        harness.story("nack-requeue", Stories::nackRequeue);
        harness.story("dead-letter", Stories::deadLetter);
        harness.story("ttl", Stories::ttl);
        harness.story("priorities", Stories::priorities);
        harness.story("rpc-direct-reply-to", Stories::rpcDirectReplyTo);
        harness.story("exclusive-auto-delete", Stories::exclusiveAutoDelete);
        harness.story("large-body", Stories::largeBody);
        harness.story("cancel-notification", Stories::cancelNotification);
        harness.story("errors", Stories::errors);
        harness.story("heartbeat-loss", Stories::heartbeatLoss);
        harness.story("reconnect", Stories::reconnect);
        harness.story("channels-1000", Stories::channels1000);
        harness.story("tx", Stories::tx);
        harness.story("headers-and-properties", Stories::headersAndProperties);
        harness.story("exchange-to-exchange", Stories::exchangeToExchange);
        harness.story("get", Stories::get);
        harness.story("tls", Stories::tls);
        harness.main(arguments);
    }
}
