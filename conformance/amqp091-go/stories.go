// The stories, told by amqp091-go. It knows no cluster-id.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var stories = []story{
	{name: "declare", body: declare},
	{name: "bind", body: bind},
	{name: "publish-consume", body: publishConsume},
	{name: "confirms", body: confirms},
	{name: "mandatory-return", body: mandatoryReturn},
	{name: "prefetch", body: prefetch},
	{name: "nack-requeue", body: nackRequeue},
	{name: "dead-letter", body: deadLetter},
	{name: "ttl", body: ttl},
	{name: "priorities", body: priorities},
	{name: "rpc-direct-reply-to", body: rpcDirectReplyTo},
	{name: "exclusive-auto-delete", body: exclusiveAutoDelete},
	{name: "large-body", body: largeBody},
	{name: "cancel-notification", body: cancelNotification},
	{name: "errors", body: errorsStory},
	{name: "heartbeat-loss", body: heartbeatLoss},
	{name: "reconnect", body: reconnect},
	{name: "channels-1000", body: channels1000},
	{name: "tx", body: tx},
	{name: "headers-and-properties", body: headersAndProperties},
	{name: "exchange-to-exchange", body: exchangeToExchange},
	{name: "get", body: get},
	{name: "tls", body: overTLS},
	{name: "close-while-acking", body: closeWhileAcking},
}

func text(s string) amqp.Publishing { return amqp.Publishing{Body: []byte(s)} }

func publish(t *T, ch *amqp.Channel, exchange, key string, msg amqp.Publishing) {
	t.ok(ch.PublishWithContext(context.Background(), exchange, key, false, false, msg))
}

func send(t *T, ch *amqp.Channel, queue, body string) { publish(t, ch, "", queue, text(body)) }

// confirmed publishes to the default exchange of a confirm channel and waits for the ack.
func confirmed(t *T, ch *amqp.Channel, key string, msgs ...amqp.Publishing) {
	for _, msg := range msgs {
		t.check(acked(t, must(ch.PublishWithDeferredConfirm("", key, false, false, msg))), "nacked")
	}
}

// acked waits for the ack (true) or nack.
func acked(t *T, confirmation *amqp.DeferredConfirmation) bool {
	next(t, "confirmation", confirmation.Done())
	return confirmation.Acked()
}

func consume(ch *amqp.Channel, queue string, autoAck bool) <-chan amqp.Delivery {
	return must(ch.Consume(queue, "", autoAck, false, false, false, nil))
}

// passive declares a queue passively.
func passive(ch *amqp.Channel, queue string) (amqp.Queue, error) {
	return ch.QueueDeclarePassive(queue, false, false, false, false, nil)
}

func ready(ch *amqp.Channel, queue string) int { return must(passive(ch, queue)).Messages }

// holds waits until the queue has n ready messages.
func (t *T) holds(ch *amqp.Channel, queue string, n int) {
	t.until(fmt.Sprint(n, " messages in ", queue), func() bool { return ready(ch, queue) == n })
}

// gone waits until passive declares of the queue give 404.
func (t *T) gone(queue string) {
	t.until(queue+" is gone", func() bool {
		ch := t.channel()
		defer ch.Close()
		_, err := passive(ch, queue)
		if err != nil {
			t.refused(err, 404, "NOT_FOUND - no queue '"+queue+"'")
		}
		return err != nil
	})
}

// receive takes deliveries, which must have these bodies.
func receive(t *T, deliveries <-chan amqp.Delivery, bodies ...string) (last amqp.Delivery) {
	for _, body := range bodies {
		last = next(t, "message "+body, deliveries)
		t.check(last.Acknowledger != nil, "the deliveries ended, message %s was due", body)
		t.equal("body", string(last.Body), body)
	}
	return last
}

