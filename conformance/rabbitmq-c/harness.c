#include "harness.h"

#include <amqp_tcp_socket.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NAMES = 64, CHANNEL_MAX = 2047 };

/* The names to delete, in memory that the story's process shares with the one that tidies up. */
static struct {
  int count;
  struct {
    bool is_queue;
    char name[64];
  } names[MAX_NAMES];
} *shared;

static int complaint = -1; /* where a story's process writes why it failed */
static uint64_t published[CHANNEL_MAX + 1];
static amqp_channel_t last_channel;

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vdprintf(complaint, format, arguments);
  va_end(arguments);
  _exit(1);
}

const char *text(const char *format, ...) {
  char *result = NULL;
  va_list arguments;
  va_start(arguments, format);
  if (vasprintf(&result, format, arguments) < 0) abort();
  va_end(arguments);
  return result;
}

const char *env(const char *name) {
  const char *value = getenv(name);
  check(value != NULL && *value != '\0', "%s is not set", name);
  return value;
}

const char *unique(const char *what) {
  uint64_t random;
  check(getrandom(&random, sizeof random, 0) == sizeof random, "no random numbers");
  return text("conformance-%s-%016llx", what, (unsigned long long)random);
}

static const char *named(bool is_queue) {
  const char *name = unique(is_queue ? "queue" : "exchange");
  check(shared->count < MAX_NAMES, "too many names");
  shared->names[shared->count].is_queue = is_queue;
  strcpy(shared->names[shared->count].name, name);
  shared->count++;
  return name;
}

const char *queue_name(void) { return named(true); }
const char *exchange_name(void) { return named(false); }

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void doze(int ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL); }

void proxy(const char *command) {
  char *host = strdup(env("PROXY_CONTROL"));
  char *colon = strrchr(host, ':');
  check(colon != NULL, "PROXY_CONTROL is not host:port");
  *colon = '\0';
  struct addrinfo *found;
  check(getaddrinfo(host, colon + 1, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &found) == 0, "no address of the proxy");
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(connect(fd, found->ai_addr, found->ai_addrlen) == 0, "the proxy's control: %s", strerror(errno));
  dprintf(fd, "%s\n", command);
  char answer[4] = "";
  for (int got = 0, n; got < 3; got += n) {
    n = read(fd, answer + got, 3 - got);
    check(n > 0, "no answer of the proxy");
  }
  check(strcmp(answer, "ok\n") == 0, "the proxy answered %s", answer);
  close(fd);
  freeaddrinfo(found);
  free(host);
}

amqp_bytes_t bytes(const char *string) { return amqp_cstring_bytes(string); }
const char *string(amqp_bytes_t bytes) { return text("%.*s", (int)bytes.len, (char *)bytes.bytes); }
bool is(amqp_bytes_t bytes, const char *string) {
  return bytes.len == strlen(string) && memcmp(bytes.bytes, string, bytes.len) == 0;
}

/* --- connections --- */

struct amqp_connection_info address(const char *variable) {
  struct amqp_connection_info info;
  int status = amqp_parse_url(strdup(env(variable)), &info); /* which keeps pointers into it */
  check(status == AMQP_STATUS_OK, "%s: %s", variable, amqp_error_string2(status));
  return info;
}

amqp_rpc_reply_t login(conn_t *conn, const struct amqp_connection_info *to, int heartbeat) {
  *conn = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(*conn);
  int status = amqp_socket_open(socket, to->host, to->port);
  check(status == AMQP_STATUS_OK, "connecting: %s", amqp_error_string2(status));
  amqp_field_value_t yes = field(AMQP_FIELD_KIND_BOOLEAN);
  yes.value.boolean = true;
  amqp_field_value_t capabilities = field(AMQP_FIELD_KIND_TABLE);
  capabilities.value.table = TABLE(entry("authentication_failure_close", yes), entry("basic.nack", yes),
                                   entry("consumer_cancel_notify", yes), entry("exchange_exchange_bindings", yes),
                                   entry("publisher_confirms", yes));
  amqp_table_t properties = TABLE(entry("capabilities", capabilities));
  return amqp_login_with_properties(*conn, to->vhost, CHANNEL_MAX, 131072, heartbeat, &properties, AMQP_SASL_METHOD_PLAIN,
                                    to->user, to->password);
}

