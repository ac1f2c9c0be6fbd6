"""The stories of pyrabbit2, a client of the management API. What it has no method for, other clients tell."""

import contextlib
import os
from urllib.parse import urlsplit

from pyrabbit2 import Client
from pyrabbit2.api import PermissionError
from pyrabbit2.http import HTTPError

import suite
from suite import Failed, check, eventually, same, story, unique

API = urlsplit(os.environ["HTTP_URL"])
ADDRESS = f"{API.hostname}:{API.port}"


def client(user=API.username, password=API.password):
    return Client(ADDRESS, user, password)


class Session:
    """A virtual host of its own for one story, with a user: both are gone at the end."""

    def __init__(self):
        self.client = client()
        self.vhost = unique("vhost/with a slash")
        self.client.create_vhost(self.vhost)
        self.client.set_vhost_permissions(self.vhost, API.username, ".*", ".*", ".*")
        self.users = []

    def user(self, tags=""):
        name = unique("user")
        self.client.create_user(name, "secret", tags=tags)
        self.users.append(name)
        return name

    def depth(self, queue):
        return self.client.get_queue(self.vhost, queue).get("messages")  # RabbitMQ does not know at once

    def close(self):
        for user in self.users:
            self.client.delete_user(user)
        self.client.delete_vhost(self.vhost)


def refused(status, operation, *arguments):
    try:
        operation(*arguments)
    except HTTPError as error:
        same(error.status, status, "status")
        return
    raise Failed(f"{operation.__name__} was not refused")


@story("overview")
def overview(s):
    check(s.client.is_alive(), "the aliveness test")
    same(s.client.get_whoami()["name"], API.username, "who am I")
    told = s.client.get_overview()
    check(told["rabbitmq_version"].count(".") == 2 and told["node"], f"overview: {told}")
    [node] = s.client.get_nodes()
    check(node["running"] and node["name"] == told["node"], f"nodes: {node}")
    check(s.client.get_cluster_name()["name"], "cluster name")
    check(s.client.get_extensions(), "extensions")
    check(isinstance(s.client.get_connections(), list) and isinstance(s.client.get_channels(), list), "lists")


@story("vhosts")
def vhosts(s):
    check(s.vhost in s.client.get_vhost_names(), "the virtual host is listed")
    same(s.client.get_vhost(s.vhost)["name"], s.vhost, "name")
    refused(404, s.client.get_vhost, unique("vhost"))


@story("users-and-permissions")
def users_and_permissions(s):
    user = s.user(tags="monitoring")
    check(user in [each["name"] for each in s.client.get_users()], "the user is listed")
    same(client(user, "secret").get_whoami()["tags"], ["monitoring"], "tags")
    s.client.set_vhost_permissions(s.vhost, user, "^c", "^r", "^w")
    told = s.client.get_permission(s.vhost, user)
    same((told["configure"], told["write"], told["read"]), ("^c", "^w", "^r"), "permission")
    same([each["vhost"] for each in s.client.get_user_permissions(user)], [s.vhost], "permissions of the user")
    same({each["user"] for each in s.client.get_vhost_permissions(s.vhost)}, {user, API.username}, "of the virtual host")
    s.client.delete_permission(s.vhost, user)
    same(s.client.get_user_permissions(user), [], "permissions of the user")


@story("wrong-password")
def wrong_password(s):
    user = s.user(tags="administrator")
    for name, password in ((user, "wrong"), (unique("nobody"), "secret"), (s.user(), "secret")):
        try:
            client(name, password).get_overview()
        except PermissionError:
            continue
        raise Failed(f"{name} was let in")