func declare(t *T) {
	ch := t.channel()
	exchanges := []string{}
	for _, kind := range []string{amqp.ExchangeDirect, amqp.ExchangeFanout, amqp.ExchangeTopic, amqp.ExchangeHeaders} {
		x := t.exchange(ch, kind)
		t.ok(ch.ExchangeDeclare(x, kind, true, false, false, false, nil))
		t.ok(ch.ExchangeDeclarePassive(x, kind, true, false, false, false, nil))
		exchanges = append(exchanges, x)
	}
	name := t.queueName()
	for range 2 {
		t.equal("declare-ok", must(ch.QueueDeclare(name, true, false, false, false, nil)), amqp.Queue{Name: name})
	}
	t.equal("declare-ok", must(passive(ch, name)), amqp.Queue{Name: name})
	named := must(ch.QueueDeclare("", false, false, true, false, nil)).Name
	t.check(strings.HasPrefix(named, "amq.gen-"), "server-named: %s", named)
	for range 3 {
		send(t, ch, name, "x")
	}
	t.holds(ch, name, 3)
	t.equal("purged", must(ch.QueuePurge(name, false)), 3)
	t.holds(ch, name, 0)
	must(ch.QueueDelete(name, false, false, false))
	_, err := passive(t.channel(), name)
	t.refused(err, 404, "NOT_FOUND - no queue '"+name+"'")
	for _, x := range exchanges {
		t.ok(ch.ExchangeDelete(x, false, false))
	}
	err = t.channel().ExchangeDeclarePassive(exchanges[0], "direct", true, false, false, false, nil)
	t.refused(err, 404, "NOT_FOUND - no exchange '"+exchanges[0]+"'")
	must(passive(ch, named)) // other channels go on
}

func bind(t *T) {
	ch := t.channel()
	queue := t.queue(ch, nil)
	deliveries := consume(ch, queue, true)
	arrives := func(exchange, key string) {
		d := receive(t, deliveries, key)
		t.equal("deliver", []string{d.Exchange, d.RoutingKey}, []string{exchange, key})
	}
	topic := t.exchange(ch, "topic")
	t.ok(ch.QueueBind(queue, "stock.*.nyse", topic, false, nil))
	t.ok(ch.QueueBind(queue, "#.all", topic, false, nil))
	for _, key := range []string{"stock.ibm.nyse", "stock.ibm.lse", "a.b.all"} {
		publish(t, ch, topic, key, text(key))
	}
	arrives(topic, "stock.ibm.nyse")
	arrives(topic, "a.b.all")
	t.ok(ch.QueueUnbind(queue, "#.all", topic, nil))
	for _, key := range []string{"a.b.all", "stock.sun.nyse"} {
		publish(t, ch, topic, key, text(key))
	}
	arrives(topic, "stock.sun.nyse")

	headers := t.exchange(ch, "headers")
	t.ok(ch.QueueBind(queue, "", headers, false, amqp.Table{"x-match": "all", "a": int32(1), "b": "two"}))
	publish(t, ch, headers, "first", amqp.Publishing{Headers: amqp.Table{"a": int32(1)}, Body: []byte("first")})
	publish(t, ch, headers, "second", amqp.Publishing{
		Headers: amqp.Table{"a": int64(1), "b": "two", "c": true}, Body: []byte("second"),
	})
	arrives(headers, "second")

	fanout, other := t.exchange(ch, "fanout"), t.queue(ch, nil)
	t.ok(ch.QueueBind(queue, "", fanout, false, nil))
	t.ok(ch.QueueBind(other, "", fanout, false, nil))
	publish(t, ch, fanout, "one", text("one"))
	publish(t, ch, fanout, "two", text("two"))
	arrives(fanout, "one")
	arrives(fanout, "two")
	t.holds(ch, other, 2)
}