conn_t connect_to(const char *variable, int heartbeat) {
  conn_t conn;
  struct amqp_connection_info to = address(variable);
  fine("login", login(&conn, &to, heartbeat));
  return conn;
}

void disconnect(conn_t conn) {
  fine("connection.close", amqp_connection_close(conn, AMQP_REPLY_SUCCESS));
  amqp_destroy_connection(conn);
}

amqp_channel_t channel_on(conn_t conn) {
  amqp_channel_open(conn, ++last_channel);
  ok(conn);
  published[last_channel] = 0;
  return last_channel;
}

amqp_channel_t confirming(conn_t conn) {
  amqp_channel_t channel = channel_on(conn);
  amqp_confirm_select(conn, channel);
  ok(conn);
  return channel;
}

void close_channel(conn_t conn, amqp_channel_t channel) {
  fine("channel.close", amqp_channel_close(conn, channel, AMQP_REPLY_SUCCESS));
}

static const char *described(amqp_rpc_reply_t reply, int *code) {
  *code = 0;
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) return amqp_error_string2(reply.library_error);
  if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) return "no reply";
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    amqp_channel_close_t *close = reply.reply.decoded;
    *code = close->reply_code;
    return string(close->reply_text);
  }
  amqp_connection_close_t *close = reply.reply.decoded;
  *code = close->reply_code;
  return string(close->reply_text);
}

void fine(const char *what, amqp_rpc_reply_t reply) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  int code;
  const char *why = described(reply, &code);
  fail("%s: %d %s", what, code, why);
}

void ok(conn_t conn) { fine("a method", amqp_get_rpc_reply(conn)); }

void refused_with(conn_t conn, amqp_channel_t channel, amqp_rpc_reply_t reply, int code, const char *text) {
  check(reply.reply_type != AMQP_RESPONSE_NORMAL, "succeeded, where this was due: %d %s", code, text);
  int got;
  const char *why = described(reply, &got);
  check(got == code && strncmp(why, text, strlen(text)) == 0, "want %d %s, got %d %s", code, text, got, why);
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    amqp_channel_close_ok_t close_ok = {0};
    amqp_send_method(conn, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
  }
}

/* --- what arrives unasked --- */

static struct event from_frame(conn_t conn, amqp_frame_t *frame) {
  struct event event = {0};
  check(frame->frame_type == AMQP_FRAME_METHOD, "a frame of type %d came", frame->frame_type);
  void *decoded = frame->payload.method.decoded;
  switch (frame->payload.method.id) {
    case AMQP_BASIC_ACK_METHOD:
      event.kind = ACK;
      event.tag = ((amqp_basic_ack_t *)decoded)->delivery_tag;
      event.multiple = ((amqp_basic_ack_t *)decoded)->multiple;
      break;
    case AMQP_BASIC_NACK_METHOD:
      event.kind = NACK;
      event.tag = ((amqp_basic_nack_t *)decoded)->delivery_tag;
      event.multiple = ((amqp_basic_nack_t *)decoded)->multiple;
      break;
    case AMQP_BASIC_RETURN_METHOD: {
      amqp_basic_return_t *returned = decoded;
      event.kind = RETURN;
      event.code = returned->reply_code;
      event.text = string(returned->reply_text);
      event.exchange = string(returned->exchange);
      event.key = string(returned->routing_key);
      fine("the returned message", amqp_read_message(conn, frame->channel, &event.message, 0));
      break;
    }
    case AMQP_BASIC_CANCEL_METHOD:
      event.kind = CANCEL;
      event.text = string(((amqp_basic_cancel_t *)decoded)->consumer_tag);
      break;
    case AMQP_CHANNEL_CLOSE_METHOD:
      event.kind = CLOSE;
      event.code = ((amqp_channel_close_t *)decoded)->reply_code;
      event.text = string(((amqp_channel_close_t *)decoded)->reply_text);
      break;
    default:
      fail("%s came", amqp_method_name(frame->payload.method.id));
  }
  return event;
}

struct event next_event(conn_t conn, int ms) {
  struct event event = {0};
  struct timeval patience = {ms / 1000, ms % 1000 * 1000};
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply = amqp_consume_message(conn, &envelope, &patience, 0);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
    event.kind = DELIVERY;
    event.tag = envelope.delivery_tag;
    event.redelivered = envelope.redelivered;
    event.text = string(envelope.consumer_tag);
    event.exchange = string(envelope.exchange);
    event.key = string(envelope.routing_key);
    event.message = envelope.message;
  } else if (reply.library_error == AMQP_STATUS_UNEXPECTED_STATE) { /* no delivery but something else */
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(conn, &frame, &patience);
    check(status == AMQP_STATUS_OK, "reading a frame: %s", amqp_error_string2(status));
    event = from_frame(conn, &frame);
  } else if (reply.library_error != AMQP_STATUS_TIMEOUT) {
    event.kind = LOST;
    event.code = reply.library_error;
  }
  return event;
}

