// The stories of Watermill: its publishers and subscribers for AMQP, in the configurations that its documentation offers.
package main

import (
	"context"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wm "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
)

var stories = []story{
	{name: "publish-subscribe", body: publishSubscribe},
	{name: "work-queue", body: workQueue},
	{name: "topics", body: topics},
	{name: "transactions", body: transactions},
	{name: "nacks", body: nacks},
	{name: "refused-for-good", body: refusedForGood},
	{name: "reconnect", body: reconnect},
}

var quiet = watermill.NopLogger{}

// closing has something closed within this story: Watermill waits for what runs.
func closing(t *T, thing interface{ Close() error }) { t.endings = append(t.endings, thing.Close) }

func publisher(t *T, config wm.Config) *wm.Publisher {
	made := must(wm.NewPublisher(config, quiet))
	closing(t, made)
	return made
}

func subscribe(t *T, config wm.Config, topic string) <-chan *message.Message {
	made := must(wm.NewSubscriber(config, quiet))
	closing(t, made)
	return must(made.Subscribe(context.Background(), topic))
}

func publish(t *T, to *wm.Publisher, topic string, bodies ...string) {
	for _, body := range bodies {
		sent := message.NewMessage(watermill.NewUUID(), message.Payload(body))
		sent.Metadata.Set("body", body)
		t.ok(to.Publish(topic, sent))
	}
}

// take acknowledges as many messages as these, and compares them.
func take(t *T, from <-chan *message.Message, bodies ...string) {
	for _, body := range bodies {
		got := next(t, body, from)
		t.equal("body", string(got.Payload), body)
		t.equal("metadata", got.Metadata.Get("body"), body)
		got.Ack()
	}
}

func (t *T) exchangeName() string {
	t.exchanges = append(t.exchanges, unique("exchange"))
	return t.exchanges[len(t.exchanges)-1]
}

// A fanout exchange with the name of the topic, and a queue for each group of subscribers.
func publishSubscribe(t *T) {
	topic := t.exchangeName()
	config := func(queue string) wm.Config {
		return wm.NewDurablePubSubConfig(env("AMQP_URL"), wm.GenerateQueueNameConstant(queue))
	}
	first := subscribe(t, config(t.queueName()), topic)
	second := subscribe(t, config(t.queueName()), topic)
	publish(t, publisher(t, config("")), topic, "one", "two", "three")
	take(t, first, "one", "two", "three")
	take(t, second, "one", "two", "three")
}

// Two subscribers share a queue of quorum type; publishes are confirmed.
func workQueue(t *T) {
	topic := t.queueName()
	config := wm.NewDurableQueueConfig(env("AMQP_URL"))
	config.Queue.Arguments = amqp.Table{"x-queue-type": "quorum"}
	config.Publish.ConfirmDelivery = true
	config.Publish.ChannelPoolSize = 2
	first, second := subscribe(t, config, topic), subscribe(t, config, topic)
	publish(t, publisher(t, config), topic, "a", "b", "c", "d")
	var got []string
	for range 4 {
		var each *message.Message
		select {
		case each = <-first:
		case each = <-second:
		case <-time.After(waitDeadline):
			t.fail("only %v arrived", got)
		}
		each.Ack()
		got = append(got, string(each.Payload))
	}
	slices.Sort(got)
	t.equal("bodies", got, []string{"a", "b", "c", "d"})
}

func topics(t *T) {
	exchange, queue := t.exchangeName(), t.queueName()
	config := wm.NewDurableTopicConfig(env("AMQP_URL"), exchange, queue)
	config.Exchange.Durable = true
	got := subscribe(t, config, "orders.#")
	publish(t, publisher(t, config), "bills.made", "not this")
	publish(t, publisher(t, config), "orders.made.twice", "this")
	take(t, got, "this")
}

// Several messages of one publish are one transaction.
func transactions(t *T) {
	topic := t.queueName()
	config := wm.NewDurableQueueConfig(env("AMQP_URL"))
	config.Publish.Transactional = true
	got := subscribe(t, config, topic)
	var sent []*message.Message
	for _, body := range []string{"a", "b", "c"} {
		one := message.NewMessage(watermill.NewUUID(), message.Payload(body))
		one.Metadata.Set("body", body)
		sent = append(sent, one)
	}
	t.ok(publisher(t, config).Publish(topic, sent...))
	take(t, got, "a", "b", "c")
}

// A message that is not acknowledged comes again, as often as it takes.
func nacks(t *T) {
	topic := t.queueName()
	config := wm.NewDurableQueueConfig(env("AMQP_URL"))
	got := subscribe(t, config, topic)
	publish(t, publisher(t, config), topic, "again")
	first := next(t, "message", got)
	first.Nack()
	second := next(t, "message after a nack", got)
	t.equal("identifier", second.UUID, first.UUID)
	second.Ack()
}

func refusedForGood(t *T) {
	topic, dead := t.queueName(), t.queueName()
	plain := t.channel()
	must(plain.QueueDeclare(dead, true, false, false, false, nil))
	config := wm.NewDurableQueueConfig(env("AMQP_URL"))
	config.Consume.NoRequeueOnNack = true
	config.Queue.Arguments = amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
	got := subscribe(t, config, topic)
	publish(t, publisher(t, config), topic, "bad")
	next(t, "message", got).Nack()
	var letter amqp.Delivery
	t.until("there is a dead letter", func() (there bool) {
		letter, there, _ = plain.Get(dead, true)
		return there
	})
	t.equal("body", string(letter.Body), "bad")
	t.equal("reason", letter.Headers["x-first-death-reason"], any("rejected"))
}

func reconnect(t *T) {
	topic := t.queueName()
	config := wm.NewDurableQueueConfig(env("PROXY_URL"))
	config.Publish.ConfirmDelivery = true // else what is written to the lost connection counts as published
	config.Connection.Reconnect = &wm.ReconnectConfig{BackoffInitialInterval: 100 * time.Millisecond, BackoffMultiplier: 1.5, BackoffMaxInterval: time.Second}
	got, to := subscribe(t, config, topic), publisher(t, config)
	publish(t, to, topic, "before")
	take(t, got, "before")
	t.proxy("cut")
	again := message.NewMessage(watermill.NewUUID(), message.Payload("after"))
	again.Metadata.Set("body", "after")
	t.until("it publishes again", func() bool { return to.Publish(topic, again) == nil })
	// The cut may come before the acknowledgement of the first, which then comes again.
	for body := ""; body != "after"; {
		taken := next(t, "after", got)
		body = string(taken.Payload)
		t.check(body == "before" || body == "after", "neither of what was published: %s", body)
		taken.Ack()
	}
}
