"""A client of a coterie cluster, written from docs/wire.md alone (sections 1, 2, 4, 5).

    python3 coterie_client.py --cluster local-3 --address 127.0.0.1:7201 \\
        contracts/contract-7 contracts.approve '{}'

Where nodes have keys: --key FILE (as `coterie keygen` writes it) and --server-key KEY, once for
each public key that the node may have. Needs Debian's python3-zmq and python3-msgpack.
Exit codes are those of `coterie call`: 0 answered, 2 wrong usage, 3 refused by the server's rules,
4 certainly did not run, 5 may have run.
"""

import argparse
import json
import struct
import sys
import time

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

REFUSE, BEAT, BYE = 2, 5, 6
CLIENT_HELLO, CLIENT_WELCOME, CLIENT_ENVELOPE = 16, 17, 18
REPLY, CALL_FAILED, CALL = 4, 5, 3
VERSION = 1
BEAT_EVERY = 2.0  # seconds
REPLY_BYTES_MAX = 65 << 20
REQUEST_BYTES_MAX = (1 << 20) - 1024
NOT_EXECUTED, UNKNOWN, EXECUTED = 0, 1, 2
CODES = ("timeout noproc nodedown noconnection exited calling_self overloaded system_limit "
         "unavailable data_unavailable quarantined failed stale refused undecodable killed").split()


class CallError(Exception):
    """What became of a call that has no reply; `maybe_executed` says whether a retry is safe."""

    def __init__(self, code, execution, detail):
        super().__init__("%s: %s" % (code, detail))
        self.code, self.execution, self.detail = code, execution, detail
        self.maybe_executed = execution != NOT_EXECUTED


# --- envelopes ------------------------------------------------------------------------------------

BUDGET, NAMED, VIA, REF = 1 << 0, 1 << 1, 3 << 5, 1 << 7
LOCAL = 2 << 5
REQUEST_ID, TYPE, PAYLOAD = 1 << 9, 1 << 10, 1 << 12


def encode_call(target, type_name, payload, ref, budget_us, request_id):
    """`target` is ("local name",) or ("registry", "key"). The head has one form only: a 16-bit
    array, a one-byte signal, a 16-bit mask; and the budget is a 64-bit integer."""
    mask = BUDGET | NAMED | (VIA if len(target) == 2 else LOCAL) | REF | TYPE | PAYLOAD
    fields = [*target, ref]
    if request_id:
        mask |= REQUEST_ID
        fields.append(request_id)
    fields += [type_name, payload]
    head = struct.pack(">BHBBHBQ", 0xdc, 3 + len(fields), CALL, 0xcd, mask, 0xcf, budget_us)
    return head + b"".join(msgpack.packb(field, use_bin_type=True) for field in fields)


def decode_answer(envelope):
    """(signal, {field: value}) of a reply or call_failed; later versions' fields are left alone."""
    signal, mask, *rest = msgpack.unpackb(envelope, raw=False)
    fields = iter(rest)
    answer = {}
    if mask & BUDGET:
        next(fields)
    for bit in (3, 4):  # from, from_node
        if mask & 1 << bit:
            next(fields)
    for _ in range(2 if mask >> 5 & 3 in (1, 3) else 1):  # to
        next(fields)
    for bit, name, count in ((7, "ref", 1), (8, "epoch", 2), (9, "request_id", 1), (10, "type", 1),
                             (11, "trace", 1), (12, "payload", 1), (13, "reason", 1),
                             (14, "failure", 2), (15, "detail", 1)):
        if mask & 1 << bit:
            values = [next(fields) for _ in range(count)]
            answer[name] = values[0] if count == 1 else values
    return signal, answer


# --- the connection -------------------------------------------------------------------------------

def read_key_file(path):
    """The public and the secret key of a file of `coterie keygen`."""
    keys = {}
    with open(path) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, _, value = line.strip().partition(" = ")
                keys[name] = value.strip('"')
    return keys["public"].encode(), keys["secret"].encode()


