#pragma once
// Two Links on a network that is worse than libzmq: it accepts sends and loses them on a reset,
// delivers what an old connection still held after the new one is up, refuses, stalls, delays,
// cuts one way, drops and doubles control frames, kills, restarts and pauses either process.
// Virtual time, one seed, no threads. Beside each Link stands the model it is checked against: per
// pair of processes the list of numbers sent and the list of numbers delivered.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "transport/envelope_codec.hpp"
#include "transport/session.hpp"

namespace coterie::model {

using namespace std::chrono_literals;

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() noexcept override {  // splitmix64
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  bool chance(unsigned percent) noexcept { return below(100) < percent; }
  Duration upto(Duration most) noexcept {
    return Duration(
        static_cast<Duration::rep>(below(static_cast<std::uint64_t>(most.count()) + 1)));
  }

 private:
  std::uint64_t state_;
};

/// A connection that one side dialled; frames go one way.
struct Pipe {
  struct InFlight {
    Time at;
    Bytes frame;
    std::optional<wire::Hello> bound;  // control frames: the hello of their connection
  };
  enum class State { none, dialling, open, broken } state = State::none;
  Time settles_at = Time::max();  // dialling: when the outcome is known; broken: when it is noticed
  bool refused = false, succeeds = false;
  bool stalled = false;
  std::deque<InFlight> frames;
  std::optional<wire::Hello> bound;
};

struct Process {
  Process(const std::string& node, Incarnation incarnation, const std::string& other,
          const LinkOptions& link_options, std::uint64_t seed, Time now)
      : self{node, incarnation, "test", "digest", 0, 0, ""},
        random(seed),
        link(self, other, link_options, random, now) {}
  LinkSelf self;
  SeededRandom random;
  Link link;
  Pipe out;                // this process to the other
  std::vector<Pipe> late;  // broken ones whose last frames still arrive
  Pipe control;
  Time beat_at{};
  Time resumes_at{};  // paused until

  bool up = false;
  Peer peer;
  std::optional<OutgoingQueue> outgoing;  // of the session
  std::uint64_t ups = 0, losses = 0;
  std::map<std::uint64_t, std::uint64_t> sent;      // pair -> last number sent in this session
  std::map<std::uint64_t, std::uint64_t> received;  // pair -> last number delivered in it
  std::uint64_t session_of_sender = 0;
  std::map<std::uint64_t, std::uint64_t> newest_session;  // by incarnation of the sender
};

class World {
 public:
  World(std::uint64_t seed, LinkOptions options) : options_(options), random_(seed) {
    for (int i : {0, 1}) start(i);
  }

  // Knobs, per cent or time.
  Duration latency = 1ms;
  unsigned lose_data = 0;  // in the middle of a connection, which TCP never does
  unsigned lose_control = 0, double_control = 0, dial_fails = 0, keep_in_flight = 50;
  bool trace_on = false;
  std::string trace;
  std::vector<std::string> violations;
  bool control_cut[2] = {false, false};
  bool refuse_dials = false;

  Time now() const { return now_; }
  Process* process(int i) { return processes_[i].get(); }

  void start(int i) {
    if (processes_[i]) return;
    const Incarnation incarnation{++counters_[i],
                                  static_cast<NodeId>(100 * (i + 1) + counters_[i])};
    processes_[i] = std::make_unique<Process>(name(i), incarnation, name(1 - i), options_,
                                              random_.next(), now_);
    say(i, "starts as incarnation " + std::to_string(incarnation.counter));
  }
  void kill(int i) {
    if (!processes_[i]) return;
    say(i, "is killed");
    last_breath_[i] = break_pipe(*processes_[i]);  // its last frames may still arrive
    processes_[i].reset();
    last_breath_[1 - i].clear();
    if (Process* other = process(1 - i)) lose_connection(*other);
  }
  /// The connection that process i dialled is reset.
  void reset(int i) {
    Process* p = process(i);
    if (!p || p->out.state != Pipe::State::open) return;
    say(i, "connection reset");
    lose_connection(*p);
  }
  void stall(int i, bool on) {
    if (stall_new_[i] = on; process(i)) process(i)->out.stalled = on;
  }
  void pause(int i, Duration how_long) {
    if (Process* p = process(i)) p->resumes_at = now_ + how_long;
  }
  void confirm_dead(int at, const Incarnation& incarnation) {
    if (Process* p = process(at)) p->link.confirm_dead(now_, incarnation), settle(at);
  }
  void bye(int i) {
    if (Process* p = process(i)) p->link.bye(now_), settle(i);
  }

