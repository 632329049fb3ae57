#!/usr/bin/env python3
"""A node and a client that speak another version of the protocol are refused by a real node with
the reason: to them, in its status, and in its log. Usage: other_protocol_test.py PROGRAM"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile

import msgpack
import zmq

from real_node import expect, reserve_ports

HELLO, REFUSE, CLIENT_HELLO = 1, 2, 16
PROTOCOL = 2  # the code of the refusal
REASON = "speaks protocol 9 to 9, node a 1 to 1: upgrade the older one"


def receive(lane, kind, within_ms=30000):
    """The next frame of that kind; others are passed over."""
    while lane.poll(within_ms):
        frame = msgpack.unpackb(lane.recv_multipart()[-1])
        if frame[0] == kind:
            return frame
    sys.exit("FAIL: no frame of kind %d" % kind)


def write_config(path, ports):
    text = '[cluster]\nid = "versions"\njournal = "sqlite:journal"\n'
    for name, (listen, clients) in ports.items():
        text += '[[node]]\nname = "%s"\nlisten = "127.0.0.1:%d"\n' % (name, listen)
        text += 'client_listen = "127.0.0.1:%d"\nstate_dir = "%s"\n' % (clients, name)
    with open(path, "w") as file:
        file.write(text)


def refused_as_a_node(context, ports):
    """Answers the real node's hello with one of version 9."""
    listener = context.socket(zmq.ROUTER)
    listener.bind("tcp://127.0.0.1:%d" % ports["b"][0])
    hello = receive(listener, HELLO)
    dialler = context.socket(zmq.DEALER)
    dialler.connect("tcp://127.0.0.1:%d" % ports["a"][0])
    incarnation_of_a = hello[8]
    hello[1:3] = [9, 9]
    hello[6:10] = ["b", 1, random.getrandbits(62) + 1, incarnation_of_a]
    dialler.send(msgpack.packb(hello))
    refusal = receive(listener, REFUSE)
    expect(refusal[1] == PROTOCOL and refusal[2] == "node b " + REASON, str(refusal))
    return listener, dialler  # as long as they are open the node is refused, not unreachable


def refused_as_a_client(context, ports):
    client = context.socket(zmq.DEALER)
    client.connect("tcp://127.0.0.1:%d" % ports["a"][1])
    client.send(msgpack.packb([CLIENT_HELLO, 9, 9, "versions", "old"]))
    refusal = receive(client, REFUSE)
    expect(refusal[1] == PROTOCOL and refusal[2] == "client 'old' " + REASON, str(refusal))


def main(program):
    context = zmq.Context()
    context.setsockopt(zmq.LINGER, 0)
    free = reserve_ports(4)
    ports = {"a": free[:2], "b": free[2:]}
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "cluster.toml")
        write_config(config, ports)
        log = os.path.join(folder, "log")
        with open(log, "w") as file:
            node = subprocess.Popen([program, "node", "--config", config, "--name", "a"],
                                    stderr=file)
        try:
            lanes = refused_as_a_node(context, ports)
            refused_as_a_client(context, ports)
            for _ in range(10):  # links are described anew every now and then
                status = json.loads(subprocess.run(
                    [program, "status", "--json", "--config", config],
                    capture_output=True, text=True).stdout)
                told = any("node b " + REASON in problem for problem in status["problems"])
                node_a = status["nodes"][0]["status"]
                if told and node_a and node_a["state"] == "active":  # it goes on
                    break
            else:
                expect(False, "status does not tell: " + str(status))
            for lane in lanes:
                lane.close()
        finally:
            node.send_signal(signal.SIGTERM)
            code = node.wait()
        with open(log) as file:
            expect("node b " + REASON in file.read(), "nothing in the log")
        expect(code == 0, "the node ended with %d" % code)


if __name__ == "__main__":
    main(sys.argv[1])
