#!/usr/bin/env python3
"""examples/python-client/ calls contracts of a real node, with and without keys; and the frames
that docs/wire.md shows as bytes are those that it sends.
Usage: python_client_test.py PROGRAM SOURCE"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM, SOURCE = sys.argv[1:3]
sys.path.insert(0, os.path.join(SOURCE, "examples/python-client"))
sys.path.insert(0, os.path.join(SOURCE, "tests/node"))
import coterie_client  # noqa: E402
import msgpack  # noqa: E402
from real_node import expect, reserve_ports  # noqa: E402


def documented(title):
    """The bytes of the example with that title in docs/wire.md."""
    with open(os.path.join(SOURCE, "docs/wire.md")) as file:
        block = re.search(r"`%s`:\n```\n(.*?)```" % re.escape(title), file.read(), re.S)
    expect(block, title + " is not in docs/wire.md")
    return bytes.fromhex("".join(line.split(";")[0] for line in block.group(1).splitlines()))


def check_documented_bytes():
    expect(documented("ClientHello") == msgpack.packb([16, 1, 1, "local-3", "py"]), "ClientHello")
    call = coterie_client.encode_call(("contracts", "c-7"), "contracts.approve",
                                      msgpack.packb({}), 1, 5000000, "")
    expect(documented("call") == msgpack.packb([18, call], use_bin_type=True), "call")
    kind, envelope = msgpack.unpackb(documented("reply"))
    expect(kind == 18 and coterie_client.decode_answer(envelope) ==
           (4, {"ref": 1, "payload": b"\xc0"}), "reply")
    kind, envelope = msgpack.unpackb(documented("call_failed"))
    signal_, answer = coterie_client.decode_answer(envelope)
    expect(signal_ == 5 and answer["failure"] == [1, 0] and answer["ref"] == 1, "call_failed")


def keygen(folder, name):
    path = os.path.join(folder, name)
    made = subprocess.run([PROGRAM, "keygen", path], capture_output=True, text=True, check=True)
    return path, made.stdout.strip()


class Node:
    def __init__(self, folder, with_keys):
        listen, clients = reserve_ports(2)
        self.address = "127.0.0.1:%d" % clients
        text = '[cluster]\nid = "py"\njournal = "sqlite:journal"\n'
        text += '[[node]]\nname = "a"\nlisten = "127.0.0.1:%d"\n' % listen
        text += 'client_listen = "%s"\nstate_dir = "a"\nkinds = ["contracts"]\n' % self.address
        self.keys = []
        if with_keys:
            key_file, public_key = keygen(folder, "a.key")
            self.client_key, client_public = keygen(folder, "py.key")
            self.stranger_key, _ = keygen(folder, "stranger.key")
            text += 'key_file = "%s"\npublic_keys = ["%s"]\n' % (key_file, public_key)
            text += '[[client]]\nname = "py"\npublic_keys = ["%s"]\n' % client_public
            # As if the node had just changed its key: the first is not its own any more.
            other = keygen(folder, "old.key")[1]
            self.server_keys = ["--server-key", other, "--server-key", public_key]
            self.keys = ["--key", self.client_key] + self.server_keys
        config = os.path.join(folder, "cluster.toml")
        with open(config, "w") as file:
            file.write(text)
        self.process = subprocess.Popen([PROGRAM, "node", "--config", config, "--name", "a"],
                                        stderr=subprocess.DEVNULL)

    def call(self, *arguments, keys=None, timeout="20"):
        """(exit code, what it printed, what it complained of)"""
        client = os.path.join(SOURCE, "examples/python-client/coterie_client.py")
        result = subprocess.run(
            ["/usr/bin/python3", client, "--cluster", "py", "--address", self.address, "--timeout",
             timeout, *(self.keys if keys is None else keys), *arguments],
            capture_output=True, text=True)
        return result.returncode, result.stdout.strip(), result.stderr.strip()

    def wait_active(self):
        until = time.monotonic() + 60
        start = json.dumps({"contract_id": "c-7", "customer_id": "c-41", "asset_cost": 1000,
                            "profit_amount": 10})
        while time.monotonic() < until:
            if self.call("contracts/c-7", "contracts.start", start)[0] == 0:
                return
        sys.exit("FAIL: the node does not become active: %s" %
                 (self.call("contracts/c-7", "contracts.start", start),))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def calls(node):
    code, out, error = node.call("contracts/c-7", "contracts.approve")
    expect(code == 0, (code, out, error))
    code, out, error = node.call("contracts/c-7", "contracts.approve")  # a second time: refused
    expect(code == 3, (code, out, error))
    code, _, error = node.call("contracts/nobody", "contracts.approve")
    expect(code == 4 and "did not run: noproc" in error, (code, error))
    code, _, error = node.call("contracts/c-7", "contracts.dance")
    expect(code == 4 and "did not run: refused" in error, (code, error))
    code, _, error = node.call("contracts/c-7", "contracts.approve", "--cluster", "other")
    expect(code == 4 and "looks for cluster 'other'" in error, (code, error))


def main():
    check_documented_bytes()
    for with_keys in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            node = Node(folder, with_keys)
            try:
                node.wait_active()
                calls(node)
                if with_keys:
                    for keys in ([], ["--key", node.stranger_key] + node.server_keys):
                        code, _, error = node.call("contracts/c-7", "contracts.approve", keys=keys)
                        expect(code == 4 and "key" in error, (code, error))
                    code, _, error = node.call("coterie.node", "coterie.status")
                    expect(code == 4 and "operator's key" in error, (code, error))
            finally:
                node.stop()
            code, _, error = node.call("contracts/c-7", "contracts.approve", timeout="1")
            expect(code == 4 and "nobody listens" in error, (code, error))


main()
