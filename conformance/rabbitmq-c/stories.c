/* The stories, told by librabbitmq and, where they can, by its command line tools (amqp-publish and so on). The
 * library has no recovery of its own, so `reconnect` connects again by hand. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"

#define none amqp_empty_table
#define no_name amqp_empty_bytes
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static conn_t here(void) { return connect_to("AMQP_URL", 0); }

static void declare_queue(conn_t c, amqp_channel_t ch, const char *queue, amqp_table_t arguments) {
  amqp_queue_declare(c, ch, bytes(queue), 0, 1, 0, 0, arguments);
  ok(c);
}

static const char *queue_with(conn_t c, amqp_channel_t ch, amqp_table_t arguments) {
  const char *queue = queue_name();
  declare_queue(c, ch, queue, arguments);
  return queue;
}

static const char *a_queue(conn_t c, amqp_channel_t ch) { return queue_with(c, ch, none); }

static const char *an_exchange(conn_t c, amqp_channel_t ch, const char *type) {
  const char *exchange = exchange_name();
  amqp_exchange_declare(c, ch, bytes(exchange), bytes(type), 0, 1, 0, 0, none);
  ok(c);
  return exchange;
}

static const char *exclusive_queue(conn_t c, amqp_channel_t ch) {
  amqp_queue_declare_ok_t *declared = amqp_queue_declare(c, ch, no_name, 0, 0, 1, 0, none);
  ok(c);
  return string(declared->queue);
}

static void bind_queue(conn_t c, amqp_channel_t ch, const char *queue, const char *exchange, const char *key) {
  amqp_queue_bind(c, ch, bytes(queue), bytes(exchange), bytes(key), none);
  ok(c);
}

/* The number of ready messages; -1 if the declaration is refused. */
static int passive(conn_t c, amqp_channel_t ch, const char *queue) {
  amqp_queue_declare_ok_t *declared = amqp_queue_declare(c, ch, bytes(queue), 1, 0, 0, 0, none);
  return declared == NULL ? -1 : (int)declared->message_count;
}

static int ready(conn_t c, amqp_channel_t ch, const char *queue) {
  int count = passive(c, ch, queue);
  ok(c);
  return count;
}

static void holds(conn_t c, amqp_channel_t ch, const char *queue, int n) {
  int64_t end = now_ms() + WAIT_MS;
  for (int count; (count = ready(c, ch, queue)) != n; doze(20)) {
    check(now_ms() < end, "%d messages in %s, not %d", count, queue, n);
  }
}

static void passive_exchange(conn_t c, amqp_channel_t ch, const char *exchange) {
  amqp_exchange_declare(c, ch, bytes(exchange), bytes("direct"), 1, 0, 0, 0, none);
}

/* Waits until the passive declaration of a queue, or else exchange, gives 404. */
static void gone(conn_t c, const char *queue, const char *exchange) {
  for (int64_t end = now_ms() + WAIT_MS;; doze(20)) {
    amqp_channel_t ch = channel_on(c);
    if (queue != NULL) passive(c, ch, queue);
    else passive_exchange(c, ch, exchange);
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(c);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
      refused_with(c, ch, reply, 404, "NOT_FOUND - no ");
      return;
    }
    check(now_ms() < end, "%s is still there", queue != NULL ? queue : exchange);
    close_channel(c, ch);
  }
}

static const char *consume(conn_t c, amqp_channel_t ch, const char *queue, bool no_ack) {
  amqp_basic_consume_ok_t *consuming = amqp_basic_consume(c, ch, bytes(queue), no_name, 0, no_ack, 0, none);
  ok(c);
  return string(consuming->consumer_tag);
}

static void prefetch_count(conn_t c, amqp_channel_t ch, int count) {
  amqp_basic_qos(c, ch, 0, count, 0);
  ok(c);
}

static void ack(conn_t c, amqp_channel_t ch, struct event delivery) { amqp_basic_ack(c, ch, delivery.tag, 0); }

static void confirmed(conn_t c, amqp_channel_t ch, const char *queue, const amqp_basic_properties_t *properties,
                      amqp_bytes_t body) {
  publish(c, ch, "", queue, properties, body);
  check(acked(c, ch), "nacked");
}

/* --- the stories --- */

