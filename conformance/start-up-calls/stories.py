"""What frameworks and agents ask the management API for when they start, as they send it: the headers, the order of the calls, names that
are encoded as each of them does, and the keys without which they stop. Taken from their sources; none of them is installed.
"""

import contextlib
import json
import os
from base64 import b64encode
from http.client import HTTPConnection
from urllib.parse import quote, quote_plus, unquote, urlsplit

import suite
from suite import check, eventually, same, story, unique

API = urlsplit(os.environ["HTTP_URL"])
LOGIN = "Basic " + b64encode(f"{unquote(API.username)}:{unquote(API.password)}".encode()).decode()
DEFAULT = "%2F"


class Answer:
    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    def json(self):
        return json.loads(self.body)


class Session:
    """One HTTP connection that is kept, and a virtual host that is gone at the end."""

    def __init__(self):
        self.connection = HTTPConnection(API.hostname, API.port, timeout=suite.WAIT_SECONDS)
        self.name = unique("vhost+/")
        self.vhost = quote(self.name, safe="")
        same(self.ask("PUT", f"/api/vhosts/{self.vhost}", b"").status, 201, "PUT vhost")
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        same(self.ask("PUT", f"/api/permissions/{self.vhost}/{API.username}", rights).status, 204, "PUT permissions")

    def ask(self, method, path, body=None, login=LOGIN, **headers):
        if login:
            headers["Authorization"] = login
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        self.connection.request(method, path, body, headers)
        return Answer(self.connection.getresponse())

    def challenged(self, method, path, body=None):
        """As clients ask that send their login only when they are told to."""
        refused = self.ask(method, path, body, login=None)
        same(refused.status, 401, f"{path} without a login")
        check(refused.headers["WWW-Authenticate"].startswith("Basic realm="), f"{path} does not ask for a login")
        return self.ask(method, path, body)

    def get(self, path, *keys, **headers):
        """What is there, which must have these keys, in each item if it is a list. RabbitMQ does not know all of them at once."""
        told = []

        def complete():
            answer = self.ask("GET", path, **headers)
            same(answer.status, 200, f"GET {path}")
            told[:] = [answer.json()]
            items = told[0] if isinstance(told[0], list) else told
            return all(key in item for item in items for key in keys)

        eventually(f"GET {path} has {keys} in {suite.abbreviate(told)}", complete)
        return told[0]

    def put(self, path, body=None, status=201):
        same(self.ask("PUT", path, body if body is not None else {}).status, status, f"PUT {path}")

    def delete(self, path, status=204):
        same(self.ask("DELETE", path).status, status, f"DELETE {path}")

    def queue(self, name, **body):
        self.put(f"/api/queues/{self.vhost}/{quote(name, safe='')}", {"durable": True, **body})
        return name

    def close(self):
        self.connection.close()
        self.delete(f"/api/vhosts/{self.vhost}")


@story("spring-rabbit-junit")
def spring_rabbit_junit(s):
    """BrokerRunningSupport compares the whole body."""
    answer = s.challenged("GET", f"/api/aliveness-test/{DEFAULT}")
    same((answer.status, answer.body), (200, b'{"status":"ok"}'), "aliveness test")


@story("wait-scripts")
def wait_scripts(s):
    """Scripts of compose files and of old charts: `curl --fail` of one of these, some of which look for the whole body."""
    for path in ("/", "/api", "/api/"):
        answer = s.ask("GET", path, login=None)
        check(answer.status < 400, f"{path} without a login: {answer.status}")
    for path in ("/api/overview", f"/api/aliveness-test/{DEFAULT}", "/api/health/checks/alarms"):
        same((s.ask("GET", path, login=None).status, s.ask("GET", path).status), (401, 200), f"{path} without a login, and with one")
    for path in (f"/api/aliveness-test/{DEFAULT}", "/api/healthchecks/node", "/api/health/checks/virtual-hosts"):
        same(s.ask("GET", path).body, b'{"status":"ok"}', f"GET {path}")


@story("spring-amqp")
def spring_amqp(s):
    """LocalizedQueueConnectionFactory chooses a node by that of the queue."""
    s.queue("orders")
    node = s.get("/api/overview", "node")["node"]
    same(s.get(f"/api/queues/{s.vhost}/orders", "node", Accept="application/json")["node"], node, "node of the queue")
    same(s.ask("GET", f"/api/queues/{s.vhost}/absent").status, 404, "a queue that is not there")


