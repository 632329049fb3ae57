#pragma once
// ChildCell: one of the processes that are the parents of a cluster-scope instance's children. A
// start blocks its parent until the child's init is done, so an instance has as many cells as it
// may have starts in flight, and gives each start to an idle one. A cell outlives nothing: it is
// linked to its instance, and its children to it.

#include <unordered_map>

#include <coterie/gen_server.hpp>
#include <coterie/kind.hpp>

namespace coterie::detail {

namespace cell {

// To a cell. Not aggregates: they never leave the node.
struct Start {
  Start(std::string k, Bytes a) : key(std::move(k)), args(std::move(a)) {}
  std::string key;
  Bytes args;
};
struct Stop {
  explicit Stop(Pid p) : child(p) {}
  Pid child;
};
struct KillLate {
  explicit KillLate(Pid p) : child(p) {}
  Pid child;
};

// To the instance.
struct Started {
  Started(std::size_t c, std::string k, StartResult r)
      : cell(c), key(std::move(k)), result(std::move(r)) {}
  std::size_t cell;
  std::string key;
  StartResult result;
};
struct Exited {
  Exited(std::string k, Pid p, ExitReason r) : key(std::move(k)), child(p), reason(std::move(r)) {}
  std::string key;
  Pid child;
  ExitReason reason;
};

}  // namespace cell

struct ChildCellOptions {
  std::size_t index = 0;
  coterie::Kind kind;
  std::string registry;
  Duration start_timeout = std::chrono::seconds(30);
  Shutdown shutdown = std::chrono::seconds(5);
};

class ChildCell final : public GenServer {
 public:
  using Casts = Messages<cell::Start, cell::Stop>;
  using Infos = Messages<Exit, cell::KillLate>;

  ChildCell(Pid instance, ChildCellOptions options)
      : instance_(instance), options_(std::move(options)) {}

  void terminate(const ExitReason& reason);
  void handle_cast(const cell::Start& request);
  void handle_cast(const cell::Stop& request);
  void handle_info(const Exit& exit);
  void handle_info(const cell::KillLate& late);

 private:
  Pid instance_;
  ChildCellOptions options_;
  std::unordered_map<Pid, std::string> children_;
};

}  // namespace coterie::detail