static void declare(void) {
  conn_t c = here();
  amqp_channel_t ch = channel_on(c);
  const char *types[] = {"direct", "fanout", "topic", "headers"};
  const char *exchanges[4];
  for (int i = 0; i < 4; i++) {
    exchanges[i] = an_exchange(c, ch, types[i]);
    amqp_exchange_declare(c, ch, bytes(exchanges[i]), bytes(types[i]), 0, 1, 0, 0, none);
    ok(c);
    passive_exchange(c, ch, exchanges[i]);
    ok(c);
  }
  const char *queue = queue_name();
  for (int round = 0; round < 3; round++) {
    amqp_queue_declare_ok_t *declared = amqp_queue_declare(c, ch, bytes(queue), round == 2, 1, 0, 0, none);
    ok(c);
    check(is(declared->queue, queue) && declared->message_count == 0 && declared->consumer_count == 0, "declare-ok");
  }
  const char *named = exclusive_queue(c, ch);
  check(strncmp(named, "amq.gen-", 8) == 0, "server-named: %s", named);
  for (int i = 0; i < 3; i++) send_text(c, ch, queue, "x");
  holds(c, ch, queue, 3);
  amqp_queue_purge_ok_t *purged = amqp_queue_purge(c, ch, bytes(queue));
  ok(c);
  check(purged->message_count == 3, "%u messages purged, not 3", purged->message_count);
  holds(c, ch, queue, 0);
  amqp_queue_delete(c, ch, bytes(queue), 0, 0);
  ok(c);
  gone(c, queue, NULL);
  for (int i = 0; i < 4; i++) {
    amqp_exchange_delete(c, ch, bytes(exchanges[i]), 0);
    ok(c);
  }
  gone(c, NULL, exchanges[0]);
  check(ready(c, ch, named) == 0, "other channels go on");

  const char *by_tool = queue_name();
  check(strcmp(tool(0, "amqp-declare-queue -u \"$AMQP_URL\" -d -q %s", by_tool), text("%s\n", by_tool)) == 0, "the tool's declare");
  check(ready(c, ch, by_tool) == 0, "declared by the tool");
  check(strcmp(tool(0, "amqp-delete-queue -u \"$AMQP_URL\" -q %s", by_tool), "0\n") == 0, "the tool's delete");
  gone(c, by_tool, NULL);
}

static void arrives(conn_t c, const char *exchange, const char *key) {
  struct event delivery = receive(c, key);
  check(strcmp(delivery.exchange, exchange) == 0, "exchange %s, not %s", delivery.exchange, exchange);
  check(strcmp(delivery.key, key) == 0, "routing key %s, not %s", delivery.key, key);
}

static void publish_key(conn_t c, amqp_channel_t ch, const char *exchange, const char *key) {
  publish(c, ch, exchange, key, NULL, bytes(key));
}

static void bind(void) {
  conn_t c = here();
  amqp_channel_t ch = channel_on(c);
  const char *queue = a_queue(c, ch);
  consume(c, ch, queue, true);
  const char *topic = an_exchange(c, ch, "topic");
  bind_queue(c, ch, queue, topic, "stock.*.nyse");
  bind_queue(c, ch, queue, topic, "#.all");
  publish_key(c, ch, topic, "stock.ibm.nyse");
  publish_key(c, ch, topic, "stock.ibm.lse");
  publish_key(c, ch, topic, "a.b.all");
  arrives(c, topic, "stock.ibm.nyse");
  arrives(c, topic, "a.b.all");
  amqp_queue_unbind(c, ch, bytes(queue), bytes(topic), bytes("#.all"), none);
  ok(c);
  publish_key(c, ch, topic, "a.b.all");
  publish_key(c, ch, topic, "stock.sun.nyse");
  arrives(c, topic, "stock.sun.nyse");

  const char *headers = an_exchange(c, ch, "headers");
  amqp_queue_bind(c, ch, bytes(queue), bytes(headers), bytes(""),
                  TABLE(entry_text("x-match", "all"), entry_int("a", 1), entry_text("b", "two")));
  ok(c);
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG};
  properties.headers = TABLE(entry_int("a", 1));
  publish(c, ch, headers, "first", &properties, bytes("first"));
  properties.headers = TABLE(entry_int("a", 1), entry_text("b", "two"), entry_int("c", 3));
  publish(c, ch, headers, "second", &properties, bytes("second"));
  arrives(c, headers, "second");

  const char *fanout = an_exchange(c, ch, "fanout");
  const char *other = a_queue(c, ch);
  bind_queue(c, ch, queue, fanout, "");
  bind_queue(c, ch, other, fanout, "");
  publish_key(c, ch, fanout, "one");
  publish_key(c, ch, fanout, "two");
  arrives(c, fanout, "one");
  arrives(c, fanout, "two");
  holds(c, ch, other, 2);
}

static void publish_consume(void) {
  conn_t c = here();
  amqp_channel_t ch = channel_on(c);
  const char *queue = a_queue(c, ch);
  const char *tag = consume(c, ch, queue, false);
  amqp_basic_properties_t persistent = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
  for (unsigned i = 0; i <= 100; i++) {
    publish(c, ch, "", queue, &persistent, bytes(i < 100 ? text("message %u", i) : ""));
  }
  for (unsigned i = 0; i <= 100; i++) {
    struct event delivery = receive(c, i < 100 ? text("message %u", i) : "");
    check(delivery.tag == i + 1 && !delivery.redelivered && *delivery.exchange == '\0' &&
              strcmp(delivery.key, queue) == 0 && strcmp(delivery.text, tag) == 0,
          "deliver: tag %u of %s", (unsigned)delivery.tag, delivery.text);
    ack(c, ch, delivery);
  }
  amqp_basic_cancel(c, ch, bytes(tag));
  ok(c);
  send_text(c, ch, queue, "one more");
  holds(c, ch, queue, 1);
  quiet(c);

  tool(0, "printf 'one\\ntwo\\n' | timeout 10 amqp-publish -u \"$AMQP_URL\" -p -r %s -l", queue);
  tool(0, "amqp-publish -u \"$AMQP_URL\" -e '' -r %s -b three", queue);
  holds(c, ch, queue, 4);
  const char *got = tool(0, "amqp-consume -u \"$AMQP_URL\" -q %s -c 4 -p 1 -- sh -c 'cat; echo \";\"'", queue);
  check(strcmp(got, "one more;\none\n;\ntwo\n;\nthree;\n") == 0, "the tool consumed %s", got);
  holds(c, ch, queue, 0);
}

