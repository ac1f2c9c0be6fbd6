"""The stories of rabbitmqadmin v2: each verb as somebody types it, with what it prints. What belongs to shovels, federation, streams and
Tanzu is not there; `shell` and `config_file` ask no broker."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import tempfile
from urllib.parse import unquote, urlsplit

import suite
from suite import check, eventually, same, story, unique

API = urlsplit(os.environ["HTTP_URL"])
AMQP = urlsplit(suite.AMQP_URL)
TOOL = os.environ["RABBITMQADMIN"]
SECONDS = 60


def run(*arguments, vhost="/", user=API.username, password=API.password, given=None):
    """Its exit code, and what it prints. Nothing is read from a file of the user's."""
    target = ["-H", API.hostname, "-P", str(API.port), "-u", user, "-p", password, "-V", vhost, "--non-interactive"]
    environment = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir()}
    done = subprocess.run(
        [TOOL, *target, *arguments], env=environment, capture_output=True, text=True, timeout=SECONDS, input=given
    )
    return done.returncode, done.stdout, done.stderr


class Session:
    """A virtual host of its own for one story: it is gone at the end."""

    def __init__(self):
        self.vhost = unique("vhost")
        self.users = []
        self.do("vhosts", "declare", "--name", self.vhost)

    def do(self, *arguments, **more):
        code, out, err = run(*arguments, **{"vhost": self.vhost, **more})
        check(code == 0, f"{' '.join(arguments)}: exit code {code}: {err or out}")
        return out

    def fail(self, *arguments, **more):
        code, out, err = run(*arguments, **{"vhost": self.vhost, **more})
        check(code != 0, f"{' '.join(arguments)} was not refused: {out}")
        return out + err

    def shows(self, text, *arguments, **more):
        out = self.do(*arguments, **more)
        check(text in out, f"{' '.join(arguments)}: no {text} in {out}")
        return out

    def hides(self, text, *arguments):
        out = self.do(*arguments)
        check(text not in out, f"{' '.join(arguments)}: {text} is in {out}")

    def user(self, tags="management"):
        name = unique("user")
        self.do("users", "declare", "--name", name, "--password", "secret", "--tags", tags)
        self.users.append(name)
        return name

    def close(self):
        for user in self.users:
            run("users", "delete", "--name", user, "--idempotently")
        run("vhosts", "delete", "--name", self.vhost, "--idempotently")


@story("show")
def show(s):
    s.shows("RabbitMQ version", "show", "overview")
    for verb in ["churn", "endpoint"]:
        s.do("show", verb)
    node = s.do("nodes", "list")
    name = next(word for word in node.split() if "@" in word)
    for verb in ["memory_breakdown_in_bytes", "memory_breakdown_in_percent"]:
        for group in ["show", "nodes"]:
            check("total" in s.do(group, verb, "--node", name).lower(), f"{group} {verb} has a total")
    s.do("plugins", "list_all")
    s.do("auth_attempts", "stats", "--node", name)
    s.do("rebalance", "queues")


@story("list")
def lists(s):
    kinds = ["nodes", "users", "vhosts", "permissions", "connections", "channels", "queues", "exchanges", "bindings"]
    more = ["consumers", "policies", "operator_policies", "vhost_limits", "user_limits", "feature_flags"]
    for kind in [*kinds, *more, "deprecated_features", "deprecated_features_in_use"]:
        s.do("list", kind)
    s.shows("amq.topic", "exchanges", "list")
    s.shows("quorum_queue", "feature_flags", "list")
    for group in ["parameters", "global_parameters"]:
        s.do(group, "list_all" if group == "parameters" else "list")


@story("queues-and-messages")
def queues_and_messages(s):
    for name, kind in [("classic", "classic"), ("quorum", "quorum")]:
        s.do("declare", "queue", "--name", name, "--type", kind)
    s.do("queues", "declare", "--name", "limited", "--arguments", '{"x-max-length": 2}')
    s.shows("quorum", "queues", "list")
    for number in range(3):
        s.shows("routed successfully", "publish", "message", "-k", "classic", "-m", f"body-{number}", "-p", '{"message_id": "m"}')
    eventually("three are counted", lambda: "3" in s.do("queues", "show", "--name", "classic", "--columns", "message_count"))
    s.shows("body-0", "get", "messages", "-q", "classic", "-a", "ack_requeue_true")
    got = s.do("get", "messages", "-q", "classic", "-c", "2", "-a", "ack_requeue_false")
    check("body-0" in got and "body-1" in got and "body-2" not in got, got)
    s.do("purge", "queue", "--name", "classic")
    s.hides("body", "get", "messages", "-q", "classic")
    s.do("delete", "queue", "--name", "classic")
    s.fail("delete", "queue", "--name", "classic")
    s.do("delete", "queue", "--name", "classic", "--idempotently")
    s.fail("queues", "show", "--name", "classic")
    s.do("queues", "delete_multiple", "--name-pattern", "^(quorum|limited)$", "--approve")
    s.hides("limited", "queues", "list")


