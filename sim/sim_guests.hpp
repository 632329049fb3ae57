#pragma once
// User code of the simulator's own, which runs on every node of a drawn cluster beside the
// workload and sees what clients cannot.
//
// Seats: global names, registered without a supervisor or a stored spec around them, that processes
// of all nodes try to take, sit on for a while and leave. Two owners show as I1, as with any name;
// one that nobody can take any more is a ghost (I4). Others look them up, strongly: nobody older is
// found than who has run before (I4).
// Pings: a process for each other node monitors a server there and sends it numbered casts. In the
// mailbox they come in order and without a gap until the sender has its Down (P5, I6), which comes
// once (I5).
// A ledger: a process with a journal whose bounds are soon reached, and those who write to it
// (I10).
//
// The nodes' processes hold a reference to it; single-threaded, like its world.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <coterie/application.hpp>
#include <coterie/pid.hpp>

#include "process/seeded_random.hpp"
#include "sim/sim_world.hpp"

namespace coterie::sim {

class SimGuests {
 public:
  using Violation = std::function<void(std::string)>;
  /// The epoch of whoever ran a name last, if that is known (SimOwners::newest).
  using Newest = std::function<std::optional<Epoch>(std::string_view name)>;

  SimGuests(const SimWorld& world, std::vector<std::string> nodes, std::uint64_t seed,
            Violation violation, Newest newest)
      : world_(world),
        nodes_(std::move(nodes)),
        random_(seed),
        violation_(std::move(violation)),
        newest_(std::move(newest)) {}

  Application application();

  /// Every seat was taken since `from`, and every ping of before has come.
  bool settled(Time from) const { return unsettled(from).empty(); }
  /// What keeps it from being so: a violation when all faults are long over.
  std::string unsettled(Time from) const;

  std::uint64_t seats_taken() const noexcept { return taken_; }
  std::uint64_t pings() const noexcept { return pings_; }

 private:
  friend class Ear;
  using Way = std::pair<Pid, std::uint64_t>;  // a sender, and which of its monitors
  struct Sent {
    std::string from, to;
    std::uint64_t sent = 0;
    std::uint64_t come = 0;
    bool gap = false;  // seen where they come
  };

  Duration draw(Duration least, Duration most);
  [[noreturn]] void contend();
  [[noreturn]] void speak(const std::string& to);
  [[noreturn]] void write();
  [[noreturn]] void look_up();
  void heard(const Way& way, std::uint64_t number);

  const SimWorld& world_;
  const std::vector<std::string> nodes_;
  SeededRandom random_;
  Violation violation_;
  const Newest newest_;
  std::map<std::uint64_t, Time> seats_;  // when last taken
  std::map<Way, Sent> ways_;             // of senders that live, under monitors without a Down
  std::map<Pid, std::uint64_t> heard_;   // sender -> the latest of its monitors heard of
  std::uint64_t once_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t pings_ = 0;
};

}  // namespace coterie::sim
