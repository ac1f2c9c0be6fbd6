import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;
import java.util.function.Function;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.rabbit.annotation.Exchange;
import org.springframework.amqp.rabbit.annotation.QueueBinding;
import org.springframework.amqp.rabbit.annotation.RabbitListener;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.amqp.health.RabbitHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;
import org.springframework.cloud.stream.function.StreamBridge;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Applications of Spring Boot: its health check, annotated listeners, functions of Spring Cloud Stream. */
final class Boot {
    private Boot() {}

    private static ConfigurableApplicationContext run(Stories s, Class<?> application, Map<String, Object> settings) {
        URI url = URI.create(Stories.env("AMQP_URL"));
        String[] login = url.getUserInfo().split(":", 2);
        Map<String, Object> all = new LinkedHashMap<>(settings);
        all.put("spring.rabbitmq.host", url.getHost());
        all.put("spring.rabbitmq.port", url.getPort());
        all.put("spring.rabbitmq.username", login[0]);
        all.put("spring.rabbitmq.password", login[1]);
        all.put("spring.main.banner-mode", "off");
        all.put("spring.main.web-application-type", "none");
        SpringApplication made = new SpringApplication(application);
        made.setDefaultProperties(all);
        made.setRegisterShutdownHook(false);
        return s.closing(made.run());
    }

    private static final BlockingQueue<String> GOT = new LinkedBlockingQueue<>();

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Listening {
        @RabbitListener(bindings = @QueueBinding(
                value = @org.springframework.amqp.rabbit.annotation.Queue(value = "${story.queue}", durable = "true"),
                exchange = @Exchange(value = "${story.exchange}", type = "topic"), key = "orders.*"))
        void take(String text) {
            GOT.add(text);
        }
    }

    /** It reads the version in the properties of the server. */
    static void health(Stories s) throws Exception {
        String exchange = s.exchange();
        ConfigurableApplicationContext application = run(s, Listening.class, Map.of(
                "story.queue", s.queue(), "story.exchange", exchange,
                "spring.cloud.stream.enabled", "false", "spring.cloud.function.definition", ""));
        application.getBean(RabbitTemplate.class).convertAndSend(exchange, "orders.made", "hello");
        Harness.same("text", Stories.next(GOT), "hello");
        Health health = new RabbitHealthIndicator(application.getBean(RabbitTemplate.class)).health();
        Harness.same("status", health.getStatus(), Status.UP);
        Harness.check("version " + health.getDetails(), String.valueOf(health.getDetails().get("version")).matches("\\d+\\.\\d+\\.\\d+.*"));
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Streaming {
        @Bean
        Function<String, String> upper() {
            return text -> {
                if (text.equals("bad")) {
                    throw new IllegalArgumentException("a bad one");
                }
                return text.toUpperCase();
            };
        }

        @Bean
        Consumer<String> sink() {
            return GOT::add;
        }
    }

    /** Two functions over two exchanges; what fails goes to the dead letters of the group, with the reason. */
    static void cloudStream(Stories s) throws Exception {
        String[] names = {s.exchange(), s.exchange()};
        String[] groups = {names[0] + ".workers", names[1] + ".sinks"};
        String consumer = "spring.cloud.stream.rabbit.bindings.upper-in-0.consumer.";
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("spring.cloud.function.definition", "upper;sink");
        settings.put("spring.cloud.stream.bindings.upper-in-0.destination", names[0]);
        settings.put("spring.cloud.stream.bindings.upper-in-0.group", "workers");
        settings.put("spring.cloud.stream.bindings.upper-in-0.consumer.max-attempts", 1);
        settings.put("spring.cloud.stream.bindings.upper-out-0.destination", names[1]);
        settings.put("spring.cloud.stream.bindings.sink-in-0.destination", names[1]);
        settings.put("spring.cloud.stream.bindings.sink-in-0.group", "sinks");
        settings.put(consumer + "dead-letter-exchange", s.exchange());
        settings.put(consumer + "auto-bind-dlq", true);
        settings.put(consumer + "republish-to-dlq", true);
        settings.put(consumer + "quorum.enabled", true);
        settings.put(consumer + "quorum.initial-group-size", 1);
        settings.put(consumer + "dlq-quorum.enabled", true);
        settings.put("spring.cloud.stream.rabbit.bindings.sink-in-0.consumer.max-length", 100);
        settings.put("spring.cloud.stream.rabbit.bindings.sink-in-0.consumer.single-active-consumer", true);
        s.names(groups[0], groups[1], groups[0] + ".dlq");
        ConfigurableApplicationContext application = run(s, Streaming.class, settings);
        StreamBridge bridge = application.getBean(StreamBridge.class);
        bridge.send(names[0], "hello");
        Harness.same("text", Stories.next(GOT), "HELLO");
        bridge.send(names[0], "bad");
        Message letter = s.template().receive(groups[0] + ".dlq");
        Harness.check("no dead letter", letter != null);
        Harness.same("body", new String(letter.getBody(), StandardCharsets.UTF_8), "bad");
        Harness.check("no reason", String.valueOf(letter.getMessageProperties().getHeaders().get("x-exception-message")).contains("a bad one"));
    }
}
