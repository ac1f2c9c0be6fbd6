<?php
// PHP: the library php-amqplib, the calls that Laravel's queue driver makes with it, and Symfony's Messenger over the extension amqp.
declare(strict_types=1);

require_once 'PhpAmqpLib/autoload.php';
require_once 'Symfony/Component/Messenger/autoload.php';
require_once 'Symfony/Component/Messenger/Bridge/Amqp/autoload.php';
require_once __DIR__ . '/harness.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;
use Symfony\Component\Messenger\Bridge\Amqp\Transport\AmqpReceivedStamp;
use Symfony\Component\Messenger\Bridge\Amqp\Transport\AmqpStamp;
use Symfony\Component\Messenger\Bridge\Amqp\Transport\AmqpTransport;
use Symfony\Component\Messenger\Bridge\Amqp\Transport\Connection;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Stamp\DelayStamp;

/** A connection, and names that are deleted at the end. */
final class Session
{
    public AMQPStreamConnection $connection;
    private array $queues = [];
    private array $exchanges = [];

    public function __construct()
    {
        $this->connection = new AMQPStreamConnection(...$this->parts(), connection_timeout: WAIT_SECONDS, read_write_timeout: WAIT_SECONDS);
    }

    /** Host, port, user, password and virtual host of the broker. */
    public function parts(): array
    {
        $url = parse_url(getenv('AMQP_URL'));
        $vhost = rawurldecode(substr($url['path'] ?? '', 1)) ?: '/';
        return [$url['host'], $url['port'] ?? 5672, rawurldecode($url['user']), rawurldecode($url['pass']), $vhost];
    }

    public function queue(?string $name = null): string
    {
        return $this->queues[] = $name ?? unique('php');
    }

    public function exchange(): string
    {
        return $this->exchanges[] = unique('php');
    }

    public function close(): void
    {
        if (!$this->connection->isConnected()) {
            $this->connection->reconnect();
        }
        $channel = $this->connection->channel();
        foreach ($this->queues as $each) {
            $channel->queue_delete($each);
        }
        foreach ($this->exchanges as $each) {
            $channel->exchange_delete($each);
        }
        $this->connection->close();
    }
}

/** Whether a passive declare finds it. The channel is gone if not, as the drivers expect, with 404 and nothing else. */
function exists(Session $s, callable $declare): bool
{
    $channel = $s->connection->channel();
    try {
        $declare($channel);
        $channel->close();
        return true;
    } catch (AMQPProtocolChannelException $refused) {
        same('reply code', $refused->amqp_reply_code, 404);
        return false;
    }
}

$stories = [];

$stories['publish-consume'] = function (Session $s): void {
    $channel = $s->connection->channel();
    $queue = $s->queue();
    same('declared', $channel->queue_declare($queue, false, true, false, false), [$queue, 0, 0]);
    $channel->confirm_select();
    foreach (range(0, 99) as $n) {
        $channel->batch_basic_publish(new AMQPMessage("message $n", ['delivery_mode' => 2]), '', $queue);
    }
    $channel->publish_batch();
    $channel->wait_for_pending_acks(WAIT_SECONDS);
    $got = [];
    $channel->basic_qos(0, 10, false);
    $channel->basic_consume($queue, '', false, false, false, false, function (AMQPMessage $message) use (&$got): void {
        $got[] = $message->getBody();
        $message->ack();
    });
    while (count($got) < 100) {
        $channel->wait(null, false, WAIT_SECONDS);
    }
    same('bodies', $got, array_map(fn ($n) => "message $n", range(0, 99)));
};

$stories['headers'] = function (Session $s): void {
    $channel = $s->connection->channel();
    $channel->queue_declare($queue = $s->queue(), false, true, false, false);
    // In the order in which RabbitMQ gives them back.
    $headers = ['big' => 1 << 40, 'list' => [1, 'two'], 'none' => null, 'number' => -5, 'table' => ['a' => ['b' => 1]], 'text' => 'ä', 'yes' => true];
    $properties = ['content_type' => 'text/plain', 'priority' => 7, 'correlation_id' => 'c', 'message_id' => 'm', 'type' => 't', 'app_id' => 'a'];
    $channel->basic_publish(new AMQPMessage('x', $properties + ['application_headers' => new AMQPTable($headers)]), '', $queue);
    $message = eventually('a message', fn () => $channel->basic_get($queue, true));
    same('headers', $message->get('application_headers')->getNativeData(), $headers);
    foreach ($properties as $name => $value) {
        same($name, $message->get($name), $value);
    }
};

// Laravel: is it there? A passive declare with an empty type, a passive declare of the queue; both on a channel for once.
$stories['laravel-passive'] = function (Session $s): void {
    $exchange = $s->exchange();
    $queue = $s->queue();
    $find = fn (AMQPChannel $channel) => $channel->exchange_declare($exchange, '', true);
    $count = fn (AMQPChannel $channel) => $channel->queue_declare($queue, true);
    same('the exchange is there', exists($s, $find), false);
    same('the queue is there', exists($s, $count), false);
    $channel = $s->connection->channel();
    // No answer is asked for.
    $channel->exchange_declare($exchange, 'direct', false, true, false, false, true, new AMQPTable([]));
    $channel->queue_declare($queue, false, true, false, false, false, new AMQPTable(['x-max-priority' => 10]));
    $channel->queue_bind($queue, $exchange, $queue);
    same('the exchange is there', exists($s, $find), true);
    same('the queue is there', exists($s, $count), true);
    foreach ([1, 9] as $priority) {
        $channel->basic_publish(new AMQPMessage("priority $priority", ['priority' => $priority, 'delivery_mode' => 2]), $exchange, $queue, true);
    }
    eventually('the size is two', fn () => $channel->queue_declare($queue, true)[1] === 2);
    same('first', $channel->basic_get($queue, true)->getBody(), 'priority 9');
    $channel->queue_purge($queue);
    same('size', $channel->queue_declare($queue, true)[1], 0);
};

