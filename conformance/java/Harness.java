import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What the stories share: their registry, deadlines, checks, the proxy's control connection. */
final class Harness {
    static final long WAIT_MS = 60_000;

    interface Body {
        void run(Context context) throws Exception;
    }

    record Story(Body body, long deadlineSeconds) {}

    private final Map<String, Story> stories = new LinkedHashMap<>();

    void story(String name, Body body) {
        story(name, 240, body);
    }

    void story(String name, long deadlineSeconds, Body body) {
        stories.put(name, new Story(body, deadlineSeconds));
    }

    /** Connections of one story, and the names to delete after it. */
    static final class Context {
        private final List<Connection> connections = new ArrayList<>();
        private final List<String> queues = new ArrayList<>();
        private final List<String> exchanges = new ArrayList<>();

        Connection connect() throws Exception {
            return connect(factory(env("AMQP_URL")));
        }

        Connection connect(ConnectionFactory factory) throws Exception {
            Connection connection = factory.newConnection();
            connections.add(connection);
            return connection;
        }

        /** A new channel on the story's first connection. */
        Channel channel() throws Exception {
            return (connections.isEmpty() ? connect() : connections.get(0)).createChannel();
        }

        Channel confirming() throws Exception {
            Channel channel = channel();
            channel.confirmSelect();
            return channel;
        }

        String queueName() {
            queues.add(unique("queue"));
            return queues.get(queues.size() - 1);
        }

        String exchangeName() {
            exchanges.add(unique("exchange"));
            return exchanges.get(exchanges.size() - 1);
        }

        String queue(Channel channel, Map<String, Object> arguments) throws Exception {
            return channel.queueDeclare(queueName(), true, false, false, arguments).getQueue();
        }

        String queue(Channel channel) throws Exception {
            return queue(channel, null);
        }

        String exchange(Channel channel, String type) throws Exception {
            String name = exchangeName();
            channel.exchangeDeclare(name, type, true);
            return name;
        }

        void tidy() throws Exception {
            for (Connection connection : connections) {
                connection.abort(2000);
            }
            if (queues.isEmpty() && exchanges.isEmpty()) {
                return;
            }
            try (Connection connection = factory(env("AMQP_URL")).newConnection()) {
                Channel channel = connection.createChannel();
                for (String name : queues) {
                    channel.queueDelete(name);
                }
                for (String name : exchanges) {
                    channel.exchangeDelete(name);
                }
            }
        }
    }

    static ConnectionFactory factory(String uri) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(uri);
        factory.setAutomaticRecoveryEnabled(false);
        return factory;
    }

    static String env(String name) {
        String value = System.getenv(name);
        check(value != null && !value.isEmpty(), name + " is not set");
        return value;
    }

    static String unique(String what) {
        return "conformance-" + what + "-" + Long.toHexString(ThreadLocalRandom.current().nextLong());
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void equal(String what, Object actual, Object expected) {
        check(Objects.equals(actual, expected), what + ": got " + actual + ", want " + expected);
    }

    static <T> T next(String what, BlockingQueue<T> queue, long millis) throws Exception {
        T item = queue.poll(millis, TimeUnit.MILLISECONDS);
        check(item != null, "no " + what + " within " + millis + " ms");
        return item;
    }

    /** Polls until the condition holds. */
    static void until(String what, Callable<Boolean> condition) throws Exception {
        for (long end = System.currentTimeMillis() + WAIT_MS; !condition.call(); Thread.sleep(20)) {
            check(System.currentTimeMillis() < end, "not within " + WAIT_MS + " ms: " + what);
        }
    }

    interface Operation {
        void run() throws Exception;
    }

    /** The operation must fail with this code and a text beginning with `text`. */
    static void refused(int code, String text, Operation operation) throws Exception {
        try {
            operation.run();
        } catch (Exception e) {
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                if (cause instanceof ShutdownSignalException signal) {
                    int actual;
                    String reason;
                    if (signal.getReason() instanceof AMQP.Channel.Close close) {
                        actual = close.getReplyCode();
                        reason = close.getReplyText();
                    } else {
                        AMQP.Connection.Close close = (AMQP.Connection.Close) signal.getReason();
                        actual = close.getReplyCode();
                        reason = close.getReplyText();
                    }
                    check(actual == code && reason.startsWith(text), "want " + code + " " + text + ", got " + actual + " " + reason);
                    return;
                }
            }
            throw e;
        }
        throw new AssertionError("succeeded, where this was due: " + code + " " + text);
    }

    static String vhost() {
        String path = URI.create(env("AMQP_URL")).getPath();
        return path == null || path.length() < 2 ? "/" : path.substring(1);
    }

    /** Sends one command (freeze, thaw, cut) to the test proxy. */
    static void proxy(String command) throws Exception {
        String[] address = env("PROXY_CONTROL").split(":(?=\\d+$)");
        try (Socket socket = new Socket(address[0], Integer.parseInt(address[1]))) {
            socket.setSoTimeout((int) WAIT_MS);
            socket.getOutputStream().write((command + "\n").getBytes(StandardCharsets.US_ASCII));
            equal("the proxy's answer", new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine(), "ok");
        }
    }

    /** Why the operation failed, or null. */
    private static String attempt(long seconds, Operation operation) throws InterruptedException {
        FutureTask<Void> task = new FutureTask<>(() -> {
            operation.run();
            return null;
        });
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
        try {
            task.get(seconds, TimeUnit.SECONDS);
            return null;
        } catch (TimeoutException e) {
            thread.interrupt();
            return "not finished within " + seconds + " s";
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            if (System.getenv("CONFORMANCE_TRACE") != null) {
                cause.printStackTrace();
            }
            String text = cause instanceof AssertionError ? cause.getMessage() : cause.toString();
            if (cause.getCause() != null) {
                text += " (" + cause.getCause() + ")";
            }
            return text.replaceAll("\\s+", " ");
        }
    }

    void main(String[] arguments) throws Exception {
        List<String> wanted = Arrays.asList(arguments);
        int passed = 0;
        int failed = 0;
        for (String name : wanted) {
            if (!stories.containsKey(name)) {
                failed++;
                System.out.println("FAIL " + name + ": no such story");
            }
        }
        for (Map.Entry<String, Story> entry : stories.entrySet()) {
            String name = entry.getKey();
            Story story = entry.getValue();
            if (!wanted.isEmpty() && !wanted.contains(name)) {
                continue;
            }
            Context context = new Context();
            String reason = attempt(story.deadlineSeconds(), () -> story.body().run(context));
            String untidy = attempt(story.deadlineSeconds(), context::tidy);
            if (reason == null && untidy != null) {
                reason = "tidying up: " + untidy;
            }
            if (reason == null) {
                passed++;
                System.out.println("ok " + name);
            } else {
                failed++;
                System.out.println("FAIL " + name + ": " + reason);
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
