#pragma once
// What sys has switched on in one server: trace, log, statistics, debug functions (sys.erl's debug
// options). Owned by the server's loop while anything is on; used inside its process only.

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <coterie/sys.hpp>

namespace coterie::detail {

class Runtime;

class ServerDebug {
 public:
  explicit ServerDebug(Runtime& runtime) : runtime_(runtime) {}

  /// Nothing is on any more.
  bool idle() const noexcept;
  /// Somebody reads events; statistics alone only count.
  bool wants_text() const noexcept;
  void handle(const sys::Event& event);
  void count_received() noexcept { ++statistics_.messages_in; }
  void count(bool replied) noexcept {
    ++statistics_.reductions;
    if (replied) ++statistics_.messages_out;
  }

  void trace(bool on, const Pid& printer);
  void keep(std::size_t events);
  void keep_statistics(bool on, WallTime now);
  void install(std::string id, sys::DebugFunction function);
  void remove(std::string_view id);
  void clear();

  std::vector<std::string> log() const { return {log_.begin(), log_.end()}; }
  const sys::Statistics* statistics() const noexcept { return counting_ ? &statistics_ : nullptr; }
  /// What is on, for get_status.
  std::vector<std::string> switched_on() const;

 private:
  struct Function {
    std::string id;
    sys::DebugFunction run;
  };
  bool print(const Pid& printer, const std::string& line);

  Runtime& runtime_;
  bool trace_here_ = false;
  bool counting_ = false;
  std::vector<Pid> printers_;  // processes of other nodes
  std::size_t log_max_ = 0;
  std::deque<std::string> log_;
  sys::Statistics statistics_;
  std::vector<Function> functions_;
};

}  // namespace coterie::detail
