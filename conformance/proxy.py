#!/usr/bin/env python3
"""A TCP proxy that can go quiet or cut every connection.

Prints one JSON line once it listens: {"proxy": "host:port", "control": "host:port"}.

The control connection is line-based; each command is answered with `ok`:

    freeze   forward nothing in either direction, keep all sockets open
    thaw     forward again, first what has piled up
    cut      reset every connection through the proxy (new ones are welcome at once)
"""

import argparse
import asyncio
import json
import socket
import struct

CHUNK = 256 * 1024


def reset(writer):
    """Closes a socket with a reset instead of a polite end."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Proxy:
    def __init__(self, target):
        self.target = target
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.writers = set()

    async def serve(self, client_reader, client_writer):
        self.writers.add(client_writer)
        try:
            await self.flowing.wait()
            reader, writer = await asyncio.open_connection(*self.target, limit=CHUNK)
        except OSError:
            self.writers.discard(client_writer)
            reset(client_writer)
            return
        self.writers.add(writer)
        for each in (client_writer, writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.gather(self.pump(client_reader, writer), self.pump(reader, client_writer))
        except OSError:  # one side was reset: so is the other
            reset(client_writer)
            reset(writer)
        finally:
            self.writers -= {client_writer, writer}
            client_writer.close()
            writer.close()

    async def pump(self, reader, writer):
        while data := await reader.read(CHUNK):
            await self.flowing.wait()
            writer.write(data)
            await writer.drain()
        await self.flowing.wait()
        writer.close()

    async def control(self, reader, writer):
        while line := await reader.readline():
            answer = self.obey(line.decode(errors="replace").strip())
            writer.write(f"{answer}\n".encode())
            await writer.drain()
        writer.close()

    def obey(self, command):
        if command == "freeze":
            self.flowing.clear()
        elif command == "thaw":
            self.flowing.set()
        elif command == "cut":
            for writer in list(self.writers):
                reset(writer)
            self.writers.clear()
        else:
            return f"unknown command {command!r}"
        return "ok"


def address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def name(server):
    host, port = server.sockets[0].getsockname()[:2]
    return f"{host}:{port}"


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=address, help="host:port of the broker")
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 0), help="host:port (default: any free port)")
    parser.add_argument("--control", type=address, default=("127.0.0.1", 0), help="host:port (default: any free port)")
    options = parser.parse_args()

    proxy = Proxy(options.target)
    front = await asyncio.start_server(proxy.serve, *options.listen, limit=CHUNK)
    control = await asyncio.start_server(proxy.control, *options.control)
    print(json.dumps({"proxy": name(front), "control": name(control)}), flush=True)
    await asyncio.gather(front.serve_forever(), control.serve_forever())


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
