"""What tests in Python share that run real nodes."""

import random
import socket
import sys


def free_ports(count):
    """Below those that the kernel gives to outgoing connections."""
    probes = []
    while len(probes) < count:
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", random.randint(20000, 32000)))
            probes.append(probe)
        except OSError:
            probe.close()
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def expect(condition, what):
    if not condition:
        sys.exit("FAIL: " + str(what))