static void confirms(void) {
  conn_t c = here();
  amqp_channel_t ch = confirming(c);
  const char *queue = a_queue(c, ch);
  for (int i = 0; i < 50; i++) {
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 1 + i % 2};
    publish(c, ch, "", queue, &properties, bytes("x"));
  }
  bool open[51];
  memset(open, true, sizeof open);
  for (int left = 50; left > 0;) {
    struct event event = expect(c, ACK);
    for (uint64_t tag = event.multiple ? 1 : event.tag; tag <= event.tag; tag++) {
      left -= open[tag];
      open[tag] = false;
    }
  }
  holds(c, ch, queue, 50);
  confirmed(c, ch, unique("nowhere"), NULL, bytes("unroutable"));
  const char *full = queue_with(c, ch, TABLE(entry_int("x-max-length", 1), entry_text("x-overflow", "reject-publish")));
  confirmed(c, ch, full, NULL, bytes("fits"));
  send_text(c, ch, full, "too many");
  check(!acked(c, ch), "the message to a full queue was acked");
}

static void mandatory_return(void) {
  conn_t c = here();
  amqp_channel_t ch = confirming(c);
  const char *key = unique("nowhere");
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_HEADERS_FLAG};
  properties.message_id = bytes("m1");
  properties.headers = TABLE(entry_int("a", 1));
  send_mandatory(c, ch, key, &properties, "back");
  struct event returned = expect(c, RETURN);
  check(returned.code == 312 && strcmp(returned.text, "NO_ROUTE") == 0 && *returned.exchange == '\0' &&
            strcmp(returned.key, key) == 0,
        "return: %d %s", returned.code, returned.text);
  check(is(returned.message.properties.message_id, "m1") && is(returned.message.body, "back") &&
            same_table(&returned.message.properties.headers, &properties.headers),
        "the returned message");
  check(acked(c, ch), "nacked");
  send_mandatory(c, ch, a_queue(c, ch), NULL, "routed");
  check(acked(c, ch), "nacked");
}

static void prefetch(void) {
  conn_t c = here();
  amqp_channel_t ch = confirming(c);
  const char *queue = a_queue(c, ch);
  for (int i = 1; i <= 10; i++) confirmed(c, ch, queue, NULL, bytes(text("%d", i)));
  prefetch_count(c, ch, 3);
  consume(c, ch, queue, false);
  struct event first = receive(c, "1");
  receive(c, "2");
  receive(c, "3");
  holds(c, ch, queue, 7); /* nothing more arrives: behind this round trip it would be here */
  quiet(c);
  ack(c, ch, first);
  struct event fourth = receive(c, "4");
  holds(c, ch, queue, 6);
  quiet(c);
  amqp_basic_ack(c, ch, fourth.tag, 1);
  struct event three[] = {receive(c, "5"), receive(c, "6"), receive(c, "7")};
  holds(c, ch, queue, 3);
  quiet(c);
  for (int i = 0; i < 3; i++) ack(c, ch, three[i]);
  for (int i = 8; i <= 10; i++) ack(c, ch, receive(c, text("%d", i)));
  holds(c, ch, queue, 0);
  quiet(c);
}

static struct event again(conn_t c, const char *body, bool redelivered) {
  struct event delivery = receive(c, body);
  check(delivery.redelivered == redelivered, "redelivered of %s", body);
  return delivery;
}

static void nack_requeue(void) {
  conn_t c = here();
  amqp_channel_t ch = confirming(c);
  const char *queue = a_queue(c, ch);
  for (const char *body = "a\0b\0c\0"; *body; body += 2) confirmed(c, ch, queue, NULL, bytes(body));
  consume(c, ch, queue, false);
  again(c, "a", false);
  struct event b_first = again(c, "b", false), c_first = again(c, "c", false);
  amqp_basic_nack(c, ch, b_first.tag, 0, 1);
  again(c, "b", true);
  amqp_basic_reject(c, ch, c_first.tag, 1);
  amqp_basic_nack(c, ch, again(c, "c", true).tag, 1, 1);
  for (const char *body = "a\0b\0c\0"; *body; body += 2) amqp_basic_nack(c, ch, again(c, body, true).tag, 0, 0);
  holds(c, ch, queue, 0);
  quiet(c);
}

static amqp_table_t letters_to(const char *exchange, const char *key, const char *number_key, int32_t number) {
  amqp_table_entry_t *entries = calloc(3, sizeof *entries);
  entries[0] = entry_text("x-dead-letter-exchange", exchange);
  entries[1] = entry_text("x-dead-letter-routing-key", key);
  if (number_key != NULL) entries[2] = entry_int(number_key, number);
  return (amqp_table_t){number_key != NULL ? 3 : 2, entries};
}