  /// Sends `count` messages from i; sizes up to `size_max`.
  void send(int i, std::uint64_t count, std::size_t size_max, std::uint64_t pairs) {
    Process* p = process(i);
    for (; p && p->outgoing && count > 0 && p->link.up() && !p->link.full(); --count) {
      const std::uint64_t pair = random_.below(pairs);
      const std::uint64_t number = ++p->sent[pair];
      Envelope e;
      e.signal = Signal::send;
      e.from = {p->self.incarnation.id, 1 + pair % 3};
      e.to = Pid{p->peer.incarnation.id, 1 + pair / 3};
      if (pair == pairs - 1) e.to = LocalName{"named"};
      e.type = std::to_string(pair) + " " + std::to_string(p->ups) + " " + std::to_string(number);
      e.payload.assign(random_.below(size_max + 1), static_cast<char>('a' + number % 26));
      p->outgoing->push(e);
      if (number % 3 != 0) hand_over(*p);
    }
    if (p) settle(i);
  }

  void run(Duration how_long) {
    const Time end = now_ + how_long;
    while (true) {
      Time next = end;
      for (int i : {0, 1}) next = std::min(next, next_event(i));
      now_ = std::max(now_, next);
      for (int i : {0, 1}) step(i);
      if (next >= end) return;
    }
  }

 private:
  static std::string name(int i) { return i == 0 ? "a" : "b"; }
  void say(int i, const std::string& what) {
    if (!trace_on) return;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch());
    trace += std::to_string(us.count() / 1000) + "." + std::to_string(us.count() / 100 % 10) +
             " ms  " + name(i) + " " + what + "\n";
  }
  void violation(int i, const std::string& what) { violations.push_back(name(i) + ": " + what); }

  /// Cuts the pipe; of what is inside, a prefix still arrives, perhaps late.
  std::vector<Pipe> break_pipe(Process& p) {
    std::vector<Pipe> late;
    Pipe old = std::move(p.out);
    p.out = Pipe();
    p.out.bound = old.bound;
    if (!old.stalled && random_.chance(keep_in_flight)) {
      const std::size_t kept = random_.below(old.frames.size() + 1);
      old.frames.resize(kept);
      const Duration delay = random_.upto(30 * latency);
      for (auto& frame : old.frames) frame.at = std::max(frame.at, now_) + delay;
      late.push_back(std::move(old));
    }
    return late;
  }
  void lose_connection(Process& p) {
    if (p.out.state == Pipe::State::none) return;
    const bool was_open = p.out.state == Pipe::State::open;
    for (Pipe& pipe : break_pipe(p)) p.late.push_back(std::move(pipe));
    p.out.state = Pipe::State::broken;
    p.out.settles_at = now_ + (was_open ? random_.upto(latency) : latency);
  }

  Time next_event(int i) {
    Time next = Time::max();
    Process* p = process(i);
    if (!p) return next;
    for (const Pipe& pipe : last_breath_[1 - i]) {
      if (!pipe.frames.empty()) next = std::min(next, pipe.frames.front().at);
    }
    next = std::min({next, p->link.next_tick(), p->beat_at, p->out.settles_at});
    if (Process* other = process(1 - i)) {
      const auto arrival = [&](const Pipe& pipe) {
        if (!pipe.stalled && !pipe.frames.empty()) next = std::min(next, pipe.frames.front().at);
      };
      arrival(other->out);
      arrival(other->control);
      for (const Pipe& pipe : other->late) arrival(pipe);
    }
    return std::max(next, p->resumes_at);
  }

  void step(int i) {
    Process* p = process(i);
    if (!p || now_ < p->resumes_at) return;
    settle_connection(*p);
    settle(i);
    for (Pipe& pipe : last_breath_[1 - i]) receive(i, pipe, true);
    if (Process* other = process(1 - i)) {
      for (Pipe& pipe : other->late) receive(i, pipe, true);
      std::erase_if(other->late, [](const Pipe& pipe) { return pipe.frames.empty(); });
      if (!other->out.stalled) receive(i, other->out, false);
      receive(i, other->control, false);
    }
    p->link.tick(now_);
    if (p->beat_at <= now_) {
      p->beat_at = now_ + 200ms;
      control_frame(i, p->link.beat(0));
    }
    settle(i);
  }

