import { useState } from "preact/hooks";
import type { Listener } from "../api/types";
import { Copy, Section, Tabs } from "../ui/basics";

/** What to type in five languages to send a first message. */
const SNIPPETS: Record<string, (url: string) => string> = {
  Python: (url) => `# pip install pika
import pika

connection = pika.BlockingConnection(pika.URLParameters("${url}"))
channel = connection.channel()
channel.queue_declare("hello", durable=True)
channel.basic_publish("", "hello", b"Hello, world")
connection.close()`,
  JavaScript: (url) => `// npm install amqplib
import amqp from "amqplib";

const connection = await amqp.connect("${url}");
const channel = await connection.createChannel();
await channel.assertQueue("hello");
channel.sendToQueue("hello", Buffer.from("Hello, world"));
await channel.close();
await connection.close();`,
  Java: (url) => `// com.rabbitmq:amqp-client
ConnectionFactory factory = new ConnectionFactory();
factory.setUri("${url}");
try (Connection connection = factory.newConnection(); Channel channel = connection.createChannel()) {
    channel.queueDeclare("hello", true, false, false, null);
    channel.basicPublish("", "hello", null, "Hello, world".getBytes());
}`,
  Go: (url) => `// go get github.com/rabbitmq/amqp091-go
connection, _ := amqp.Dial("${url}")
defer connection.Close()
channel, _ := connection.Channel()
channel.QueueDeclare("hello", true, false, false, false, nil)
channel.PublishWithContext(ctx, "", "hello", false, false, amqp.Publishing{Body: []byte("Hello, world")})`,
  "C#": (url) => `// dotnet add package RabbitMQ.Client
var factory = new ConnectionFactory { Uri = new Uri("${url}") };
await using var connection = await factory.CreateConnectionAsync();
await using var channel = await connection.CreateChannelAsync();
await channel.QueueDeclareAsync("hello", durable: true, exclusive: false, autoDelete: false);
await channel.BasicPublishAsync("", "hello", Encoding.UTF8.GetBytes("Hello, world"));`,
};

/** Where a program connects to, as seen from where this page was opened. */
export function connectionUrl(listeners: Listener[], host: string): string {
  const plain = listeners.find((one) => one.protocol === "amqp");
  const port = plain?.port ?? 5672;
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `amqp://guest:guest@${name}:${port}/`;
}

/** For a broker that nobody uses yet. */
export function FirstSteps({ listeners }: { listeners: Listener[] }) {
  const [language, setLanguage] = useState("Python");
  const url = connectionUrl(listeners, location.hostname);
  const code = SNIPPETS[language]?.(url) ?? "";
  return (
    <Section title="Nothing is connected yet">
      <p>
        Programs connect to <code>{url}</code> <Copy text={url} label="Copy address" /> with any client library for RabbitMQ.
      </p>
      <div class="snippet">
        <div class="snippet-head">
          <Tabs label="Language" chosen={language} onChoose={setLanguage} tabs={Object.keys(SNIPPETS).map((name) => ({ id: name, title: name }))} />
          <Copy text={code} />
        </div>
        <pre tabIndex={0} role="region" aria-label={`Program in ${language}`}>
          {code}
        </pre>
      </div>
    </Section>
  );
}