@story("queues-and-messages")
def queues_and_messages(s):
    queue = unique("queue with 100 %/?#")
    s.client.create_queue(s.vhost, queue, durable=True, auto_delete=False, arguments={"x-max-length": 1000})
    told = s.client.get_queue(s.vhost, queue)
    same((told["name"], told["durable"], told["arguments"]), (queue, True, {"x-max-length": 1000, "x-queue-type": "classic"}), "queue")
    check(s.client.publish(s.vhost, "amq.default", queue, "one", properties={"message_id": "m"}), "routed")
    check(s.client.publish(s.vhost, "amq.default", queue, "dHdv", payload_enc="base64"), "routed")
    check(not s.client.publish(s.vhost, "amq.default", unique("nowhere"), "lost"), "routed to nowhere")
    eventually("both are counted", lambda: s.depth(queue) == 2)
    looked = s.client.get_messages(s.vhost, queue, count=5, requeue=True)
    same([each["payload"] for each in looked], ["one", "two"], "payloads")
    same(looked[0]["properties"]["message_id"], "m", "message id")
    [first] = s.client.get_messages(s.vhost, queue, truncate=1)
    same((first["payload"], first["redelivered"], first["message_count"]), ("o", True, 1), "first")
    s.client.purge_queue(s.vhost, queue)
    eventually("it is empty", lambda: s.depth(queue) == 0)
    s.client.delete_queue(s.vhost, queue)
    refused(404, s.client.get_queue, s.vhost, queue)


@story("pages")
def pages(s):
    names = sorted(f"{letter}-{number}" for letter in "ab" for number in range(60))
    for name in names:
        s.client.create_queue(s.vhost, name)
    same(sorted(each["name"] for each in s.client.get_queues(s.vhost)), names, "all")
    found = s.client.get_queues(s.vhost, pattern="^a-[0-9]+$", regex=True)
    same(sorted(each["name"] for each in found), [name for name in names if name[0] == "a"], "by pattern")
    same(s.client.get_queues(s.vhost, pattern="nothing"), [], "none")


@story("exchanges-and-bindings")
def exchanges_and_bindings(s):
    exchange, queue = unique("exchange"), unique("queue")
    s.client.create_exchange(s.vhost, exchange, "topic")
    s.client.create_queue(s.vhost, queue)
    s.client.create_binding(s.vhost, exchange, queue, rt_key="a.#")
    bound = [each["routing_key"] for each in s.client.get_queue_bindings(s.vhost, queue) if each["source"] == exchange]
    same(bound, ["a.#"], "keys")
    check(s.client.publish(s.vhost, exchange, "a.b", "x"), "routed")
    s.client.delete_binding(s.vhost, exchange, queue, "a.%23")
    check(not s.client.publish(s.vhost, exchange, "a.b", "x"), "routed without the binding")
    same(s.client.get_exchange(s.vhost, exchange)["type"], "topic", "type")
    check(exchange in [each["name"] for each in s.client.get_exchanges(s.vhost)], "the exchange is listed")
    s.client.delete_exchange(s.vhost, exchange)
    refused(404, s.client.get_exchange, s.vhost, exchange)


@story("policies-and-definitions")
def policies_and_definitions(s):
    policy = {"pattern": "^limited", "definition": {"max-length": 2}, "priority": 1, "apply-to": "queues"}
    s.client.create_policy(s.vhost, "limit", **policy)
    s.client.create_queue(s.vhost, "limited")
    for body in "abc":
        s.client.publish(s.vhost, "amq.default", "limited", body)
    eventually("only two are left", lambda: s.depth("limited") == 2)
    told = s.client.get_policy(s.vhost, "limit")
    same({key: told[key] for key in policy}, policy, "policy")
    definitions = s.client.get_definitions()
    check(s.vhost in [each["name"] for each in definitions["vhosts"]], "the virtual host is exported")
    check("limit" in [each["name"] for each in definitions["policies"]], "the policy is exported")
    s.client.delete_policy(s.vhost, "limit")
    refused(404, s.client.get_policy, s.vhost, "limit")


def tell(body):
    with contextlib.closing(Session()) as session:
        body(session)


suite.main(tell)