  void settle_connection(Process& p) {
    if (p.out.settles_at > now_) return;
    p.out.settles_at = Time::max();
    if (p.out.state == Pipe::State::broken) {
      p.out.state = Pipe::State::none;
      p.link.disconnected(now_);
    } else if (p.out.state == Pipe::State::dialling) {
      p.out.state = p.out.succeeds ? Pipe::State::open : Pipe::State::none;
      if (p.out.succeeds) {
        p.link.dialled(now_);
      } else {
        p.link.dial_failed(now_, p.out.refused, "connection refused");
      }
    }
  }

  void receive(int i, Pipe& pipe, bool from_old) {
    Process* p = process(i);
    while (!pipe.frames.empty() && pipe.frames.front().at <= now_) {
      const Pipe::InFlight in = std::move(pipe.frames.front());
      pipe.frames.pop_front();
      auto frame = wire::decode(in.frame);
      if (!frame) {
        violation(i, "an own frame cannot be decoded: " + frame.error());
        continue;
      }
      if (const auto* hello = std::get_if<wire::Hello>(&*frame)) {
        if (p->link.hello(now_, *hello)) pipe.bound = *hello;
      } else if (const auto& bound = in.bound ? in.bound : pipe.bound) {
        p->link.frame(now_, *bound, *frame);
      }
      p->link.flush(now_, from_old ? 1 : 4);
      settle(i);
    }
  }

  void control_frame(int i, Bytes frame) {
    Process* p = process(i);
    if (control_cut[i] || random_.chance(lose_control) || p->link.peer().id == NodeId::none) return;
    wire::Hello bound;
    bound.name = p->self.name;
    bound.incarnation = p->self.incarnation;
    bound.to = p->link.peer().id;
    bound.lane = wire::Lane::control;
    const Time at = now_ + latency + random_.upto(latency);
    const unsigned copies = random_.chance(double_control) ? 2 : 1;
    for (unsigned k = 0; k < copies; ++k) p->control.frames.push_back({at, frame, bound});
  }

  void hand_over(Process& p) {
    if (!p.outgoing || !p.link.up()) return;
    std::vector<Outgoing> taken;
    p.outgoing->take(now_, taken);
    for (Outgoing& outgoing : taken) p.link.send(std::move(outgoing));
    if (p.link.sending().interleaved()) p.outgoing->interleaved();
  }

