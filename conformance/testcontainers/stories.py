"""Testcontainers' modules for RabbitMQ, and others that start its image, without an engine: the program is started as the image starts it, with
the environment, the files and the commands that each module brings, and each module's way to wait. The module for Python is the real one, with
the engine cut out; the others are replayed from their sources.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import socket
import ssl
import subprocess
import tempfile
import threading
from base64 import b64encode
from unittest.mock import patch
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pika
from testcontainers.community.rabbitmq import RabbitMqContainer
from testcontainers.core.container import DockerContainer

import suite
from suite import NotOffered, check, eventually, same, story

START_SECONDS = 60  # what the modules wait
TOOLS = ("rabbitmq-server", "rabbitmqctl", "rabbitmq-diagnostics", "rabbitmq-plugins", "rabbitmqadmin")
READY = re.compile(r".*Server startup complete.*")
TLS_FILES = {"cacertfile": "ca.pem", "certfile": "server.pem", "keyfile": "server.key"}

program = os.environ.get("LEVERET_BIN")


class Container:
    """The program in a folder of its own, with the ENV of the image. Its ports are free ones unless the module says which."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = None
        self.environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LEVERET_DATA_DIR": str(self.folder / "data"),
            "LEVERET_PORTS_FILE": str(self.folder / "ports.json"),
            "LEVERET_LISTEN_EVERYWHERE": "true",
            "LEVERET_GUEST_FROM_ANYWHERE": "true",
            "LEVERET_HTTP_LISTEN": ":0",
            "LEVERET_PROMETHEUS_LISTEN": ":0",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),  # the image has it in /etc
        }
        (self.folder / "bin").mkdir()
        for tool in TOOLS:
            (self.folder / "bin" / tool).symlink_to(program)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def certificates(self):
        subprocess.run([program, "tls", "dev", "--dir", self.folder / "tls"], check=True, stdout=subprocess.DEVNULL)
        return {key: str(self.folder / "tls" / name) for key, name in TLS_FILES.items()}

    def run(self, **environment):
        self.environment.update({key: str(value) for key, value in environment.items()})
        self.lines = {"stdout": [], "stderr": []}
        self.process = subprocess.Popen(
            ["rabbitmq-server"],
            executable=self.folder / "bin" / "rabbitmq-server",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.readers = [threading.Thread(target=self.read, args=(name,), daemon=True) for name in self.lines]
        for reader in self.readers:
            reader.start()

    def read(self, name):
        for line in getattr(self.process, name):
            self.lines[name].append(line.rstrip("\n"))

    def log(self):
        return [*self.lines["stdout"], *self.lines["stderr"]]

    def wait_for_line(self, pattern, streams=("stdout", "stderr")):
        """What a log wait strategy does: it looks at lines until one fits."""

        def found():
            check(self.process.poll() is None, f"it ended: {self.log()}")
            return [line for name in streams for line in self.lines[name] if re.search(pattern, line)]

        return eventually(f"a line like {pattern}", found, START_SECONDS)

    def ready(self, **environment):
        self.run(**environment)
        self.wait_for_line(READY)
        return self

    def execute(self, *command):
        """A command in the container; all of them must succeed."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=suite.STORY_SECONDS)
        same((done.returncode, command), (0, command), f"{done.stdout}{done.stderr}")
        return done.stdout

    def port(self, name="amqp"):
        return json.loads((self.folder / "ports.json").read_text())[name]

    def connect(self, user="guest", password="guest", vhost="/", port=None, tls=None):
        parameters = pika.ConnectionParameters("localhost", port or self.port(), vhost, pika.PlainCredentials(user, password), ssl_options=tls)
        with contextlib.closing(pika.BlockingConnection(parameters)) as connection:
            connection.channel().queue_declare("", exclusive=True)

    def api(self, path, login="guest:guest"):
        request = Request(f"http://localhost:{self.port('http')}/api/{path}")
        request.add_header("Authorization", "Basic " + b64encode(login.encode()).decode())
        with urlopen(request, timeout=suite.WAIT_SECONDS) as answer:
            return json.load(answer)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for reader in self.readers:
            reader.join(suite.WAIT_SECONDS)
        self.process = None
        same(code, 0, "exit code")


def free_port():
    """Below those that the system gives to others."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port


@story("python", deadline=120)
def python(container):
    """The real module: what it puts into the environment, and how it waits."""

    class Cut(RabbitMqContainer):
        def get_container_host_ip(self):
            return "127.0.0.1"

        def get_exposed_port(self, port):
            return port

    start = patch.object(DockerContainer, "start", lambda self: container.run(**self.env))
    with start, patch("testcontainers.core.container.DockerClient"):
        module = Cut("rabbitmq:latest", port=free_port(), username="test", password="te st", vhost="tests").start()
    with contextlib.closing(pika.BlockingConnection(module.get_connection_params())) as connection:
        check(connection.is_open, "a connection")
    same(container.api("whoami", "test:te st")["tags"], ["administrator"], "tags")


@story("java", deadline=120)
def java(container):
    """User and password, a file that replaces the configuration, the line once."""
    text = "loopback_users.guest = false\nlisteners.tcp.default = 0\nvm_memory_high_watermark.relative = 0.7\n"
    container.ready(
        RABBITMQ_DEFAULT_USER="app",
        RABBITMQ_DEFAULT_PASS="secret",
        RABBITMQ_CONFIG_FILE=container.file("rabbitmq-custom.conf", text),
    )
    container.connect("app", "secret")
    same(sum(bool(READY.fullmatch(line)) for line in container.log()), 1, "lines that say so")


@story("java-erlang-configuration", deadline=120)
def java_erlang_configuration(container):
    text = "[{rabbit, [{loopback_users, []}, {tcp_listeners, [0]}, {default_vhost, <<\"terms\">>}]}].\n"
    container.ready(RABBITMQ_DEFAULT_PASS="secret", RABBITMQ_CONFIG_FILE=container.file("rabbitmq-custom.config", text))
    container.connect("guest", "secret", "terms")


@story("java-older", deadline=120)
def java_older(container):
    """Its older class sets a password only, names the file without its end, and has commands run once it is ready."""
    container.file("rabbitmq-custom.conf", "listeners.tcp.default = 0\n")
    # The image has the port of HTTP where rabbitmqadmin looks; here it is told.
    container.ready(RABBITMQ_DEFAULT_PASS="guest", RABBITMQ_CONFIG_FILE=str(container.folder / "rabbitmq-custom"))
    admin = ("rabbitmqadmin", "--port", str(container.port("http")))
    container.execute("rabbitmq-plugins", "enable", "rabbitmq_shovel", "rabbitmq_random_exchange")
    container.execute("rabbitmq-plugins", "enable", "rabbitmq_stream")  # as the helper of spring-rabbit-junit
    declare = {
        "vhost": ["name=vhost1"],
        "vhost_limit": ["vhost=vhost1", "name=max-connections", "value=1"],
        "user": ["name=user1", "password=password1", "tags=administrator,management"],
        "permission": ["vhost=vhost1", "user=user1", "configure=.*", "write=.*", "read=.*"],
        "exchange": ["name=exchange1", "type=direct", "auto_delete=false", "internal=false", "durable=true", 'arguments={"x":"y"}'],
        "queue": ["name=queue1", "auto_delete=false", "durable=true", 'arguments={"x-message-ttl":1000}'],
        "binding": ["source=exchange1", "destination=queue1", "routing_key=key", "destination_type=queue", "arguments={}"],
        "policy": ["name=max length", "pattern=^dog", "priority=1", "apply-to=queues", 'definition={"max-length":1}'],
        "operator_policy": ["name=operator", "pattern=^queue1", "priority=1", "apply-to=queues", 'definition={"message-ttl":1000}'],
        "parameter": ["component=vhost-limits", "name=limits", 'value={"max-queues":100}'],
    }
    for kind, words in declare.items():
        container.execute(*admin, "declare", kind, *words)
    container.execute(*admin, "--vhost=vhost1", "declare", "exchange", "name=exchange2", "type=topic", "auto_delete=true")
    container.execute(*admin, "declare", "policy", "--vhost=vhost1", "name=other", "pattern=.*", 'definition={"max-length":2}')

    container.connect("user1", "password1", "vhost1")
    told = container.api("queues/%2F/queue1")
    same((told["arguments"]["x-message-ttl"], told["operator_policy"]), (1000, "operator"), "queue")
    [bound] = container.api("bindings/%2F/e/exchange1/q/queue1")
    same(bound["routing_key"], "key", "binding")
    same(container.api("exchanges/vhost1/exchange2")["auto_delete"], True, "exchange of the other virtual host")
    policy = container.api("policies/%2F/" + quote("max length"))
    same((policy["apply-to"], policy["priority"], policy["definition"]), ("queues", 1, {"max-length": 1}), "policy")
    limits = {each["vhost"]: each["value"] for each in container.api("vhost-limits")}
    same(limits, {"vhost1": {"max-connections": 1}, "/": {"max-queues": 100}}, "limits")


def tls(folder):
    context = ssl.create_default_context(cafile=folder / "tls" / "ca.pem")
    return pika.SSLOptions(context, "localhost")


@story("java-older-tls", deadline=120)
def java_older_tls(container):
    """Variables that RabbitMQ's own image refuses today."""
    files = container.certificates()
    container.ready(
        RABBITMQ_CONFIG_FILE=container.file("rabbitmq-custom.conf", "listeners.tcp.default = 0\nlisteners.ssl.default = 0\n"),
        RABBITMQ_DEFAULT_PASS="guest",
        **{f"RABBITMQ_SSL_{key.upper()}": path for key, path in files.items()},
        RABBITMQ_SSL_VERIFY="verify_none",
        RABBITMQ_SSL_FAIL_IF_NO_PEER_CERT="false",
        RABBITMQ_SSL_DEPTH="1",
    )
    container.connect(port=container.port("amqps"), tls=tls(container.folder))


@story("go", deadline=120)
def go(container):
    """The configuration is a file with user and password; its tests run two commands."""
    text = "# Injected by testcontainers\ndefault_user = guest\ndefault_pass = guest\nlisteners.tcp.default = 0\n"
    container.ready(RABBITMQ_CONFIG_FILE=container.file("rabbitmq-testcontainers.conf", text))
    container.connect()
    admin = ("rabbitmqadmin", "--port", str(container.port("http")))
    container.execute(*admin, "declare", "queue", "name=queue", "durable=true")
    check("queue" in container.execute(*admin, "list", "queues"), "the queue is not listed")
    container.execute("rabbitmq-plugins", "enable", "rabbitmq_shovel")
    container.execute("rabbitmq-plugins", "is_enabled", "rabbitmq_management")


@story("go-tls", deadline=120)
def go_tls(container):
    """TLS alone; it waits for this text, too."""
    port = free_port()
    settings = {
        "default_user": "guest",
        "default_pass": "guest",
        "listeners.tcp": "none",
        "listeners.ssl.default": port,
        **{f"ssl_options.{key}": path for key, path in container.certificates().items()},
        "ssl_options.depth": 1,
        "ssl_options.verify": "verify_none",
        "ssl_options.fail_if_no_peer_cert": "false",
    }
    text = "".join(f"{key} = {value}\n" for key, value in settings.items())
    container.ready(RABBITMQ_CONFIG_FILE=container.file("rabbitmq-testcontainers.conf", text))
    container.wait_for_line(re.escape(f"started TLS (SSL) listener on [::]:{port}"))
    container.connect(port=port, tls=tls(container.folder))


@story("node-dotnet-rust", deadline=120)
def node_dotnet_rust(container):
    """The line on stdout, for Rust looks there only; .NET names its user and its password alike."""
    container.run(LEVERET_AMQP_LISTEN=":0", RABBITMQ_DEFAULT_USER="rabbitmq", RABBITMQ_DEFAULT_PASS="rabbitmq")
    container.wait_for_line("Server startup complete", ["stdout"])
    container.connect("rabbitmq", "rabbitmq")


@story("scripts", deadline=120)
def scripts(container):
    """CI of RabbitMQ's own clients greps what a container wrote for the first text; supervisors in Python have the second one."""
    container.run(LEVERET_AMQP_LISTEN=":0")
    container.wait_for_line("completed with")
    container.wait_for_line(r"completed with \d+ plugins.$", ["stdout"])
    container.connect()


@story("aspire", deadline=120)
def aspire(container):
    """The name of the node is the resource's; data stay under another."""
    login = {"RABBITMQ_DEFAULT_USER": "guest", "RABBITMQ_DEFAULT_PASS": "p@ss"}
    container.ready(LEVERET_AMQP_LISTEN=":0", RABBITMQ_NODENAME="messaging@localhost", **login)
    same(container.api("overview", "guest:p@ss")["node"], "messaging@localhost", "name of the node")
    container.execute("rabbitmqctl", "-n", "messaging@localhost", "add_vhost", "kept")
    container.stop()
    container.ready(RABBITMQ_NODENAME="other@localhost")
    container.connect("guest", "p@ss")
    check("kept" in container.execute("rabbitmqctl", "-q", "list_vhosts"), "the virtual host is gone")


@story("spring-compose", deadline=120)
def spring_compose(container):
    """Spring Boot takes user and password from the environment of the container, and waits until the port takes a connection."""
    container.run(LEVERET_AMQP_LISTEN=":0", RABBITMQ_DEFAULT_USER="myuser", RABBITMQ_DEFAULT_PASS="secret")

    def connects():
        with contextlib.suppress(OSError, ValueError):
            socket.create_connection(("127.0.0.1", container.port()), 1).close()
            return True

    eventually("the port takes a connection", connects, START_SECONDS)
    container.connect("myuser", "secret", "/")
    try:
        container.api("whoami")
    except URLError as refused:
        same(refused.code, 401, "status for guest")
    else:
        check(False, "guest is there as well")


running = set()


def tell(body):
    if program is None:
        raise NotOffered("there is no program to start")
    with tempfile.TemporaryDirectory(prefix="testcontainers-") as folder:
        container = Container(folder)
        running.add(container)
        try:
            body(container)
        finally:
            container.stop()
            running.remove(container)


def tidy():
    for container in list(running):
        if container.process is not None:
            container.process.kill()


suite.main(tell, tidy)