@story("exchanges-and-bindings")
def exchanges_and_bindings(s):
    s.do("declare", "exchange", "--name", "events", "--type", "topic")
    s.do("declare", "queue", "--name", "q", "--type", "classic")
    ends = ["--source", "events", "--destination-type", "queue", "--destination", "q", "--routing-key", "a.#"]
    s.do("declare", "binding", *ends)
    s.shows("a.#", "bindings", "list")
    s.shows("routed successfully", "publish", "message", "-e", "events", "-k", "a.b", "-m", "x")
    s.do("delete", "binding", *ends)
    s.hides("routed successfully", "publish", "message", "-e", "events", "-k", "a.b", "-m", "x")
    s.do("exchanges", "bind", *ends)
    s.do("exchanges", "unbind", *ends)
    s.do("delete", "exchange", "--name", "events")
    s.hides("events", "list", "exchanges")


@story("users-and-permissions")
def users_and_permissions(s):
    name = s.user()
    s.shows(name, "users", "list")
    s.fail("list", "queues", user=name, password="wrong")
    rights = ["--user", name, "--configure", "^c", "--write", ".*", "--read", ".*"]
    s.do("declare", "permissions", *rights)
    s.shows("^c", "users", "permissions")
    s.do("list", "queues", user=name, password="secret")
    refused = s.fail("queues", "declare", "--name", "q", "--type", "classic", user=name, password="secret")
    check("401" in refused or "refused" in refused.lower(), refused)
    s.do("queues", "declare", "--name", "c", "--type", "classic", user=name, password="secret")
    s.do("user_limits", "declare", "--user", name, "--name", "max-channels", "--value", "9")
    s.shows("max-channels", "list", "user_limits", "--user", name)
    s.do("user_limits", "delete", "--user", name, "--name", "max-channels")
    s.do("permissions", "delete", "--user", name)
    s.fail("list", "users", user=name, password="secret")
    s.do("users", "delete", "--name", name)
    s.hides(name, "users", "list")
    s.do("passwords", "salt_and_hash", "secret")


@story("virtual-hosts")
def virtual_hosts(s):
    name = unique("vhost")
    described = ["--description", "of a story", "--default-queue-type", "quorum"]
    s.do("vhosts", "declare", "--name", name, *described)
    s.shows(name, "vhosts", "list")
    s.do("vhosts", "enable_deletion_protection", "--name", name)
    s.fail("vhosts", "delete", "--name", name)
    s.do("vhosts", "disable_deletion_protection", "--name", name)
    s.do("vhost_limits", "declare", "--name", "max-queues", "--value", "1", vhost=name)
    s.shows("max-queues", "list", "vhost_limits", vhost=name)
    s.do("queues", "declare", "--name", "one", "--type", "classic", vhost=name)
    s.fail("queues", "declare", "--name", "two", "--type", "classic", vhost=name)
    s.do("vhost_limits", "delete", "--name", "max-queues", vhost=name)
    s.do("vhosts", "delete_multiple", "--name-pattern", f"^{name}$", "--approve")
    s.hides(name, "list", "vhosts")


@story("policies")
def policies(s):
    what = ["--pattern", "^q", "--apply-to", "queues", "--priority", "3", "--definition", '{"max-length": 5}']
    s.do("policies", "declare", "--name", "limit", *what)
    s.do("declare", "operator_policy", "--name", "bound", *what)
    s.do("queues", "declare", "--name", "q", "--type", "classic")
    s.shows("limit", "policies", "list_matching_object", "--name", "q", "--type", "queues")
    s.do("policies", "patch", "--name", "limit", "--definition", '{"message-ttl": 60000}')
    s.do("policies", "update_definition", "--name", "limit", "--definition-key", "max-length", "--new-value", "7")
    listed = s.do("policies", "list_in")
    check("message-ttl" in listed and "7" in listed, listed)
    s.do("policies", "delete_definition_keys", "--name", "limit", "--definition-keys", "message-ttl")
    s.hides("message-ttl", "policies", "list_in")
    s.do("policies", "declare_override", "--name", "limit", "--override-name", "more", "--definition", '{"expires": 9000}')
    s.do("policies", "declare_blanket", "--name", "rest", "--apply-to", "queues", "--definition", '{"max-length": 100}')
    s.do("policies", "list_conflicting_in")
    for name in ["limit", "more", "rest"]:
        s.do("delete", "policy", "--name", name)
    s.hides("more", "policies", "list_in")
    s.do("operator_policies", "delete", "--name", "bound")
    name = unique("parameter")
    s.do("global_parameters", "set", "--name", name, "--value", '{"a": 1}')
    s.shows(name, "global_parameters", "list")
    s.do("global_parameters", "clear", "--name", name)