  /// Carries out what the link wants and checks what it tells.
  void settle(int i) {
    Process* p = process(i);
    if (!p) return;
    hand_over(*p);
    p->link.flush(now_);
    for (LinkAction& action : p->link.take_actions()) {
      std::visit([&](auto& what) { carry_out(i, *p, what); }, action);
    }
  }
  void carry_out(int i, Process& p, link_action::Dial& dial) {
    say(i, "dials, connection " + std::to_string(dial.connection));
    if (p.out.state != Pipe::State::none) violation(i, "dials while connected");
    p.out = Pipe();
    p.out.state = Pipe::State::dialling;
    p.out.stalled = stall_new_[i];
    p.out.refused = refuse_dials || !process(1 - i);
    p.out.succeeds = !p.out.refused && !random_.chance(dial_fails);
    p.out.settles_at = now_ + latency;
  }
  void carry_out(int i, Process& p, link_action::Hangup&) {
    say(i, "hangs up");
    for (Pipe& pipe : break_pipe(p)) p.late.push_back(std::move(pipe));
  }
  void carry_out(int i, Process& p, link_action::Send& send) {
    if (trace_on) say(i, "sends " + describe(send.frame));
    if (send.lane == wire::Lane::control) return control_frame(i, std::move(send.frame));
    if (p.out.state == Pipe::State::broken) return;  // accepted and lost
    if (p.out.state != Pipe::State::open) return violation(i, "sends while not connected");
    if (lose_data > 0 && random_.chance(lose_data) && is_data(send.frame)) return;
    const Time earliest = p.out.frames.empty() ? now_ : p.out.frames.back().at;
    p.out.frames.push_back({std::max(earliest, now_ + latency + random_.upto(latency)),
                            std::move(send.frame), std::nullopt});
  }
  void carry_out(int i, Process& p, link_action::Up& told) {
    say(i,
        "up " + told.peer.name + " incarnation " + std::to_string(told.peer.incarnation.counter));
    if (p.up) violation(i, "up twice");
    p.up = true;
    p.peer = told.peer;
    p.outgoing.emplace(options_.stream,
                       wire::Ends{p.self.incarnation.id, told.peer.incarnation.id});
    ++p.ups;
    p.sent.clear();
    p.received.clear();
    p.session_of_sender = 0;
  }
  void carry_out(int i, Process& p, link_action::Lost& lost) {
    say(i, "lost " + lost.peer.name + (lost.confirmed ? " (confirmed): " : ": ") + lost.why);
    if (!p.up) violation(i, "a loss without a session");
    if (lost.peer.incarnation != p.peer.incarnation) violation(i, "a loss of another incarnation");
    p.up = false;
    p.outgoing.reset();
    ++p.losses;
    p.sent.clear();
  }
  void carry_out(int i, Process& p, link_action::Deliver& told) {
    if (told.envelopes.empty()) violation(i, "a delivery of nothing");
    for (const Envelope& e : told.envelopes) deliver(i, p, e);
  }
  void deliver(int i, Process& p, const Envelope& e) {
    unsigned long long pair = 0, session = 0, number = 0;
    if (std::sscanf(e.type.c_str(), "%llu %llu %llu", &pair, &session, &number) != 3) {
      return violation(i, "a message is damaged");
    }
    say(i, "delivers " + std::to_string(number));
    if (!p.up) return violation(i, "a delivery without a session");
    if (e.from.node != p.peer.incarnation.id) return violation(i, "a message of another node");
    if (e.payload.find_first_not_of(static_cast<char>('a' + number % 26)) != Bytes::npos) {
      violation(i, "a payload is damaged");
    }
    const auto sender = static_cast<std::uint64_t>(e.from.node);
    if (p.session_of_sender == 0) {
      if (session <= p.newest_session[sender]) violation(i, "a message of an older session");
      p.session_of_sender = p.newest_session[sender] = session;
    }
    if (session != p.session_of_sender) violation(i, "messages of two sessions in one");
    const std::uint64_t expected = ++p.received[pair];
    if (number != expected) {
      violation(i, "pair " + std::to_string(pair) + ": got " + std::to_string(number) +
                       " instead of " + std::to_string(expected));
      p.received[pair] = number;
    }
  }
  void carry_out(int i, Process&, link_action::Outlived& told) {
    say(i, "is told that incarnations up to " + std::to_string(told.counter) + " are dead");
  }
  void carry_out(int i, Process&, link_action::Note& note) { say(i, "notes: " + note.text); }

  static bool is_data(const Bytes& frame) {
    return static_cast<unsigned char>(frame[1]) == static_cast<unsigned>(wire::Kind::data);
  }
  static std::string describe(const Bytes& bytes) {
    const auto frame = wire::decode(bytes);
    const auto at = [](const wire::Position& p) {
      return "session " + std::to_string(p.from_attempt) + ":" + std::to_string(p.to_attempt) +
             " received " + std::to_string(p.received) + " accepted connection " +
             std::to_string(p.resumed);
    };
    if (const auto* h = std::get_if<wire::Hello>(&*frame)) {
      return "hello, connection " + std::to_string(h->connection) + ", " + at(h->position);
    }
    if (const auto* d = std::get_if<wire::Data>(&*frame)) {
      return "data " + std::to_string(d->first) + ".." +
             std::to_string(d->first + d->records.size() - 1) + ", " + at(d->position);
    }
    if (const auto* a = std::get_if<wire::Ack>(&*frame)) {
      return std::string(a->again ? "again, " : "ack, ") + at(a->position);
    }
    if (const auto* b = std::get_if<wire::Bye>(&*frame)) return "bye, " + at(b->position);
    if (const auto* r = std::get_if<wire::Refuse>(&*frame)) return "refuse: " + r->text;
    return "?";
  }

  LinkOptions options_;
  SeededRandom random_;
  Time now_{1s};
  std::uint64_t counters_[2] = {0, 0};
  std::unique_ptr<Process> processes_[2];
  std::vector<Pipe> last_breath_[2];
  bool stall_new_[2] = {false, false};
};

}  // namespace coterie::model
