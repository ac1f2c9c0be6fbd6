/* What the stories share: a process of its own with a deadline for each, checks, the events of a connection,
 * the proxy's control connection, and the names that are deleted after a story. */
#pragma once

#include <amqp.h>
#include <stdbool.h>
#include <stdint.h>

enum { WAIT_MS = 60000 };

typedef amqp_connection_state_t conn_t;

struct story {
  const char *name;
  void (*body)(void);
  unsigned deadline; /* in seconds; 0 is the default of 30 */
};

/* Tells the stories that are named, or all; the exit code. */
int tell(const struct story *stories, int count, char **wanted);

/* Ends the story. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define check(holds, ...) \
  do { \
    if (!(holds)) fail(__VA_ARGS__); \
  } while (0)

const char *env(const char *name);
const char *unique(const char *what);        /* a new name */
const char *queue_name(void);                /* likewise, deleted after the story */
const char *exchange_name(void);             /* likewise */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2))); /* for good */
void proxy(const char *command);
void doze(int ms);                           /* between two probes of a condition */
int64_t now_ms(void);

/* --- bytes --- */

amqp_bytes_t bytes(const char *string);
const char *string(amqp_bytes_t bytes);
bool is(amqp_bytes_t bytes, const char *string);

/* --- connections --- */

struct amqp_connection_info address(const char *variable);
/* Logs in; the reply tells how that went. */
amqp_rpc_reply_t login(conn_t *conn, const struct amqp_connection_info *to, int heartbeat);
conn_t connect_to(const char *variable, int heartbeat); /* of AMQP_URL or PROXY_URL */
void disconnect(conn_t conn);
amqp_channel_t channel_on(conn_t conn);
amqp_channel_t confirming(conn_t conn);
void close_channel(conn_t conn, amqp_channel_t channel);

/* Checks the reply to the latest synchronous method. */
void ok(conn_t conn);
void fine(const char *what, amqp_rpc_reply_t reply);
/* It must be a close with this code and a text beginning so. */
void refused_with(conn_t conn, amqp_channel_t channel, amqp_rpc_reply_t reply, int code, const char *text);

/* --- what arrives unasked --- */

enum kind { NOTHING, DELIVERY, ACK, NACK, RETURN, CANCEL, CLOSE, LOST };

struct event {
  enum kind kind;
  uint64_t tag;
  bool multiple, redelivered;
  int code;              /* of a return or close; of the library when the connection is lost */
  const char *text;      /* of a return or close; the consumer tag of a delivery or cancel */
  const char *exchange, *key;
  amqp_message_t message; /* of a delivery or return */
};

struct event next_event(conn_t conn, int ms);
/* The next event, which must be of this kind. */
struct event expect(conn_t conn, enum kind kind);
/* The next delivery, which must have this body. */
struct event receive(conn_t conn, const char *body);
void quiet(conn_t conn); /* nothing has arrived */

/* --- publishing --- */

void publish(conn_t conn, amqp_channel_t channel, const char *exchange, const char *key,
             const amqp_basic_properties_t *properties, amqp_bytes_t body);
void send_text(conn_t conn, amqp_channel_t channel, const char *queue, const char *body);
void send_mandatory(conn_t conn, amqp_channel_t channel, const char *key, const amqp_basic_properties_t *properties,
                    const char *body);
/* Whether the message published last on the channel is acked. */
bool acked(conn_t conn, amqp_channel_t channel);

/* --- tables --- */

amqp_table_entry_t entry_int(const char *key, int32_t value);
amqp_table_entry_t entry_text(const char *key, const char *value);
amqp_table_entry_t entry(const char *key, amqp_field_value_t value);
amqp_field_value_t field(uint8_t kind);
const amqp_field_value_t *find(const amqp_table_t *table, const char *key); /* or NULL */
bool same_value(const amqp_field_value_t *a, const amqp_field_value_t *b);
bool same_table(const amqp_table_t *a, const amqp_table_t *b);
#define TABLE(...) \
  ((amqp_table_t){sizeof((amqp_table_entry_t[]){__VA_ARGS__}) / sizeof(amqp_table_entry_t), \
                  (amqp_table_entry_t[]){__VA_ARGS__}})
#define ARRAY(...) \
  ((amqp_array_t){sizeof((amqp_field_value_t[]){__VA_ARGS__}) / sizeof(amqp_field_value_t), \
                  (amqp_field_value_t[]){__VA_ARGS__}})

/* Runs one of the library's command line tools; what it prints, errors included. */
const char *tool(int expected_exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));