static void text_header(const amqp_table_t *table, const char *key, const char *want) {
  const amqp_field_value_t *value = find(table, key);
  check(value != NULL && value->kind == AMQP_FIELD_KIND_UTF8 && is(value->value.bytes, want), "%s is not %s", key, want);
}

/* Checks entry i of n in x-death; its time must be recent. */
static const amqp_table_t *death(struct event delivery, int i, int n, int count, const char *reason, const char *queue) {
  const amqp_field_value_t *deaths = find(&delivery.message.properties.headers, "x-death");
  check(deaths != NULL && deaths->kind == AMQP_FIELD_KIND_ARRAY && deaths->value.array.num_entries == n, "x-death");
  check(deaths->value.array.entries[i].kind == AMQP_FIELD_KIND_TABLE, "x-death");
  const amqp_table_t *entry = &deaths->value.array.entries[i].value.table;
  text_header(entry, "reason", reason);
  text_header(entry, "queue", queue);
  text_header(entry, "exchange", "");
  const amqp_field_value_t *counted = find(entry, "count"), *at = find(entry, "time");
  check(counted != NULL && counted->kind == AMQP_FIELD_KIND_I64 && counted->value.i64 == count, "count is not %d", count);
  check(at != NULL && at->kind == AMQP_FIELD_KIND_TIMESTAMP && llabs((long long)at->value.u64 - time(NULL)) < 60, "time");
  return entry;
}

static void death_headers(struct event delivery, const char *which, const char *reason, const char *queue) {
  const amqp_table_t *headers = &delivery.message.properties.headers;
  text_header(headers, text("x-%s-death-reason", which), reason);
  text_header(headers, text("x-%s-death-queue", which), queue);
  text_header(headers, text("x-%s-death-exchange", which), "");
}

static void dead_letter(void) {
  conn_t c = here();
  amqp_channel_t ch = channel_on(c);
  const char *dlx = an_exchange(c, ch, "direct"), *dead = a_queue(c, ch);
  bind_queue(c, ch, dead, dlx, "dead");
  const char *work = queue_with(c, ch, letters_to(dlx, "dead", NULL, 0));
  consume(c, ch, dead, true);
  consume(c, ch, work, false);
  amqp_basic_properties_t own = {._flags = AMQP_BASIC_HEADERS_FLAG, .headers = TABLE(entry_text("mine", "kept"))};
  publish(c, ch, "", work, &own, bytes("x"));
  amqp_basic_reject(c, ch, receive(c, "x").tag, 0);
  struct event delivery = receive(c, "x");
  check(strcmp(delivery.exchange, dlx) == 0 && strcmp(delivery.key, "dead") == 0, "from %s, %s", delivery.exchange, delivery.key);
  text_header(&delivery.message.properties.headers, "mine", "kept");
  const amqp_field_value_t *keys = find(death(delivery, 0, 1, 1, "rejected", work), "routing-keys");
  check(keys != NULL && keys->kind == AMQP_FIELD_KIND_ARRAY && keys->value.array.num_entries == 1 &&
            is(keys->value.array.entries[0].value.bytes, work),
        "routing-keys");
  death_headers(delivery, "first", "rejected", work);
  death_headers(delivery, "last", "rejected", work);

  const char *wait = queue_name(), *work2 = queue_with(c, ch, letters_to("", wait, NULL, 0));
  declare_queue(c, ch, wait, letters_to("", work2, "x-message-ttl", 100));
  consume(c, ch, work2, false);
  send_text(c, ch, work2, "retry");
  delivery = receive(c, "retry");
  check(!(delivery.message.properties._flags & AMQP_BASIC_HEADERS_FLAG), "headers at the first delivery");
  amqp_basic_reject(c, ch, delivery.tag, 0);
  amqp_basic_reject(c, ch, receive(c, "retry").tag, 0);
  delivery = receive(c, "retry");
  death(delivery, 0, 2, 2, "expired", wait);
  death(delivery, 1, 2, 2, "rejected", work2);
  death_headers(delivery, "first", "rejected", work2);
  death_headers(delivery, "last", "expired", wait);
}

static void ttl(void) {
  conn_t c = here();
  amqp_channel_t ch = channel_on(c);
  const char *dead = a_queue(c, ch);
  consume(c, ch, dead, true);
  const char *by_queue = queue_with(c, ch, letters_to("", dead, "x-message-ttl", 200));
  send_text(c, ch, by_queue, "queue");
  death(receive(c, "queue"), 0, 1, 1, "expired", by_queue);

  const char *by_message = queue_with(c, ch, letters_to("", dead, NULL, 0));
  amqp_basic_properties_t expiring = {._flags = AMQP_BASIC_EXPIRATION_FLAG, .expiration = bytes("200")};
  publish(c, ch, "", by_message, &expiring, bytes("message"));
  struct event delivery = receive(c, "message");
  text_header(death(delivery, 0, 1, 1, "expired", by_message), "original-expiration", "200");
  check(!(delivery.message.properties._flags & AMQP_BASIC_EXPIRATION_FLAG), "the expiration is still there");

  const char *short_lived = queue_with(c, ch, TABLE(entry_int("x-expires", 300)));
  struct event event = {0};
  for (int64_t end = now_ms() + WAIT_MS; event.kind == NOTHING; event = next_event(c, 20)) {
    check(now_ms() < end, "the queue does not expire");
    send_mandatory(c, ch, short_lived, NULL, "x");
  }
  check(event.kind == RETURN, "event %d came, not a return", event.kind);
  gone(c, short_lived, NULL);
}