class Client:
    """One connection. Not for several threads: a ZeroMQ socket belongs to one."""

    def __init__(self, address, cluster_id, label="python", keys=None, server_keys=(), timeout=5.0):
        self._context = zmq.Context()
        self._socket = None
        self._ref = 0
        until = time.monotonic() + timeout
        trouble = "nobody answers"
        # A node that is changing its key has two: each is tried in turn (section 5).
        for server_key in server_keys if keys else (None,):
            trouble = self._connect(address, cluster_id, label, keys, server_key, until)
            if trouble is None:
                return
            self._drop()
        self.close()
        raise CallError("nodedown", NOT_EXECUTED, "%s: %s" % (address, trouble))

    def _connect(self, address, cluster_id, label, keys, server_key, until):
        """None, or why not."""
        socket = self._socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)  # a new socket per connection
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, REPLY_BYTES_MAX)
        if server_key:
            socket.curve_publickey, socket.curve_secretkey = keys
            socket.curve_serverkey = server_key
        self._monitor = socket.get_monitor_socket()
        socket.connect("tcp://" + address)
        while True:
            event = self._event(until)
            if event is None:
                return "no answer in time"
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                break
            if event in (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
                return "it refuses this key, or one side has no key"
            if event in (zmq.EVENT_CLOSED, zmq.EVENT_DISCONNECTED,
                         zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL):
                return "nobody listens, or it is no coterie node, or it has another key"
        self._send([CLIENT_HELLO, VERSION, VERSION, cluster_id, label])
        frame = self._receive(until)
        if frame is None:
            return "no answer in time"
        if frame[0] == REFUSE:
            return "refused: " + frame[2]
        if frame[0] != CLIENT_WELCOME or frame[1] != VERSION:
            return "its answer is not understood"
        self.node = frame[2]
        self._beat_at = time.monotonic() + BEAT_EVERY
        return None

    def call(self, target, type_name, fields, timeout=5.0, request_id=""):
        """The reply, fields by name. Raises CallError. A retry of a call that may have run repeats
        its `request_id`."""
        payload = msgpack.packb(fields, use_bin_type=True)
        if len(payload) + len(type_name) > REQUEST_BYTES_MAX:
            raise CallError("overloaded", NOT_EXECUTED, "a request holds at most 1 MiB")
        if self._socket is None:
            raise CallError("nodedown", NOT_EXECUTED, "the connection is closed")
        until = time.monotonic() + timeout
        self._ref += 1
        envelope = encode_call(target, type_name, payload, self._ref, int(timeout * 1e6),
                               request_id)
        if not self._send([CLIENT_ENVELOPE, envelope]):
            self._drop()
            raise CallError("nodedown", NOT_EXECUTED, "the connection broke")
        while True:
            try:
                frame = self._receive(until)
            except ConnectionError as error:
                self._drop()
                # It was handed over: it may run.
                raise CallError("noconnection", UNKNOWN, str(error)) from None
            if frame is None:  # late answers find no caller: their ref is not the next one's
                raise CallError("timeout", UNKNOWN, "no answer within %g s" % timeout)
            if frame[0] == REFUSE:
                self._drop()
                raise CallError("noconnection", UNKNOWN, "refused: " + frame[2])
            if frame[0] != CLIENT_ENVELOPE:
                continue  # a Beat
            signal, answer = decode_answer(frame[1])
            if answer.get("ref") != self._ref:
                continue
            if signal == REPLY:
                return msgpack.unpackb(answer.get("payload", b"\xc0"), raw=False)
            code, execution = answer["failure"]
            raise CallError(CODES[code], execution, answer.get("detail", ""))

    def close(self):
        if self._socket is not None:
            self._send([BYE, 0, 0, 0, 0, 0])
            self._socket.setsockopt(zmq.LINGER, 200)
            self._drop()
        self._context.term()

    def _drop(self):
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
        self._socket = None

    def _send(self, frame):
        try:
            self._socket.send(msgpack.packb(frame, use_bin_type=True), zmq.DONTWAIT)
            return True
        except zmq.Again:
            return False

    def _event(self, until):
        left = int((until - time.monotonic()) * 1000)
        if left <= 0 or not self._monitor.poll(left):
            return None
        return recv_monitor_message(self._monitor)["event"]

    def _receive(self, until):
        """The next frame, or None at `until`. Beats meanwhile; raises ConnectionError."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while True:
            now = time.monotonic()
            if now >= until:
                return None
            beat_at = getattr(self, "_beat_at", until)
            if now >= beat_at:
                self._send([BEAT, 0, 0, 0, 0, 0])
                self._beat_at = now + BEAT_EVERY
                continue
            ready = dict(poller.poll(max(1, int((min(until, beat_at) - now) * 1000))))
            if self._socket in ready:
                return msgpack.unpackb(self._socket.recv(), raw=False)
            if self._monitor in ready:
                event = recv_monitor_message(self._monitor)["event"]
                if event in (zmq.EVENT_DISCONNECTED, zmq.EVENT_CLOSED):
                    # What the node said before it went is still there, a refusal for instance.
                    if self._socket.poll(0):
                        return msgpack.unpackb(self._socket.recv(), raw=False)
                    raise ConnectionError("the connection broke before the reply")


# --- the command line -----------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", help="REGISTRY/KEY, or a local name of that node")
    parser.add_argument("type", help="the message's type_name")
    parser.add_argument("json", nargs="?", default="{}", help="the message's fields")
    parser.add_argument("--address", required=True, help="HOST:PORT of a client listener")
    parser.add_argument("--cluster", required=True, help="cluster.id")
    parser.add_argument("--timeout", type=float, default=5.0)
    parser.add_argument("--request-id", default="")
    parser.add_argument("--key", help="file with this client's private key")
    parser.add_argument("--server-key", action="append", default=[],
                        help="public key of the node; --server-key=KEY if it begins with a hyphen")
    options = parser.parse_args()
    if bool(options.key) != bool(options.server_key):
        parser.error("--key and --server-key go together")
    keys = read_key_file(options.key) if options.key else None
    target = tuple(options.target.split("/", 1))
    try:
        client = Client(options.address, options.cluster, keys=keys,
                        server_keys=[key.encode() for key in options.server_key],
                        timeout=options.timeout)
        reply = client.call(target, options.type, json.loads(options.json), options.timeout,
                            options.request_id)
        client.close()
    except CallError as error:
        ran = "it may have run" if error.maybe_executed else "it did not run"
        print("%s: %s" % (ran, error), file=sys.stderr)
        return 5 if error.maybe_executed else 4
    if isinstance(reply, dict) and len(reply) == 1:  # a std::expected
        if "$ok" in reply:
            reply = reply["$ok"]
        elif "$error" in reply:
            print(json.dumps(reply["$error"]))
            return 3
    print(json.dumps(reply))
    return 0


if __name__ == "__main__":
    sys.exit(main())
