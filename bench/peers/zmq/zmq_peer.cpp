// Raw libzmq: DEALER to ROUTER over loopback, two processes, one record a frame. Round trips with
// one and with many outstanding, one way, with and without CURVE, and the time from the death of a
// peer to the socket's DISCONNECTED. What the links of coterie are measured against.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

char server_public[41], server_secret[41], client_public[41], client_secret[41];

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void* make_socket(void* context, int type, bool server, bool curve) {
  void* const socket = zmq_socket(context, type);
  const int limit = 100'000, linger = 5000, on = 1;
  zmq_setsockopt(socket, ZMQ_SNDHWM, &limit, sizeof limit);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &limit, sizeof limit);
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  if (curve && server) {
    zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, server_secret, 40);
  } else if (curve) {
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_public, 40);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, client_public, 40);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, client_secret, 40);
  }
  return socket;
}

/// Answers every frame, or with `answers` false only one that is a single byte long.
[[noreturn]] void serve(int out, bool curve, bool answers) {
  void* const socket = make_socket(zmq_ctx_new(), ZMQ_ROUTER, true, curve);
  char endpoint[64] = {};
  std::size_t size = sizeof endpoint;
  if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
      zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0 ||
      write(out, endpoint, sizeof endpoint) != sizeof endpoint) {
    _exit(1);
  }
  while (true) {
    zmq_msg_t id, body;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    zmq_msg_recv(&id, socket, 0);
    zmq_msg_recv(&body, socket, 0);
    if (!answers && zmq_msg_size(&body) != 1) {
      zmq_msg_close(&id);
      zmq_msg_close(&body);
      continue;
    }
    zmq_msg_send(&id, socket, ZMQ_SNDMORE);
    zmq_msg_send(&body, socket, 0);
  }
}

struct Pair {
  Pair(bool curve, bool answers) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    child = fork();
    if (child == 0) serve(ends[1], curve, answers);
    char endpoint[64];
    if (read(ends[0], endpoint, sizeof endpoint) != sizeof endpoint) std::abort();
    close(ends[0]);
    close(ends[1]);
    context = zmq_ctx_new();
    socket = make_socket(context, ZMQ_DEALER, false, curve);
    zmq_socket_monitor(socket, "inproc://monitor", ZMQ_EVENT_DISCONNECTED);
    zmq_connect(socket, endpoint);
    char byte = 'x';
    zmq_send(socket, &byte, 1, 0);
    zmq_recv(socket, &byte, 1, 0);
  }
  ~Pair() {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const int none = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_close(socket);
    zmq_ctx_term(context);
  }
  pid_t child = 0;
  void *context = nullptr, *socket = nullptr;
};

double round_trip_us() {
  Pair pair(false, true);
  char bytes[16] = {};
  std::vector<double> samples;
  for (int i = -500; i < 5000; ++i) {
    const double start = now();
    zmq_send(pair.socket, bytes, sizeof bytes, 0);
    zmq_recv(pair.socket, bytes, sizeof bytes, 0);
    if (i >= 0) samples.push_back((now() - start) * 1e6);
  }
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

/// `window` requests are always outstanding.
double round_trips(int window, int total, bool curve) {
  Pair pair(curve, true);
  char bytes[16] = {};
  const double start = now();
  int sent = 0;
  for (; sent < window; ++sent) zmq_send(pair.socket, bytes, sizeof bytes, 0);
  for (int got = 0; got < total; ++got) {
    zmq_recv(pair.socket, bytes, sizeof bytes, 0);
    if (sent < total) zmq_send(pair.socket, bytes, sizeof bytes, 0), ++sent;
  }
  return total / (now() - start);
}

double one_way(int total, std::size_t size, bool curve) {
  Pair pair(curve, false);
  std::vector<char> bytes(size, 'x');
  const double start = now();
  for (int i = 0; i < total; ++i) zmq_send(pair.socket, bytes.data(), size, 0);
  zmq_send(pair.socket, bytes.data(), 1, 0);
  zmq_recv(pair.socket, bytes.data(), 1, 0);
  return total / (now() - start);
}

double kill_to_disconnected_ms() {
  Pair pair(false, true);
  void* const monitor = zmq_socket(pair.context, ZMQ_PAIR);
  zmq_connect(monitor, "inproc://monitor");
  const double start = now();
  kill(pair.child, SIGKILL);
  char event[64];
  zmq_recv(monitor, event, sizeof event, 0);
  const double result = (now() - start) * 1e3;
  zmq_socket_monitor(pair.socket, nullptr, 0);
  zmq_close(monitor);
  return result;
}

void measure(const char* name, const char* unit, const std::function<double()>& run) {
  std::vector<double> results;
  for (int i = 0; i < 5; ++i) results.push_back(run());
  std::sort(results.begin(), results.end());
  std::printf("%s %s %.6g %.6g %.6g %zu\n", name, unit, results[2], results.front(), results.back(),
              results.size());
  std::fflush(stdout);
}

}  // namespace

int main() {
  zmq_curve_keypair(server_public, server_secret);
  zmq_curve_keypair(client_public, client_secret);
  measure("remote.call.1c.p50", "us", round_trip_us);
  measure("remote.call.16c", "1/s", [] { return round_trips(16, 100'000, false); });
  measure("remote.call.256c", "1/s", [] { return round_trips(256, 300'000, false); });
  measure("remote.call.1000c", "1/s", [] { return round_trips(1000, 300'000, false); });
  measure("remote.cast.16B", "1/s", [] { return one_way(1'000'000, 16, false); });
  measure("remote.cast.1KiB", "1/s", [] { return one_way(200'000, 1024, false); });
  measure("remote.cast.64KiB.MBps", "MB/s",
          [] { return one_way(5000, 64 << 10, false) * (64 << 10) / 1e6; });
  measure("remote.call.256c.curve", "1/s", [] { return round_trips(256, 200'000, true); });
  measure("remote.cast.16B.curve", "1/s", [] { return one_way(500'000, 16, true); });
  measure("remote.kill9_to_down.ms", "ms", kill_to_disconnected_ms);
}