func publishConsume(t *T) {
	ch := t.channel()
	queue := t.queue(ch, nil)
	deliveries := must(ch.Consume(queue, "my-tag", false, false, false, false, nil))
	bodies := []string{}
	for i := range 100 {
		bodies = append(bodies, fmt.Sprint("message ", i))
	}
	bodies = append(bodies, "")
	for _, body := range bodies {
		publish(t, ch, "", queue, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
	}
	for i, body := range bodies {
		d := receive(t, deliveries, body)
		t.equal("deliver", []any{d.Exchange, d.RoutingKey, d.ConsumerTag, d.Redelivered, d.DeliveryTag},
			[]any{"", queue, "my-tag", false, uint64(i + 1)})
		t.ok(d.Ack(false))
	}
	t.ok(ch.Cancel("my-tag", false))
	send(t, ch, queue, "one more")
	t.holds(ch, queue, 1)
	_, more := <-deliveries
	t.check(!more, "delivered after the cancel")
}

func confirms(t *T) {
	ch := t.confirming()
	queue := t.queue(ch, nil)
	pending := []*amqp.DeferredConfirmation{}
	for i := range 50 {
		msg := amqp.Publishing{DeliveryMode: uint8(1 + i%2), Body: []byte("x")}
		pending = append(pending, must(ch.PublishWithDeferredConfirm("", queue, false, false, msg)))
	}
	for i, confirmation := range pending {
		t.equal("tag", confirmation.DeliveryTag, uint64(i+1))
		t.check(acked(t, confirmation), "message %d was nacked", i)
	}
	t.holds(ch, queue, 50)
	confirmed(t, ch, unique("nowhere"), text("unroutable"))
	full := t.queue(ch, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	confirmed(t, ch, full, text("fits"))
	t.check(!acked(t, must(ch.PublishWithDeferredConfirm("", full, false, false, text("too many")))),
		"the message to a full queue was acked")
}

func mandatoryReturn(t *T) {
	ch := t.confirming()
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	key := unique("nowhere")
	msg := amqp.Publishing{MessageId: "m1", Headers: amqp.Table{"a": int32(1)}, Body: []byte("back")}
	t.check(acked(t, must(ch.PublishWithDeferredConfirm("", key, true, false, msg))), "nacked")
	select { // the return came before the ack, so it is here by now
	case r := <-returns:
		t.equal("return", []any{r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, r.MessageId, r.Headers, string(r.Body)},
			[]any{uint16(312), "NO_ROUTE", "", key, "m1", amqp.Table{"a": int32(1)}, "back"})
	default:
		t.fail("no return before the ack")
	}
	queue := t.queue(ch, nil)
	t.check(acked(t, must(ch.PublishWithDeferredConfirm("", queue, true, false, msg))), "nacked")
	t.equal("returns", len(returns), 0)
}

func prefetch(t *T) {
	ch := t.confirming()
	queue := t.queue(ch, nil)
	for i := 1; i <= 10; i++ {
		confirmed(t, ch, queue, text(strconv.Itoa(i)))
	}
	t.ok(ch.Qos(3, 0, false))
	deliveries := consume(ch, queue, false)
	// settled checks that no more arrives: behind a round trip it would be here.
	settled := func(left int) {
		t.holds(ch, queue, left)
		t.equal("deliveries waiting", len(deliveries), 0)
	}
	first := receive(t, deliveries, "1")
	receive(t, deliveries, "2", "3")
	settled(7)
	t.ok(first.Ack(false))
	fourth := receive(t, deliveries, "4")
	settled(6)
	t.ok(fourth.Ack(true))
	fifth := receive(t, deliveries, "5")
	sixth, seventh := receive(t, deliveries, "6"), receive(t, deliveries, "7")
	settled(3)
	for i, d := range []amqp.Delivery{fifth, sixth, seventh} {
		t.ok(d.Ack(false))
		t.ok(receive(t, deliveries, strconv.Itoa(8+i)).Ack(false))
	}
	settled(0)
}

func nackRequeue(t *T) {
	ch := t.confirming()
	queue := t.queue(ch, nil)
	confirmed(t, ch, queue, text("a"), text("b"), text("c"))
	deliveries := consume(ch, queue, false)
	arrives := func(body string, redelivered bool) amqp.Delivery {
		d := receive(t, deliveries, body)
		t.equal("redelivered "+body, d.Redelivered, redelivered)
		return d
	}
	arrives("a", false)
	b, c := arrives("b", false), arrives("c", false)
	t.ok(b.Nack(false, true))
	arrives("b", true)
	t.ok(c.Reject(true))
	t.ok(arrives("c", true).Nack(true, true))
	for _, d := range []amqp.Delivery{arrives("a", true), arrives("b", true), arrives("c", true)} {
		t.ok(d.Nack(false, false))
	}
	t.holds(ch, queue, 0)
	t.equal("deliveries waiting", len(deliveries), 0)
}

// deaths gives the x-death entries of d, without their times and routing keys.
func deaths(t *T, d amqp.Delivery) (entries []any) {
	list, ok := d.Headers["x-death"].([]any)
	t.check(ok, "x-death: %v", d.Headers["x-death"])
	for _, entry := range list {
		table := entry.(amqp.Table)
		at, ok := table["time"].(time.Time)
		t.check(ok && time.Since(at).Abs() < time.Minute, "time: %v", table["time"])
		entries = append(entries, []any{table["count"], table["reason"], table["queue"], table["exchange"]})
	}
	return entries
}

// firstAndLast checks the x-first-death and x-last-death headers.
func firstAndLast(t *T, d amqp.Delivery, firstReason, firstQueue, lastReason, lastQueue string) {
	death := func(which string) []any {
		h := d.Headers
		return []any{h["x-"+which+"-death-reason"], h["x-"+which+"-death-queue"], h["x-"+which+"-death-exchange"]}
	}
	t.equal("first death", death("first"), []any{firstReason, firstQueue, ""})
	t.equal("last death", death("last"), []any{lastReason, lastQueue, ""})
}

func deadLetter(t *T) {
	ch := t.channel()
	dlx, dead := t.exchange(ch, "direct"), t.queue(ch, nil)
	t.ok(ch.QueueBind(dead, "dead", dlx, false, nil))
	work := t.queue(ch, amqp.Table{"x-dead-letter-exchange": dlx, "x-dead-letter-routing-key": "dead"})
	buried := consume(ch, dead, true)
	publish(t, ch, "", work, amqp.Publishing{Headers: amqp.Table{"mine": "kept"}, Body: []byte("x")})
	t.ok(receive(t, consume(ch, work, false), "x").Reject(false))
	d := receive(t, buried, "x")
	t.equal("deliver", []any{d.Exchange, d.RoutingKey, d.Headers["mine"]}, []any{dlx, "dead", "kept"})
	t.equal("x-death", deaths(t, d), []any{[]any{int64(1), "rejected", work, ""}})
	t.equal("routing keys", d.Headers["x-death"].([]any)[0].(amqp.Table)["routing-keys"], []any{work})
	firstAndLast(t, d, "rejected", work, "rejected", work)

	wait, work2 := t.queueName(), t.queueName()
	must(ch.QueueDeclare(work2, true, false, false, false, amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait,
	}))
	must(ch.QueueDeclare(wait, true, false, false, false, amqp.Table{
		"x-message-ttl": 100, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": work2,
	}))
	deliveries := consume(ch, work2, false)
	send(t, ch, work2, "retry")
	d = receive(t, deliveries, "retry")
	t.equal("x-death", d.Headers["x-death"], nil)
	t.ok(d.Reject(false))
	t.ok(receive(t, deliveries, "retry").Reject(false))
	d = receive(t, deliveries, "retry")
	t.equal("x-death", deaths(t, d), []any{[]any{int64(2), "expired", wait, ""}, []any{int64(2), "rejected", work2, ""}})
	firstAndLast(t, d, "rejected", work2, "expired", wait)
}

func ttl(t *T) {
	ch := t.channel()
	dead := t.queue(ch, nil)
	deliveries := consume(ch, dead, true)
	letters := amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
	byMessage := t.queue(ch, letters)
	letters["x-message-ttl"] = 200
	byQueue := t.queue(ch, letters)
	send(t, ch, byQueue, "queue")
	t.equal("x-death", deaths(t, receive(t, deliveries, "queue")), []any{[]any{int64(1), "expired", byQueue, ""}})
	publish(t, ch, "", byMessage, amqp.Publishing{Expiration: "200", Body: []byte("message")})
	d := receive(t, deliveries, "message")
	t.equal("x-death", deaths(t, d), []any{[]any{int64(1), "expired", byMessage, ""}})
	t.equal("expiration", []any{d.Headers["x-death"].([]any)[0].(amqp.Table)["original-expiration"], d.Expiration}, []any{"200", ""})

	expiring := t.queue(ch, amqp.Table{"x-expires": 300})
	returns := ch.NotifyReturn(make(chan amqp.Return, 1000))
	t.until("a return: the queue has expired", func() bool {
		t.ok(ch.Publish("", expiring, true, false, text("x")))
		return len(returns) > 0
	})
	t.gone(expiring)
}

func priorities(t *T) {
	ch := t.confirming()
	queue := t.queue(ch, amqp.Table{"x-max-priority": 10})
	want := map[string]uint8{"a": 1, "b": 5, "c": 3, "d": 0, "e": 10, "f": 5} // the library leaves 0 out
	for _, body := range []string{"a", "b", "c", "d", "e", "f"} {
		confirmed(t, ch, queue, amqp.Publishing{Priority: want[body], Body: []byte(body)})
	}
	t.ok(ch.Qos(1, 0, false))
	deliveries := consume(ch, queue, false)
	for _, body := range []string{"e", "b", "f", "c", "a", "d"} {
		d := receive(t, deliveries, body)
		t.equal("priority of "+body, d.Priority, want[body])
		t.ok(d.Ack(false))
	}
}

func rpcDirectReplyTo(t *T) {
	server := t.channel()
	requests := t.queue(server, nil)
	incoming := consume(server, requests, true)
	client := must(t.connect().Channel())
	replies := consume(client, "amq.rabbitmq.reply-to", true)
	ids := []string{"one", "two", "three"}
	for _, id := range ids {
		publish(t, client, "", requests, amqp.Publishing{
			ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: id, Body: []byte("hello " + id),
		})
	}
	for _, id := range ids {
		d := receive(t, incoming, "hello "+id)
		t.check(strings.HasPrefix(d.ReplyTo, "amq.rabbitmq.reply-to."), "reply-to %s", d.ReplyTo)
		publish(t, server, "", d.ReplyTo, amqp.Publishing{CorrelationId: d.CorrelationId, Body: bytes.ToUpper(d.Body)})
	}
	for _, id := range ids {
		t.equal("correlation id", receive(t, replies, strings.ToUpper("hello "+id)).CorrelationId, id)
	}
}

func exclusiveAutoDelete(t *T) {
	ch := t.channel()
	owner := t.connect()
	exclusive := must(must(owner.Channel()).QueueDeclare(t.queueName(), false, false, true, false, nil)).Name
	_, err := passive(t.channel(), exclusive)
	t.refused(err, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '"+exclusive+"'")
	t.ok(owner.Close())
	_, err = passive(t.channel(), exclusive)
	t.refused(err, 404, "NOT_FOUND")

	fleeting := must(ch.QueueDeclare(t.queueName(), true, true, false, false, nil)).Name
	must(ch.Consume(fleeting, "tag", true, false, false, false, nil))
	t.ok(ch.Cancel("tag", false))
	t.gone(fleeting)

	exchange, queue := unique("exchange"), t.queue(ch, nil)
	t.exchanges = append(t.exchanges, exchange)
	t.ok(ch.ExchangeDeclare(exchange, "direct", true, true, false, false, nil))
	t.ok(ch.QueueBind(queue, "key", exchange, false, nil))
	t.ok(ch.QueueUnbind(queue, "key", exchange, nil))
	t.until("the auto-delete exchange is gone", func() bool {
		ch := t.channel()
		defer ch.Close()
		err := ch.ExchangeDeclarePassive(exchange, "direct", true, true, false, false, nil)
		if err != nil {
			t.refused(err, 404, "NOT_FOUND - no exchange '"+exchange+"'")
		}
		return err != nil
	})
}

func largeBody(t *T) {
	ch := t.confirming()
	queue := t.queue(ch, nil)
	random := rand.NewChaCha8([32]byte{})
	bodies := [][]byte{}
	for _, size := range []int{0, 1, 131063, 131064, 131065, 131072, 10 << 20} {
		body := make([]byte, size)
		random.Read(body)
		bodies = append(bodies, body)
		confirmed(t, ch, queue, amqp.Publishing{Body: body})
	}
	deliveries := consume(ch, queue, true)
	for _, body := range bodies {
		got := next(t, "body", deliveries).Body
		t.check(bytes.Equal(got, body), "a body of %d bytes came back changed, with %d bytes", len(body), len(got))
	}
}

func cancelNotification(t *T) {
	ch := t.channel()
	queue := t.queue(ch, nil)
	cancels := ch.NotifyCancel(make(chan string, 1))
	must(ch.Consume(queue, "my-tag", false, false, false, false, nil))
	must(t.channel().QueueDelete(queue, false, false, false))
	t.equal("cancelled", next(t, "cancel", cancels), "my-tag")
	must(ch.QueueDeclare("", false, false, true, false, nil))
}

func errorsStory(t *T) {
	conn := t.connect()
	at := "in vhost '" + vhost() + "'"
	missing := unique("missing")
	_, err := t.channel().Consume(missing, "", false, false, false, false, nil)
	t.refused(err, 404, "NOT_FOUND - no queue '"+missing+"' "+at)

	queue := t.queue(t.channel(), nil)
	_, err = t.channel().QueueDeclare(queue, false, false, false, false, nil)
	t.refused(err, 406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '"+queue+"' "+at+": received 'false' but current is 'true'")

	ch := t.channel()
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	t.refused(ch.ExchangeDelete("amq.direct", false, false), 403,
		"ACCESS_REFUSED - deletion of system exchange 'amq.direct' "+at+" not allowed")
	t.refused(next(t, "close", closed), 403, "ACCESS_REFUSED")

	exclusive := must(must(t.connect().Channel()).QueueDeclare(t.queueName(), false, false, true, false, nil)).Name
	_, err = passive(t.channel(), exclusive)
	t.refused(err, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '"+exclusive+"' "+at)

	target := brokerURL()
	target.Path, target.RawPath = "/"+missing, ""
	_, err = amqp.Dial(target.String())
	t.refused(err, 530, "NOT_ALLOWED - vhost "+missing+" not found")

	// The library does not ask for the reason of a refused login, and so names one of its own.
	target = brokerURL()
	target.User = url.UserPassword("conformance-nobody", missing)
	_, err = amqp.Dial(target.String())
	t.equal("error", err, amqp.ErrCredentials)

	must(must(conn.Channel()).QueueDeclare("", false, false, true, false, nil))
}

func heartbeatLoss(t *T) {
	conn := t.dial(env("PROXY_URL"), amqp.Config{Heartbeat: time.Second})
	ch := must(conn.Channel())
	deliveries := consume(ch, t.queue(ch, nil), true)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	time.Sleep(3 * time.Second) // idle for three heartbeats
	t.check(!conn.IsClosed(), "lost while nothing was wrong")
	t.proxy("freeze")
	defer t.proxy("thaw")
	select {
	case err := <-closed:
		t.check(err != nil && !err.Server, "closed with %v", err)
	case <-time.After(waitDeadline):
		t.fail("the lost connection goes unnoticed")
	}
	t.until("the end of the deliveries", func() bool {
		select {
		case _, open := <-deliveries:
			return !open
		default:
			return false
		}
	})
}

func reconnect(t *T) {
	conn := t.dial(env("PROXY_URL"), amqp.Config{Recovery: &amqp.Recovery{
		ReconnectionConfig: &amqp.ReconnectionConfig{MaxRetryCount: 10, RetryInterval: 50 * time.Millisecond},
	}})
	states := make(chan *amqp.StateChanged, 16)
	conn.NotifyStateChange(states)
	ch := must(conn.Channel())
	queue := t.queue(ch, nil)
	t.ok(ch.Qos(10, 0, false))
	deliveries := consume(ch, queue, false)
	send(t, ch, queue, "a")
	send(t, ch, queue, "b")
	t.ok(receive(t, deliveries, "a").Ack(false))
	receive(t, deliveries, "b")
	t.equal("ready", ready(ch, queue), 0) // behind the ack, so that has arrived
	t.proxy("cut")
	for next(t, "recovery", states).To != amqp.StateOpen {
	}
	b := receive(t, deliveries, "b")
	t.check(b.Redelivered, "b must be marked as redelivered")
	t.ok(b.Ack(false))
	send(t, ch, queue, "c")
	t.ok(receive(t, deliveries, "c").Ack(false))
	t.holds(ch, queue, 0)
	t.equal("deliveries waiting", len(deliveries), 0)
}

func channels1000(t *T) {
	conn := t.connect()
	first := must(conn.Channel())
	queue := t.queue(first, nil)
	channels := []*amqp.Channel{}
	for range 1000 {
		channels = append(channels, must(conn.Channel()))
	}
	for i, ch := range channels {
		must(passive(ch, queue))
		send(t, ch, queue, strconv.Itoa(i))
	}
	deliveries := consume(first, queue, true)
	seen := map[string]bool{}
	for range channels {
		seen[string(next(t, "message", deliveries).Body)] = true
	}
	t.equal("different messages", len(seen), len(channels))
	for _, ch := range channels {
		t.ok(ch.Close())
	}
	t.ok(conn.Close())
}

func tx(t *T) {
	ch, watcher := t.channel(), t.channel()
	queue := t.queue(ch, nil)
	t.ok(ch.Tx())
	send(t, ch, queue, "1")
	send(t, ch, queue, "2")
	must(passive(ch, queue))
	t.equal("before the commit", ready(watcher, queue), 0)
	t.ok(ch.TxCommit())
	t.holds(watcher, queue, 2)
	send(t, ch, queue, "3")
	t.ok(ch.TxRollback())
	t.holds(watcher, queue, 2)

	deliveries := consume(ch, queue, false)
	t.ok(receive(t, deliveries, "1").Ack(false))
	t.ok(receive(t, deliveries, "2").Ack(false))
	t.ok(ch.TxRollback())
	t.ok(ch.Close())
	t.holds(watcher, queue, 2)

	ch = t.channel()
	t.ok(ch.Tx())
	deliveries = consume(ch, queue, false)
	t.ok(receive(t, deliveries, "1").Ack(false))
	t.ok(receive(t, deliveries, "2").Ack(false))
	t.ok(ch.TxCommit())
	t.ok(ch.Close())
	t.holds(watcher, queue, 0)
}

func headersAndProperties(t *T) {
	ch := t.channel()
	queue := t.queue(ch, nil)
	deliveries := consume(ch, queue, true)
	when := time.Unix(1_700_000_000, 0)
	full := amqp.Publishing{ // the library has no cluster-id
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: 2, Priority: 7, CorrelationId: "c1",
		ReplyTo: "r1", Expiration: "60000", MessageId: "m1", Timestamp: when, Type: "t1",
		UserId: brokerURL().User.Username(), AppId: "a1",
		Headers: amqp.Table{
			"string": "grüße", "empty": "", "yes": true, "no": false, "void": nil, "int8": int8(-5), "uint8": uint8(200),
			"int16": int16(-3000), "uint16": uint16(60000), "int32": int32(-2e9), "uint32": uint32(4e9), "int64": int64(9e18),
			"float": float32(0.5), "double": 1.25, "decimal": amqp.Decimal{Scale: 2, Value: 314},
			"bytes": []byte{0, 255}, "time": when.Add(time.Second),
			"table": amqp.Table{"inner": amqp.Table{"innermost": []any{int32(1)}}, "empty": amqp.Table{}},
			"array": []any{"a", int32(2), []any{true, nil}, amqp.Table{"three": int64(3)}},
		},
		Body: []byte("x"),
	}
	for _, sent := range []amqp.Publishing{full, {Body: []byte("x")}} {
		publish(t, ch, "", queue, sent)
		d := receive(t, deliveries, "x")
		t.equal("message", amqp.Publishing{
			ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
			CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId,
			Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId, Headers: d.Headers, Body: d.Body,
		}, sent)
	}
}

func exchangeToExchange(t *T) {
	ch := t.channel()
	a, b, queue := t.exchange(ch, "fanout"), t.exchange(ch, "topic"), t.queue(ch, nil)
	t.ok(ch.ExchangeBind(b, "", a, false, nil))
	t.ok(ch.QueueBind(queue, "k.#", b, false, nil))
	deliveries := consume(ch, queue, true)
	publish(t, ch, a, "k.1", text("k.1"))
	publish(t, ch, a, "other", text("other"))
	d := receive(t, deliveries, "k.1")
	t.equal("deliver", []string{d.Exchange, d.RoutingKey}, []string{a, "k.1"})
	t.ok(ch.ExchangeUnbind(b, "", a, false, nil))
	publish(t, ch, a, "k.2", text("k.2"))
	publish(t, ch, b, "k.3", text("k.3"))
	d = receive(t, deliveries, "k.3")
	t.equal("deliver", []string{d.Exchange, d.RoutingKey}, []string{b, "k.3"})
}

func get(t *T) {
	ch := t.confirming()
	queue := t.queue(ch, nil)
	taken := func(body string, left uint32, redelivered, autoAck bool) amqp.Delivery {
		d, ok, err := ch.Get(queue, autoAck)
		t.ok(err)
		t.check(ok, "%s is empty", queue)
		t.equal("get-ok", []any{string(d.Body), d.MessageCount, d.Redelivered, d.Exchange, d.RoutingKey},
			[]any{body, left, redelivered, "", queue})
		return d
	}
	empty := func() {
		_, ok, err := ch.Get(queue, false)
		t.ok(err)
		t.check(!ok, "%s is not empty", queue)
	}
	empty()
	confirmed(t, ch, queue, text("1"), text("2"), text("3"))
	first := taken("1", 2, false, false)
	taken("2", 1, false, true)
	third := taken("3", 0, false, false)
	t.ok(first.Nack(false, true))
	t.ok(third.Ack(false))
	t.ok(taken("1", 0, true, false).Ack(false))
	empty()
}

func overTLS(t *T) {
	address, folder := os.Getenv("AMQPS_URL"), os.Getenv("TLS_FOLDER")
	if address == "" {
		return // a broker that was started by somebody else
	}
	thereAndBack := func(config amqp.Config) {
		ch := must(t.dial(address, config).Channel())
		t.ok(ch.Confirm(false))
		queue := must(ch.QueueDeclare(unique("queue"), false, false, true, false, nil)).Name
		body := strings.Repeat("0123456789abcdef", 65536)
		confirmed(t, ch, queue, text(body))
		message, found, err := ch.Get(queue, true)
		t.ok(err)
		t.check(found && string(message.Body) == body, "another body came back")
	}
	roots := x509.NewCertPool()
	t.check(roots.AppendCertsFromPEM(must(os.ReadFile(folder+"/ca.pem"))), "ca.pem is unreadable")
	thereAndBack(amqp.Config{TLSClientConfig: &tls.Config{RootCAs: roots}})
	_, err := amqp.DialTLS(address, &tls.Config{RootCAs: x509.NewCertPool()})
	t.check(err != nil, "a certificate that nobody vouches for was believed")
	own := must(tls.LoadX509KeyPair(folder+"/client.pem", folder+"/client.key"))
	thereAndBack(amqp.Config{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}},
		SASL:            []amqp.Authentication{&amqp.ExternalAuth{}},
	})
}

// closeWhileAcking closes channels of 200 connections, one after the other, on which four goroutines acknowledge.
func closeWhileAcking(t *T) {
	if os.Getenv("LEVERET_BIN") == "" {
		return // RabbitMQ loses some of the connections
	}
	lost := 0
	for range 200 {
		conn := t.connect()
		watcher := must(conn.Channel())
		closeBesideAcks(t, must(conn.Channel()))
		if _, err := watcher.QueueDeclare("", false, false, true, false, nil); err != nil {
			lost++
		}
		conn.Close()
	}
	t.equal("lost connections", lost, 0)
}

// closeBesideAcks closes a channel as soon as the first of four goroutines has acknowledged something.
func closeBesideAcks(t *T, ch *amqp.Channel) {
	const goroutines, each = 4, 100
	queue := must(ch.QueueDeclare("", false, false, true, false, nil)).Name
	deliveries := consume(ch, queue, false)
	bodies := make([]string, goroutines*each)
	for _, body := range bodies {
		send(t, ch, queue, body)
	}
	receive(t, deliveries, bodies...)
	var all sync.WaitGroup
	began := make(chan bool, goroutines*each)
	for first := range goroutines {
		all.Go(func() {
			for n := range each {
				ch.Ack(uint64(first*each+n+1), false) // it fails as soon as the library has the close-ok
				began <- true
			}
		})
	}
	next(t, "acknowledgement", began)
	ch.Close() // if the connection is lost meanwhile, the caller sees it
	all.Wait()
}