static void priorities(void) {
  conn_t c = here();
  amqp_channel_t ch = confirming(c);
  const char *queue = queue_with(c, ch, TABLE(entry_int("x-max-priority", 10)));
  const char *bodies = "abcdef", *order = "ebfcad";
  const int of[] = {1, 5, 3, -1, 10, 5};
  for (int i = 0; i < 6; i++) {
    amqp_basic_properties_t properties = {._flags = of[i] < 0 ? 0 : AMQP_BASIC_PRIORITY_FLAG, .priority = of[i]};
    confirmed(c, ch, queue, &properties, bytes(text("%c", bodies[i])));
  }
  prefetch_count(c, ch, 1);
  consume(c, ch, queue, false);
  for (int i = 0; i < 6; i++) {
    struct event delivery = receive(c, text("%c", order[i]));
    const amqp_basic_properties_t *got = &delivery.message.properties;
    int priority = got->_flags & AMQP_BASIC_PRIORITY_FLAG ? got->priority : -1;
    check(priority == of[order[i] - 'a'], "priority %d of %c", priority, order[i]);
    ack(c, ch, delivery);
  }
}

static void rpc_direct_reply_to(void) {
  conn_t server = here(), client = here();
  amqp_channel_t serving = channel_on(server), asking = channel_on(client);
  const char *requests = a_queue(server, serving);
  consume(server, serving, requests, true);
  consume(client, asking, "amq.rabbitmq.reply-to", true);
  const char *ids[] = {"one", "two", "three"}, *answers[] = {"HELLO ONE", "HELLO TWO", "HELLO THREE"};
  for (int i = 0; i < 3; i++) {
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG};
    properties.reply_to = bytes("amq.rabbitmq.reply-to");
    properties.correlation_id = bytes(ids[i]);
    publish(client, asking, "", requests, &properties, bytes(text("hello %s", ids[i])));
  }
  for (int i = 0; i < 3; i++) {
    struct event request = receive(server, text("hello %s", ids[i]));
    const char *reply_to = string(request.message.properties.reply_to);
    check(strncmp(reply_to, "amq.rabbitmq.reply-to.", 22) == 0, "reply-to %s", reply_to);
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_CORRELATION_ID_FLAG};
    properties.correlation_id = request.message.properties.correlation_id;
    publish(server, serving, "", reply_to, &properties, bytes(answers[i]));
  }
  for (int i = 0; i < 3; i++) {
    struct event reply = receive(client, answers[i]);
    check(is(reply.message.properties.correlation_id, ids[i]), "correlation id");
  }
}

static void exclusive_auto_delete(void) {
  conn_t c = here(), owner = here();
  amqp_channel_t ch = channel_on(c);
  const char *exclusive = exclusive_queue(owner, channel_on(owner));
  amqp_channel_t locked = channel_on(c);
  passive(c, locked, exclusive);
  refused_with(c, locked, amqp_get_rpc_reply(c), 405, "RESOURCE_LOCKED");
  disconnect(owner);
  amqp_channel_t missing = channel_on(c);
  passive(c, missing, exclusive);
  refused_with(c, missing, amqp_get_rpc_reply(c), 404, "NOT_FOUND");

  const char *fleeting = queue_name();
  amqp_queue_declare(c, ch, bytes(fleeting), 0, 1, 0, 1, none);
  ok(c);
  amqp_basic_cancel(c, ch, bytes(consume(c, ch, fleeting, true)));
  ok(c);
  gone(c, fleeting, NULL);

  const char *exchange = exchange_name(), *queue = a_queue(c, ch);
  amqp_exchange_declare(c, ch, bytes(exchange), bytes("direct"), 0, 1, 1, 0, none);
  ok(c);
  bind_queue(c, ch, queue, exchange, "key");
  amqp_queue_unbind(c, ch, bytes(queue), bytes(exchange), bytes("key"), none);
  ok(c);
  gone(c, NULL, exchange);
}

static void large_body(void) {
  conn_t c = here();
  amqp_channel_t ch = confirming(c);
  const char *queue = a_queue(c, ch);
  const size_t sizes[] = {0, 1, 131063, 131064, 131065, 131072, 10 << 20};
  unsigned char *pattern = malloc(10 << 20);
  for (uint32_t i = 0; i < 10 << 20; i++) pattern[i] = i * 2654435761u >> 24;
  for (int i = 0; i < COUNT(sizes); i++) confirmed(c, ch, queue, NULL, (amqp_bytes_t){sizes[i], pattern + i});
  consume(c, ch, queue, true);
  for (int i = 0; i < COUNT(sizes); i++) {
    struct event delivery = expect(c, DELIVERY);
    check(delivery.message.body.len == sizes[i] && memcmp(delivery.message.body.bytes, pattern + i, sizes[i]) == 0,
          "a body of %zu bytes came back changed, with %zu bytes", sizes[i], delivery.message.body.len);
  }
}