struct event expect(conn_t conn, enum kind kind) {
  static const char *const kinds[] = {"nothing", "a delivery", "an ack", "a nack", "a return", "a cancel", "a close", "the end"};
  struct event event = next_event(conn, WAIT_MS);
  check(event.kind == kind, "%s was due, %s came", kinds[kind], kinds[event.kind]);
  return event;
}

struct event receive(conn_t conn, const char *body) {
  struct event event = expect(conn, DELIVERY);
  check(is(event.message.body, body), "body: got %s, want %s", string(event.message.body), body);
  return event;
}

void quiet(conn_t conn) { check(next_event(conn, 0).kind == NOTHING, "more came than was due"); }

/* --- publishing --- */

static void publish_flagged(conn_t conn, amqp_channel_t channel, const char *exchange, const char *key, bool mandatory,
                            const amqp_basic_properties_t *properties, amqp_bytes_t body) {
  int status = amqp_basic_publish(conn, channel, bytes(exchange), bytes(key), mandatory, 0, properties, body);
  check(status == AMQP_STATUS_OK, "publishing: %s", amqp_error_string2(status));
  published[channel]++;
}

void publish(conn_t conn, amqp_channel_t channel, const char *exchange, const char *key,
             const amqp_basic_properties_t *properties, amqp_bytes_t body) {
  publish_flagged(conn, channel, exchange, key, false, properties, body);
}

void send_text(conn_t conn, amqp_channel_t channel, const char *queue, const char *body) {
  publish(conn, channel, "", queue, NULL, bytes(body));
}

void send_mandatory(conn_t conn, amqp_channel_t channel, const char *key, const amqp_basic_properties_t *properties,
                    const char *body) {
  publish_flagged(conn, channel, "", key, true, properties, bytes(body));
}

bool acked(conn_t conn, amqp_channel_t channel) {
  for (;;) {
    struct event event = next_event(conn, WAIT_MS);
    check(event.kind == ACK || event.kind == NACK, "no confirm but event %d came", event.kind);
    if (event.tag == published[channel]) return event.kind == ACK;
  }
}

/* --- tables --- */

amqp_field_value_t field(uint8_t kind) {
  amqp_field_value_t value = {.kind = kind};
  return value;
}

amqp_table_entry_t entry(const char *key, amqp_field_value_t value) { return (amqp_table_entry_t){bytes(key), value}; }

amqp_table_entry_t entry_int(const char *key, int32_t number) {
  amqp_field_value_t value = field(AMQP_FIELD_KIND_I32);
  value.value.i32 = number;
  return entry(key, value);
}

amqp_table_entry_t entry_text(const char *key, const char *string) {
  amqp_field_value_t value = field(AMQP_FIELD_KIND_UTF8);
  value.value.bytes = bytes(string);
  return entry(key, value);
}

const amqp_field_value_t *find(const amqp_table_t *table, const char *key) {
  for (int i = 0; i < table->num_entries; i++) {
    if (is(table->entries[i].key, key)) return &table->entries[i].value;
  }
  return NULL;
}

bool same_table(const amqp_table_t *a, const amqp_table_t *b) {
  if (a->num_entries != b->num_entries) return false;
  for (int i = 0; i < a->num_entries; i++) {
    const amqp_field_value_t *other = find(b, string(a->entries[i].key));
    if (other == NULL || !same_value(&a->entries[i].value, other)) return false;
  }
  return true;
}