@story("spring-cloud-stream")
def spring_cloud_stream(s):
    """RabbitBindingCleaner deletes what a stream left behind: with slashes at the end."""
    s.put(f"/api/exchanges/{s.vhost}/scst.orders", {"type": "topic"})
    s.queue("scst.orders.group")
    bind = f"/api/bindings/{s.vhost}/e/scst.orders/q/scst.orders.group"
    same(s.ask("POST", bind, {"routing_key": "#"}).status, 201, "POST binding")
    queues = s.get(f"/api/queues/{s.vhost}/", "name", "consumers")
    same([(each["name"], each["consumers"]) for each in queues], [("scst.orders.group", 0)], "queues")
    check("scst.orders" in [each["name"] for each in s.get(f"/api/exchanges/{s.vhost}/", "name")], "the exchange is listed")
    [bound] = s.get(f"/api/exchanges/{s.vhost}/scst.orders/bindings/source", "destination", "destination_type")
    same(bound["destination"], "scst.orders.group", "destination")
    same(s.get(f"/api/exchanges/{s.vhost}/scst.orders/bindings/destination"), [], "bindings to it")
    s.delete(f"/api/queues/{s.vhost}/scst.orders.group")
    s.delete(f"/api/exchanges/{s.vhost}/scst.orders")


@story("nservicebus")
def nservicebus(s):
    """Its transport stops at the start when one of these is missing, or when a queue has no delivery limit that it may set."""
    overview = s.challenged("GET", "/api/overview")
    same(overview.status, 200, "GET overview")
    told = overview.json()
    major, minor, _ = told["rabbitmq_version"].split(".")
    check((int(major), int(minor)) >= (3, 10) and told["disable_stats"] is False, f"overview: {told}")
    flags = s.get("/api/feature-flags", "name", "state")
    same([each["state"] for each in flags if each["name"] == "stream_queue"], ["enabled"], "feature flag stream_queue")

    queue = s.queue("Sales.Orders", arguments={"x-queue-type": "quorum"})
    path = f"/api/queues/{s.vhost}/{queue}"
    keys = ("name", "arguments", "type", "delivery_limit", "effective_policy_definition")
    # It looks 20 times, 3 s apart, until the last ones are there; they are here at once.
    same(s.get(path, *keys)["arguments"], {"x-queue-type": "quorum"}, "arguments")
    policy = {"apply-to": "quorum_queues", "definition": {"delivery-limit": -1}, "pattern": "^Sales\\.Orders$", "priority": 0}
    s.put(f"/api/policies/{s.vhost}/nsb.{queue}.delivery-limit", policy)
    told = eventually("the policy holds", lambda: (now := s.get(path, *keys)).get("policy") and now)
    same(told["policy"], f"nsb.{queue}.delivery-limit", "policy")
    same(told["effective_policy_definition"], {"delivery-limit": -1}, "what it comes to")
    same(str(told["delivery_limit"]), "unlimited", "delivery limit")

    page = s.get(f"/api/queues/{s.vhost}/?page=1&page_size=500", "items", "page_count", "total_count")
    same(([each["name"] for each in page["items"]], page["page_count"]), ([queue], 1), "page")
    [default] = s.get(f"{path}/bindings", "source", "destination", "routing_key")
    same((default["source"], default["destination"]), ("", queue), "binding of the default exchange")


@story("masstransit")
def masstransit(s):
    """The test harness makes its virtual host, and clears it."""
    name = quote(unique("masstransit"), safe="")
    s.put(f"/api/vhosts/{name}")
    s.put(f"/api/vhosts/{name}", status=204)
    check(all(each["name"].startswith("amq.") or not each["name"] for each in s.get(f"/api/exchanges/{name}", "name")), "exchanges")
    same(s.get(f"/api/queues/{name}"), [], "queues")
    s.delete(f"/api/vhosts/{name}")


@story("rascal")
def rascal(s):
    name = unique("rascal")
    path = f"/api/vhosts/{name}"
    same(s.ask("GET", path).status, 404, "check of a virtual host that is not there")
    s.put(path)
    s.get(path, "name")
    s.delete(path)
    s.delete(path, status=404)


@story("hutch")
def hutch(s):
    s.get("/api/exchanges", "name", "vhost", "type")
    s.get("/api/bindings", "source", "destination", "routing_key", "vhost", "properties_key")


@story("keda")
def keda(s):
    """The scaler asks for one queue, or for those that an expression matches."""
    for name in ("work/1", "work/2", "play"):
        s.queue(name)
    keys = ("name", "messages", "messages_ready", "messages_unacknowledged")
    s.get(f"/api/queues/{quote_plus(s.name)}/{quote_plus('work/1')}", *keys)
    query = f"page=1&use_regex=true&pagination=false&name={quote_plus('^work')}&page_size=100"
    found = s.get(f"/api/queues/{quote_plus(s.name)}?{query}", "items", "page_count")
    same(sorted(each["name"] for each in found["items"]), ["work/1", "work/2"], "found")
    check(all(type(each["messages"]) is int for each in found["items"]), "messages")