static void cancel_notification(void) {
  conn_t c = here(), other = here();
  amqp_channel_t ch = channel_on(c);
  const char *queue = a_queue(c, ch), *tag = consume(c, ch, queue, false);
  amqp_queue_delete(other, channel_on(other), bytes(queue), 0, 0);
  ok(other);
  struct event cancel = expect(c, CANCEL);
  check(strcmp(cancel.text, tag) == 0, "%s was cancelled, not %s", cancel.text, tag);
  exclusive_queue(c, ch);
}

static void errors(void) {
  conn_t c = here(), owner = here();
  struct amqp_connection_info to = address("AMQP_URL");
  const char *at = text("in vhost '%s'", to.vhost), *nowhere = unique("missing");
  const char *no_queue = text("NOT_FOUND - no queue '%s' %s", nowhere, at);

  amqp_channel_t ch = channel_on(c);
  amqp_basic_consume(c, ch, bytes(nowhere), no_name, 0, 0, 0, none);
  refused_with(c, ch, amqp_get_rpc_reply(c), 404, no_queue);
  ch = channel_on(c);
  const char *queue = a_queue(c, ch);
  amqp_queue_declare(c, ch, bytes(queue), 0, 0, 0, 0, none);
  refused_with(c, ch, amqp_get_rpc_reply(c), 406,
               text("PRECONDITION_FAILED - inequivalent arg 'durable' for queue '%s' %s: received 'false' but current is 'true'",
                    queue, at));
  ch = channel_on(c);
  amqp_exchange_delete(c, ch, bytes("amq.direct"), 0);
  refused_with(c, ch, amqp_get_rpc_reply(c), 403,
               text("ACCESS_REFUSED - deletion of system exchange 'amq.direct' %s not allowed", at));
  const char *exclusive = exclusive_queue(owner, channel_on(owner));
  ch = channel_on(c);
  passive(c, ch, exclusive);
  refused_with(c, ch, amqp_get_rpc_reply(c), 405,
               text("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%s' %s.", exclusive, at));

  conn_t refused;
  struct amqp_connection_info elsewhere = to;
  elsewhere.vhost = strdup(nowhere);
  refused_with(refused, 0, login(&refused, &elsewhere, 0), 530, text("NOT_ALLOWED - vhost %s not found", nowhere));
  struct amqp_connection_info stranger = to;
  stranger.user = strdup("conformance-nobody");
  stranger.password = strdup(nowhere);
  refused_with(refused, 0, login(&refused, &stranger, 0), 403,
               "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.");

  exclusive_queue(c, channel_on(c));
  check(strstr(tool(1, "amqp-get -u \"$AMQP_URL\" -q %s", nowhere), no_queue) != NULL, "the tool's error");
}

static void heartbeat_loss(void) {
  conn_t c = connect_to("PROXY_URL", 1);
  amqp_channel_t ch = channel_on(c);
  consume(c, ch, a_queue(c, ch), true);
  check(next_event(c, 3000).kind == NOTHING, "lost while nothing was wrong"); /* three heartbeats, idle */
  proxy("freeze");
  struct event event = next_event(c, 15000);
  proxy("thaw");
  check(event.kind == LOST && event.code == AMQP_STATUS_HEARTBEAT_TIMEOUT, "event %d, %s", event.kind,
        amqp_error_string2(event.code));
}

static void reconnect(void) {
  const char *queue = queue_name();
  conn_t c;
  amqp_channel_t ch;
  for (int round = 0; round < 2; round++) {
    c = connect_to("PROXY_URL", 0);
    ch = channel_on(c);
    declare_queue(c, ch, queue, none);
    prefetch_count(c, ch, 10);
    consume(c, ch, queue, false);
    if (round == 1) break;
    send_text(c, ch, queue, "a");
    send_text(c, ch, queue, "b");
    ack(c, ch, receive(c, "a"));
    receive(c, "b");
    ready(c, ch, queue); /* behind the ack, so that has arrived */
    proxy("cut");
    expect(c, LOST);
    amqp_destroy_connection(c);
  }
  ack(c, ch, again(c, "b", true));
  send_text(c, ch, queue, "c");
  ack(c, ch, receive(c, "c"));
  holds(c, ch, queue, 0);
  quiet(c);
}

static void channels_1000(void) {
  conn_t c = here();
  amqp_channel_t first = channel_on(c), channels[1000];
  const char *queue = a_queue(c, first);
  for (int i = 0; i < 1000; i++) channels[i] = channel_on(c);
  for (int i = 0; i < 1000; i++) {
    ready(c, channels[i], queue);
    send_text(c, channels[i], queue, text("%d", i));
  }
  consume(c, first, queue, true);
  bool seen[1000] = {false};
  for (int i = 0; i < 1000; i++) {
    int n = atoi(string(expect(c, DELIVERY).message.body));
    check(n >= 0 && n < 1000 && !seen[n], "message %d came twice", n);
    seen[n] = true;
  }
  for (int i = 0; i < 1000; i++) close_channel(c, channels[i]);
  disconnect(c);
}