// Laravel: a job for later, then one that failed and is released: a queue for each delay.
$stories['laravel-later'] = function (Session $s): void {
    $channel = $s->connection->channel();
    $queue = $s->queue();
    $channel->queue_declare($queue, false, true, false, false, false, new AMQPTable([]));
    $milliseconds = 300;
    $delay = $s->queue("$queue.delay.$milliseconds");
    $arguments = ['x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => $queue, 'x-message-ttl' => $milliseconds, 'x-expires' => 60_000];
    $headers = new AMQPTable(['laravel' => ['attempts' => 1]]);
    foreach (['once', 'twice'] as $body) {
        $channel->queue_declare($delay, false, true, false, false, false, new AMQPTable($arguments));
        $channel->basic_publish(new AMQPMessage($body, ['delivery_mode' => 2, 'application_headers' => $headers]), '', $delay, true);
        $message = eventually('the job', fn () => $channel->basic_get($queue));
        same('body', $message->getBody(), $body);
        same('attempts', $message->get('application_headers')->getNativeData()['laravel'], ['attempts' => 1]);
        $channel->basic_ack($message->getDeliveryTag());
    }
    // pop() from a queue that is not there.
    same('there', exists($s, fn (AMQPChannel $other) => $other->basic_get(unique('missing'))), false);
};

/** A transport of Messenger, of which nothing is left afterwards. */
function messenger(Session $s, array $options = []): array
{
    [$host, $port, $login, $password, $vhost] = $s->parts();
    $exchange = $s->exchange();
    $queue = $s->queue();
    $all = array_replace_recursive([
        'host' => $host, 'port' => $port, 'vhost' => $vhost, 'login' => $login, 'password' => $password,
        'read_timeout' => WAIT_SECONDS, 'confirm_timeout' => WAIT_SECONDS,
        'exchange' => ['name' => $exchange, 'type' => 'fanout'],
        'queues' => [$queue => []],
        'delay' => ['exchange_name' => $s->exchange()],
    ], $options);
    $connection = Connection::fromDsn('amqp://', $all);
    return [new AmqpTransport($connection), $connection, $exchange, $queue];
}

function received(AmqpTransport $transport): Envelope
{
    return eventually('a message', function () use ($transport) {
        foreach ($transport->get() as $envelope) {
            return $envelope;
        }
        return null;
    });
}

$stories['messenger'] = function (Session $s): void {
    [$transport] = messenger($s);
    $transport->setup();
    $transport->send(new Envelope((object) ['id' => 1]));
    same('count', eventually('one message', fn () => $transport->getMessageCount()), 1);
    $envelope = received($transport);
    same('id', $envelope->getMessage()->id, 1);
    $transport->ack($envelope);
    $transport->send(new Envelope((object) ['id' => 2]));
    $transport->reject(received($transport));
    same('count', $transport->getMessageCount(), 0);
};

$stories['messenger-bindings'] = function (Session $s): void {
    $queue = $s->queue();
    $quorum = ['x-queue-type' => 'quorum', 'x-max-length' => '100'];
    $queues = [$queue => ['binding_keys' => ['orders.*', 'bills.#'], 'arguments' => $quorum]];
    [$transport] = messenger($s, ['exchange' => ['type' => 'topic', 'default_publish_routing_key' => 'bills.a.b'], 'queues' => $queues]);
    $transport->send(new Envelope((object) ['id' => 1], [new AmqpStamp('orders.made')]));
    $transport->send(new Envelope((object) ['id' => 2]));
    $transport->send(new Envelope((object) ['id' => 3], [new AmqpStamp('nobody')]));
    foreach ([1, 2] as $id) {
        $envelope = eventually('a message', fn () => iterator_to_array($transport->getFromQueues([$queue]))[0] ?? null);
        same('id', $envelope->getMessage()->id, $id);
        $transport->ack($envelope);
    }
    same('count', $transport->getMessageCount(), 0);
};

// The queue of a delay goes ten seconds after its messages went.
$stories['messenger-delay'] = function (Session $s): void {
    [$transport, , $exchange, $queue] = messenger($s);
    $milliseconds = 300;
    $s->queue("delay_{$exchange}__{$milliseconds}_delay");
    $transport->send(new Envelope((object) ['id' => 1], [new DelayStamp($milliseconds)]));
    $envelope = received($transport);
    same('id', $envelope->getMessage()->id, 1);
    $transport->ack($envelope);
    // A retry goes to the one queue by the default exchange.
    $s->queue("delay_{$exchange}_{$queue}_{$milliseconds}_retry");
    $received = $envelope->last(AmqpReceivedStamp::class)->getAmqpEnvelope();
    $again = AmqpStamp::createFromAmqpEnvelope($received, null, $queue);
    $transport->send(new Envelope((object) ['id' => 2], [new DelayStamp($milliseconds), $again]));
    $envelope = received($transport);
    same('id', $envelope->getMessage()->id, 2);
    $transport->ack($envelope);
};

exit(tell($stories, array_slice($argv, 1)));
