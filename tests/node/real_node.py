"""What tests in Python share that run real nodes."""

import random
import socket
import sys


held = []  # sockets that keep the ports from being drawn again; listeners may share them


def reserve_ports(count):
    """Below those that the kernel gives to outgoing connections; ours while the test runs."""
    ports = []
    while len(ports) < count:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", random.randint(20000, 32000)))
        except OSError:
            holder.close()
            continue
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.append(holder)
        ports.append(holder.getsockname()[1])
    return ports


def expect(condition, what):
    if not condition:
        sys.exit("FAIL: " + str(what))