static void take_both(conn_t c, amqp_channel_t ch, const char *queue) {
  consume(c, ch, queue, false);
  ack(c, ch, receive(c, "1"));
  ack(c, ch, receive(c, "2"));
}

static void tx(void) {
  conn_t c = here(), watching = here();
  amqp_channel_t ch = channel_on(c), watcher = channel_on(watching);
  const char *queue = a_queue(c, ch);
  amqp_tx_select(c, ch);
  ok(c);
  send_text(c, ch, queue, "1");
  send_text(c, ch, queue, "2");
  check(ready(c, ch, queue) == 0 && ready(watching, watcher, queue) == 0, "messages before the commit");
  amqp_tx_commit(c, ch);
  ok(c);
  holds(watching, watcher, queue, 2);
  send_text(c, ch, queue, "3");
  amqp_tx_rollback(c, ch);
  ok(c);
  holds(watching, watcher, queue, 2);
  take_both(c, ch, queue);
  amqp_tx_rollback(c, ch);
  ok(c);
  close_channel(c, ch);
  holds(watching, watcher, queue, 2);

  ch = channel_on(c);
  amqp_tx_select(c, ch);
  ok(c);
  take_both(c, ch, queue);
  amqp_tx_commit(c, ch);
  ok(c);
  close_channel(c, ch);
  holds(watching, watcher, queue, 0);
}