bool same_value(const amqp_field_value_t *a, const amqp_field_value_t *b) {
  if (a->kind != b->kind) return false;
  switch (a->kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
      return a->value.boolean == b->value.boolean;
    case AMQP_FIELD_KIND_I8:
    case AMQP_FIELD_KIND_U8:
      return a->value.u8 == b->value.u8;
    case AMQP_FIELD_KIND_I16:
    case AMQP_FIELD_KIND_U16:
      return a->value.u16 == b->value.u16;
    case AMQP_FIELD_KIND_I32:
    case AMQP_FIELD_KIND_U32:
      return a->value.u32 == b->value.u32;
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return a->value.u64 == b->value.u64;
    case AMQP_FIELD_KIND_F32:
      return a->value.f32 == b->value.f32;
    case AMQP_FIELD_KIND_F64:
      return a->value.f64 == b->value.f64;
    case AMQP_FIELD_KIND_DECIMAL:
      return a->value.decimal.decimals == b->value.decimal.decimals && a->value.decimal.value == b->value.decimal.value;
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return a->value.bytes.len == b->value.bytes.len &&
             memcmp(a->value.bytes.bytes, b->value.bytes.bytes, a->value.bytes.len) == 0;
    case AMQP_FIELD_KIND_ARRAY:
      if (a->value.array.num_entries != b->value.array.num_entries) return false;
      for (int i = 0; i < a->value.array.num_entries; i++) {
        if (!same_value(&a->value.array.entries[i], &b->value.array.entries[i])) return false;
      }
      return true;
    case AMQP_FIELD_KIND_TABLE:
      return same_table(&a->value.table, &b->value.table);
    case AMQP_FIELD_KIND_VOID:
      return true;
  }
  return false;
}

const char *tool(int expected_exit_code, const char *format, ...) {
  char *command;
  va_list arguments;
  va_start(arguments, format);
  if (vasprintf(&command, format, arguments) < 0) abort();
  va_end(arguments);
  FILE *pipe = popen(text("exec 2>&1; export AMQP_URL; timeout 60 %s", command), "r");
  check(pipe != NULL, "no shell");
  static char output[4096];
  output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
  int status = pclose(pipe);
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  check(code == expected_exit_code, "%s: exit code %d, %s", command, code, output);
  return output;
}

/* --- telling --- */

static void tidy(void) {
  if (shared->count == 0) return;
  conn_t conn = connect_to("AMQP_URL", 0);
  amqp_channel_t channel = channel_on(conn);
  for (int i = 0; i < shared->count; i++) {
    if (shared->names[i].is_queue) {
      amqp_queue_delete(conn, channel, bytes(shared->names[i].name), 0, 0);
    } else {
      amqp_exchange_delete(conn, channel, bytes(shared->names[i].name), 0);
    }
    ok(conn);
  }
  disconnect(conn);
}

/* Runs `body` in a process of its own; false if it failed, and why. */
static bool attempt(void (*body)(void), unsigned deadline, char *why, size_t size) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    complaint = ends[1];
    alarm(deadline); /* SIGALRM ends the process */
    body();
    _exit(0);
  }
  close(ends[1]);
  size_t got = 0;
  for (ssize_t n; got < size - 1 && (n = read(ends[0], why + got, size - 1 - got)) > 0;) got += n;
  why[got] = '\0';
  close(ends[0]);
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    if (WTERMSIG(status) == SIGALRM) {
      snprintf(why, size, "not finished within %u s", deadline);
    } else {
      snprintf(why, size, "killed by signal %d", WTERMSIG(status));
    }
  }
  for (char *c = why; *c != '\0'; c++) {
    if (*c == '\n') *c = ' ';
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool among(const char *name, char **wanted) {
  for (; *wanted != NULL; wanted++) {
    if (strcmp(*wanted, name) == 0) return true;
  }
  return false;
}

int tell(const struct story *stories, int count, char **wanted) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) abort();
  int passed = 0, failed = 0;
  for (char **name = wanted; *name != NULL; name++) {
    bool known = false;
    for (int i = 0; i < count; i++) known |= strcmp(stories[i].name, *name) == 0;
    if (!known) {
      failed++;
      printf("FAIL %s: no such story\n", *name);
    }
  }
  for (int i = 0; i < count; i++) {
    const struct story *story = &stories[i];
    if (*wanted != NULL && !among(story->name, wanted)) continue;
    char why[2000], untidy[1000];
    shared->count = 0;
    bool good = attempt(story->body, story->deadline ? story->deadline : 240, why, sizeof why);
    if (!attempt(tidy, 240, untidy, sizeof untidy) && good) {
      good = false;
      snprintf(why, sizeof why, "tidying up: %s", untidy);
    }
    if (good) {
      passed++;
      printf("ok %s\n", story->name);
    } else {
      failed++;
      printf("FAIL %s: %s\n", story->name, why);
    }
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