@story("telegraf")
def telegraf(s):
    """A key of a wrong type fails a whole group of its input."""
    s.queue("measured")
    overview = s.get("/api/overview", "message_stats", "object_totals", "queue_totals", "listeners", "cluster_name")
    check(all(isinstance(number, int) for number in overview["object_totals"].values()), f"{overview['object_totals']}")
    for node in s.get("/api/nodes", "name", "disk_free", "fd_total", "fd_used", "mem_limit", "mem_used", "proc_total", "uptime"):
        check(type(node["uptime"]) is int and type(node["running"]) is bool, f"{node}")
        memory = s.get(f"/api/nodes/{node['name']}/memory", "memory")["memory"]
        check(isinstance(memory, dict) and isinstance(memory["total"], dict), f"memory: {memory}")
    for queue in s.get(f"/api/queues/{s.vhost}", "consumers", "memory", "message_bytes", "messages", "node", "vhost"):
        check(type(queue["durable"]) is bool and type(queue["messages"]) is int, f"{queue}")
    s.get("/api/exchanges", "name", "vhost", "type", "internal", "durable", "auto_delete")
    # A RabbitMQ without the plugin has none of it, which the agent knows.
    check(s.ask("GET", "/api/federation-links").status in (200, 404), "federation links")


@story("datadog")
def datadog(s):
    queue = s.queue("checked")
    s.get("/api/overview", "rabbitmq_version", "cluster_name", "object_totals", "queue_totals", "message_stats")
    check(s.name in [each["name"] for each in s.get("/api/vhosts", "name")], "the virtual host is listed")
    s.get("/api/exchanges", "name")
    s.get(f"/api/queues/{quote_plus(s.name)}", "name", "vhost")
    s.get(f"/api/queues/{quote_plus(s.name)}/{queue}/bindings", "source", "routing_key")
    s.get("/api/nodes", "name", "partitions", "running")
    s.get("/api/connections", "vhost")
    same(s.get(f"/api/vhosts/{quote_plus(s.name)}/connections"), [], "connections")
    same(s.get(f"/api/aliveness-test/{quote_plus(s.name)}"), {"status": "ok"}, "aliveness")


@story("kbudde-exporter")
def kbudde_exporter(s):
    """It switches sorting off, would rather have Erlang's terms, and takes numbers wherever it finds them."""
    queue = s.queue("exported")
    s.get("/api/overview", "object_totals", "queue_totals", "rabbitmq_version", "erlang_version", "cluster_name", "node")
    for node in s.get("/api/nodes?sort=", "uptime", "running", "mem_used", "mem_limit", "mem_alarm", "disk_free", "disk_free_alarm", "disk_free_limit", "fd_used", "fd_total", "partitions"):
        s.get(f"/api/nodes/{node['name']}/memory", "memory")
    found = s.get("/api/queues?sort=", "vhost", "name", "durable", "state", "node")
    check((s.name, queue) in [(each["vhost"], each["name"]) for each in found], "the queue is listed")
    s.get("/api/exchanges?sort=", "vhost", "name", "type")
    s.get("/api/connections?sort=")
    same(s.get(f"/api/aliveness-test/{quote_plus(s.name)}"), {"status": "ok"}, "aliveness")
    check(s.ask("GET", "/api/federation-links").status in (200, 404), "federation links")


@story("topology-operator")
def topology_operator(s):
    """rabbit-hole's paths end in a slash where they are lists; what is not there any more is deleted well enough."""
    s.get("/api/bindings/", "source")
    policy = f"/api/policies/{s.vhost}/grown"
    same(s.ask("PUT", policy, {"pattern": "^x$", "apply-to": "queues", "definition": {"max-length": 5}, "priority": 0}).status, 201, "policy")
    s.delete(policy)
    s.delete(policy, status=404)
    parameter = f"/api/global-parameters/{s.vhost}"
    same(s.ask("PUT", parameter, {"value": {"a": 1}}).status, 201, "global parameter")
    s.delete(parameter)
    for limit in ("max-connections", "max-queues"):
        check(s.ask("PUT", f"/api/vhost-limits/{s.vhost}/{limit}", {"value": 5}).status in (201, 204), limit)
        s.delete(f"/api/vhost-limits/{s.vhost}/{limit}")


@story("terraform")
def terraform(s):
    """The provider takes the last part of Location as the key of a binding."""
    s.get("/api/overview", "rabbitmq_version")
    s.queue("bound")
    bind = f"/api/bindings/{s.vhost}/e/amq.headers/q/bound"
    made = s.ask("POST", bind, {"routing_key": "a b/c", "arguments": {"x-match": "all", "n": 1}})
    same(made.status, 201, "POST binding")
    key = made.headers["Location"].rsplit("/", 1)[1]
    told = s.get(f"{bind}/{key}", "properties_key", "arguments", "routing_key")
    same((told["routing_key"], told["arguments"]), ("a b/c", {"x-match": "all", "n": 1}), "binding")
    s.delete(f"{bind}/{key}")
    s.delete(f"{bind}/{key}", status=404)


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


suite.main(tell)
