#pragma once
// Node: processes inside a program of your own, without a cluster. Threads of the program attach to
// it and then use every function of <coterie/...> like a process.
//
//   coterie::Node node;
//   auto self = node.attach();
//   auto counter = GenServer::start_link<Counter>({.name = local("counter")}, 0);
//   auto value = call(local("counter"), Counter::Increment{}).value();
//
// A node of a cluster is a program of its own: <coterie/program.hpp>.

#include <cstddef>
#include <memory>
#include <string>

#include <coterie/log.hpp>
#include <coterie/pid.hpp>
#include <coterie/process.hpp>

namespace coterie {

struct NodeOptions {
  std::string name = "nonode";
  unsigned workers = 0;  // threads that run processes; 0: one per processor
  std::size_t parked_fibers = 16'384;
  std::size_t processes = 4'000'000;
  std::size_t blocking_threads = 32;
  MailboxLimits mailbox{};
  LogOptions log{};
  LogLevel log_level = LogLevel::warning;
};

/// A thread as a process, while this lives. It hears of exits as messages; nobody can kill it.
/// Made and destroyed by its thread, before the node.
class Attached {
 public:
  Attached(Attached&&) noexcept;
  ~Attached();
  Pid pid() const noexcept;
  /// For threads that are attached to several nodes: acts for this one from now on.
  void use() noexcept;

 private:
  friend class Node;
  struct State;
  explicit Attached(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class Node {
 public:
  /// Throws std::runtime_error when the log cannot be opened.
  explicit Node(NodeOptions options = {});
  /// Warns of processes that nobody supervises (orphans()), then kills every process: their
  /// destructors run. All attached threads must be gone. A callback, or a job of blocking(), that
  /// has not returned after 10 s cannot be ended, nor what it uses be destroyed: the log says so,
  /// and the program aborts.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Attached attach(std::string label = "attached");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace coterie