#define FIELD(key, field_kind, member, ...) \
  entry(key, (amqp_field_value_t){.kind = AMQP_FIELD_KIND_##field_kind, .value.member = __VA_ARGS__})

static void headers_and_properties(void) {
  conn_t c = here();
  amqp_channel_t ch = channel_on(c);
  const char *queue = a_queue(c, ch);
  consume(c, ch, queue, true);
  amqp_field_value_t number = entry_int("", 2).value, word = entry_text("", "two").value;
  amqp_field_value_t inner = FIELD("", TABLE, table, TABLE(FIELD("innermost", ARRAY, array, ARRAY(number, word)))).value;
  amqp_field_value_t table = FIELD("", TABLE, table, TABLE(entry("inner", inner), entry_text("text", "x"))).value;
  amqp_basic_properties_t sent = {
      ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_HEADERS_FLAG |
                AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_APP_ID_FLAG |
                AMQP_BASIC_CLUSTER_ID_FLAG,
      .content_type = bytes("text/plain"),
      .content_encoding = bytes("utf-8"),
      .headers = TABLE(FIELD("b", I8, i8, -5), FIELD("B", U8, u8, 200), FIELD("s", I16, i16, -3000), FIELD("u", U16, u16, 60000),
                       FIELD("I", I32, i32, -2000000000), FIELD("i", U32, u32, 4000000000u), FIELD("l", I64, i64, INT64_MAX),
                       FIELD("f", F32, f32, 0.5f), FIELD("d", F64, f64, 1.25), FIELD("t", BOOLEAN, boolean, 1),
                       FIELD("no", BOOLEAN, boolean, 0), FIELD("T", TIMESTAMP, u64, 1700000001), FIELD("V", VOID, u8, 0),
                       FIELD("D", DECIMAL, decimal, {2, 314}), FIELD("x", BYTES, bytes, {2, "\0\xff"}),
                       entry_text("string", "gr\xc3\xbc\xc3\x9f" "e"), entry_text("empty", ""), entry("table", table),
                       FIELD("array", ARRAY, array, ARRAY(number, word, table))),
      .delivery_mode = 2,
      .priority = 7,
      .correlation_id = bytes("c1"),
      .reply_to = bytes("r1"),
      .expiration = bytes("60000"),
      .message_id = bytes("m1"),
      .timestamp = 1700000000,
      .type = bytes("t1"),
      .user_id = bytes(address("AMQP_URL").user),
      .app_id = bytes("a1"),
      .cluster_id = bytes("k1"),
  };
  publish(c, ch, "", queue, &sent, bytes("x"));
  struct event delivery = receive(c, "x");
  const amqp_basic_properties_t *got = &delivery.message.properties;
  check(got->_flags == sent._flags, "flags %x, not %x", got->_flags, sent._flags);
  for (int i = 0; i < sent.headers.num_entries; i++) {
    const char *key = string(sent.headers.entries[i].key);
    const amqp_field_value_t *value = find(&got->headers, key);
    check(value != NULL && same_value(value, &sent.headers.entries[i].value), "header %s", key);
  }
  check(same_table(&got->headers, &sent.headers), "headers");
  check(got->delivery_mode == 2 && got->priority == 7 && got->timestamp == sent.timestamp, "numbers");
  const amqp_bytes_t texts[][2] = {
      {got->content_type, sent.content_type}, {got->content_encoding, sent.content_encoding},
      {got->correlation_id, sent.correlation_id}, {got->reply_to, sent.reply_to}, {got->expiration, sent.expiration},
      {got->message_id, sent.message_id}, {got->type, sent.type}, {got->user_id, sent.user_id},
      {got->app_id, sent.app_id}, {got->cluster_id, sent.cluster_id},
  };
  for (int i = 0; i < COUNT(texts); i++) {
    check(is(texts[i][0], string(texts[i][1])), "got %s, want %s", string(texts[i][0]), string(texts[i][1]));
  }
  send_text(c, ch, queue, "y");
  check(receive(c, "y").message.properties._flags == 0, "properties where none were sent");

  tool(0, "amqp-publish -u \"$AMQP_URL\" -r %s -C text/x -E gzip -t back -H 'key: value' -b tool", queue);
  delivery = receive(c, "tool");
  got = &delivery.message.properties;
  check(is(got->content_type, "text/x") && is(got->content_encoding, "gzip") && is(got->reply_to, "back"), "the tool's properties");
  text_header(&got->headers, "key", "value");
}

static void exchange_to_exchange(void) {
  conn_t c = here();
  amqp_channel_t ch = channel_on(c);
  const char *a = an_exchange(c, ch, "fanout"), *b = an_exchange(c, ch, "topic"), *queue = a_queue(c, ch);
  amqp_exchange_bind(c, ch, bytes(b), bytes(a), bytes(""), none);
  ok(c);
  bind_queue(c, ch, queue, b, "k.#");
  consume(c, ch, queue, true);
  publish_key(c, ch, a, "k.1");
  publish_key(c, ch, a, "other");
  arrives(c, a, "k.1");
  amqp_exchange_unbind(c, ch, bytes(b), bytes(a), bytes(""), none);
  ok(c);
  publish_key(c, ch, a, "k.2");
  publish_key(c, ch, b, "k.3");
  arrives(c, b, "k.3");
}

/* Gets a message, which must be this one; its delivery tag. */
static uint64_t taken(conn_t c, amqp_channel_t ch, const char *queue, bool no_ack, const char *body, unsigned left, bool redelivered) {
  amqp_rpc_reply_t reply = amqp_basic_get(c, ch, bytes(queue), no_ack);
  fine("get", reply);
  check(reply.reply.id == AMQP_BASIC_GET_OK_METHOD, "%s is empty", queue);
  amqp_basic_get_ok_t *got = reply.reply.decoded;
  check(got->message_count == left && got->redelivered == redelivered && got->exchange.len == 0 && is(got->routing_key, queue),
        "get-ok: %u left", got->message_count);
  uint64_t tag = got->delivery_tag;
  amqp_message_t message;
  fine("the message", amqp_read_message(c, ch, &message, 0));
  check(is(message.body, body), "body: got %s, want %s", string(message.body), body);
  return tag;
}

static void empty(conn_t c, amqp_channel_t ch, const char *queue) {
  amqp_rpc_reply_t reply = amqp_basic_get(c, ch, bytes(queue), 0);
  fine("get", reply);
  check(reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD, "%s is not empty", queue);
}

static void get(void) {
  conn_t c = here();
  amqp_channel_t ch = confirming(c);
  const char *queue = a_queue(c, ch);
  empty(c, ch, queue);
  for (int i = 1; i <= 3; i++) confirmed(c, ch, queue, NULL, bytes(text("%d", i)));
  uint64_t first = taken(c, ch, queue, false, "1", 2, false);
  taken(c, ch, queue, true, "2", 1, false);
  uint64_t third = taken(c, ch, queue, false, "3", 0, false);
  amqp_basic_nack(c, ch, first, 0, 1);
  amqp_basic_ack(c, ch, third, 0);
  amqp_basic_ack(c, ch, taken(c, ch, queue, false, "1", 0, true), 0);
  empty(c, ch, queue);

  confirmed(c, ch, queue, NULL, bytes("for the tool"));
  check(strcmp(tool(0, "amqp-get -u \"$AMQP_URL\" -q %s", queue), "for the tool") == 0, "the tool's get");
  tool(2, "amqp-get -u \"$AMQP_URL\" -q %s", queue); /* empty */
}

int main(int count, char **arguments) {
  static const struct story stories[] = {
      {"declare", declare},
      {"bind", bind},
      {"publish-consume", publish_consume},
      {"confirms", confirms},
      {"mandatory-return", mandatory_return},
      {"prefetch", prefetch},
      {"nack-requeue", nack_requeue},
      {"dead-letter", dead_letter},
      {"ttl", ttl},
      {"priorities", priorities},
      {"rpc-direct-reply-to", rpc_direct_reply_to},
      {"exclusive-auto-delete", exclusive_auto_delete},
      {"large-body", large_body},
      {"cancel-notification", cancel_notification},
      {"errors", errors},
      {"heartbeat-loss", heartbeat_loss},
      {"reconnect", reconnect},
      {"channels-1000", channels_1000, 240},
      {"tx", tx},
      {"headers-and-properties", headers_and_properties},
      {"exchange-to-exchange", exchange_to_exchange},
      {"get", get},
  };
  return tell(stories, COUNT(stories), count > 0 ? arguments + 1 : arguments);
}
