#pragma once
// Who sends which command when, what is tried again, and what each command came to. N clients, each
// with one command at a time; a command's tries carry one request id. No clock, thread or socket in
// it: time, answers and errors come in, attempts go out. One thread.
//
//   for (;;) {
//     for (Attempt& attempt : schedule.step(now, connected)) send(attempt);
//     wait until schedule.next_due() or an answer;  schedule.answered(now, attempt.id, answer);
//   }
//
// Truthful outcomes: an error counts as "not executed" only if every try certainly did not run. A
// refusal counts only if no earlier try can still be under way (it might be accepted later, in
// another state): if one can, the command is asked once more when its time is over.

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <coterie/call_error.hpp>

#include "node/operation_feed.hpp"
#include "node/workload_record.hpp"

namespace coterie {

struct DriveOptions {
  std::size_t clients = 8;
  double rate = 0;  // commands begun per second, all clients together; 0: as fast as they go
  Duration attempt_timeout = std::chrono::seconds(2);
  Duration give_up_after = std::chrono::seconds(30);   // of one command, all tries together
  Duration pause_min = std::chrono::milliseconds(10);  // before a second try; then doubled
  Duration pause_max = std::chrono::milliseconds(250);
  /// A key of which nobody knows whether it exists: `noproc` for so long means that it does not.
  /// Nodes answer so only when there is no such name, so this guards against a mistake of theirs.
  Duration absent_after = std::chrono::seconds(1);
};

struct Attempt {
  std::uint64_t id = 0;
  std::size_t connection = 0;
  const WorkloadOperation* operation = nullptr;  // until it is answered
  Duration timeout{};
};

struct DriveCounts {
  std::uint64_t begun = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  std::uint64_t not_executed = 0;
  std::uint64_t unknown = 0;
  std::uint64_t retries = 0;
  std::uint64_t ended() const noexcept { return acknowledged + refused + not_executed + unknown; }
  friend bool operator==(const DriveCounts&, const DriveCounts&) = default;
};

class WorkloadSchedule {
 public:
  /// All outlive it. `connections` of them are there, at least one.
  WorkloadSchedule(const Workload& workload, OperationFeed& feed, std::size_t connections,
                   DriveOptions options);

  using Connected = std::function<bool(std::size_t connection)>;
  std::vector<Attempt> step(Time now, const Connected& connected);
  /// When step() has something to do without an answer; Time::max(): not before one.
  Time next_due(Time now) const;

  using Answer = std::expected<Bytes, CallError>;
  void answered(Time now, std::uint64_t attempt, const Answer& answer);

  /// Takes no more from the feed; commands under way go on to their end.
  void stop() noexcept { stopped_ = true; }
  bool finished() const noexcept { return active_.empty() && (stopped_ || feed_.finished()); }

  const DriveCounts& counts() const noexcept { return counts_; }
  /// In the order in which they ended.
  const std::vector<OperationRecord>& records() const noexcept { return records_; }
  std::vector<OperationRecord> take_records() { return std::move(records_); }

 private:
  struct Active {  // a client's command
    OperationRecord record;
    Time give_up{};
    Duration pause{};
    std::optional<Time> next_try;  // nothing: a try is under way
    std::uint64_t attempt = 0;     // the latest try
    std::size_t connection = 0;    // of the latest try
    Time sent{};                   // likewise
    Time quiet_from{};             // when no earlier try can run any more
    bool maybe_executed = false;   // some try may have run
    std::optional<Time> absent_since{};
    std::string last_error;
  };
  enum class Existence : std::uint8_t { exists, absent };

  void begin(Time now);
  void send(Active& active, Time now, const Connected& connected, std::vector<Attempt>& out);
  void take(Active& active, Time now, const WorkloadAnswer& answer);
  void take(Active& active, Time now, const CallError& error);
  void try_again(Active& active, Time now, Time at);
  void end(Active& active, Time now, OperationOutcome outcome);
  std::size_t pick(std::size_t after, Time now, const Connected& connected) const;

  const Workload& workload_;
  OperationFeed& feed_;
  const DriveOptions options_;
  std::vector<Time> avoid_until_;                     // by connection
  std::map<std::uint64_t, Active> active_;            // by client
  std::map<std::uint64_t, std::uint64_t> client_of_;  // by attempt
  std::map<std::string, Existence, std::less<>> existence_;
  std::set<std::uint64_t> idle_;    // clients
  std::optional<Time> next_begin_;  // with a rate
  Time stepped_{};                  // the latest step
  std::uint64_t last_attempt_ = 0;
  bool stopped_ = false;
  DriveCounts counts_;
  std::vector<OperationRecord> records_;
};

}  // namespace coterie