@story("definitions")
def definitions(s):
    s.do("queues", "declare", "--name", "kept", "--type", "classic")
    s.do("declare", "exchange", "--name", "kept", "--type", "fanout")
    s.do("declare", "binding", "--source", "kept", "--destination-type", "queue", "--destination", "kept", "--routing-key", "")
    whole = json.loads(s.do("definitions", "export", "--stdout"))
    check(s.vhost in [vhost["name"] for vhost in whole["vhosts"]], "the virtual host is exported")
    for kind in ["queues", "exchanges", "bindings"]:
        mine = [thing for thing in whole[kind] if thing["vhost"] == s.vhost]
        same(len(mine), 1, f"{kind} that are exported")
    # Another tool's file is like that: only what is to be imported.
    whole = {key: [thing for thing in whole[key] if thing.get("vhost") == s.vhost] for key in ["queues", "exchanges", "bindings"]}
    own = s.do("definitions", "export_from_vhost", "--stdout")
    for name in ["queue", "exchange"]:
        s.do("delete", name, "--name", "kept")
    s.do("definitions", "import_into_vhost", "--stdin", given=own)
    s.shows("kept", "bindings", "list")
    for name in ["queue", "exchange"]:
        s.do("delete", name, "--name", "kept")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(whole, file)
        file.flush()
        s.do("definitions", "import", "--file", file.name)
    s.shows("kept", "bindings", "list")


@story("health-checks")
def health_checks(s):
    for check_name in ["local_alarms", "cluster_wide_alarms", "node_is_quorum_critical"]:
        s.do("health_check", check_name)
    s.do("health_check", "port_listener", "--port", str(API.port))
    s.fail("health_check", "port_listener", "--port", "1")
    s.do("health_check", "protocol_listener", "--protocol", "amqp")
    s.fail("health_check", "protocol_listener", "--protocol", "mqtt")


def connect(vhost, user, password):
    """A bare connection of AMQP, as far as opened."""
    connection = socket.create_connection((AMQP.hostname, AMQP.port or 5672), timeout=SECONDS)
    stream = connection.makefile("rb")

    def read():
        kind, _, size = struct.unpack(">BHI", stream.read(7))
        payload = stream.read(size + 1)[:-1]
        return struct.unpack(">HH", payload[:4]) if kind == 1 else None

    def send(method, arguments):
        payload = struct.pack(">HH", *method) + arguments
        connection.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce")

    def short(text):
        return bytes([len(text)]) + text.encode()

    response = f"\0{user}\0{password}".encode()
    connection.sendall(b"AMQP\0\0\x09\x01")
    same(read(), (10, 10), "connection.start")
    send((10, 11), bytes(4) + short("PLAIN") + struct.pack(">I", len(response)) + response + short("en_US"))
    same(read(), (10, 30), "connection.tune")
    send((10, 31), struct.pack(">HIH", 2047, 131072, 0))
    send((10, 40), short(vhost) + bytes(2))
    same(read(), (10, 41), "connection.open-ok")
    return connection, read


@story("connections")
def connections(s):
    name = s.user()
    s.do("declare", "permissions", "--user", name, "--configure", ".*", "--write", ".*", "--read", ".*")
    for verb in [["close", "connection"], ["close", "user_connections"], ["connections", "close_of_user"]]:
        connection, read = connect(s.vhost, name, "secret")
        host, port = connection.getsockname()[:2]
        eventually("it is listed", lambda: str(port) in s.do("list", "user_connections", "--username", name))
        full_name = f"{host}:{port} -> {AMQP.hostname}:{AMQP.port or 5672}"
        which = ["--name", full_name] if verb[1] == "connection" else ["--username", name]
        # RabbitMQ does not know it at once.
        eventually("it is closed", lambda: run(*verb, *which, vhost=s.vhost)[0] == 0)
        same(read(), (10, 50), "connection.close")
        connection.close()
        s.do("connections", "list_of_user", "--username", name)


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


suite.main(tell)
