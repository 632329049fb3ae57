#pragma once
// local("coterie.global"): the process through which other nodes register and take back global
// names of this node's processes, and ask for all of them; monitors of names hear from it of names
// that were taken from living processes. A node of a cluster starts it. It waits for nothing: each
// request runs in a process of its own.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/global.hpp>

namespace coterie::detail {

inline constexpr const char* global_registry = "global";
inline constexpr const char* locks_registry = "coterie.locks";

/// Takes the global name from that process of this node, if it has it, and tells all nodes.
void drop_global(const std::string& name, const Pid& pid, Duration timeout);

/// A process that lives on has lost the name: whoever monitors that looks where it is. To the
/// servers of all nodes, and from them to the monitors.
struct NameDropped {
  static constexpr std::string_view type_name = "coterie.global.dropped";
  ViaName name;
};

class GlobalServer final : public GenServer {
 public:
  static constexpr const char* local_name = "coterie.global";

  struct Answer {
    static constexpr std::string_view type_name = "coterie.global.answer";
    std::optional<Global::Error::Code> error{};
    Pid holder{};
    std::string detail{};
    Epoch epoch{};
  };
  /// Gives the name to a process of this node.
  struct Hold {
    using Reply = Answer;
    static constexpr std::string_view type_name = "coterie.global.hold";
    std::string name;
    Pid pid;
    std::int64_t timeout_ms = 0;
  };
  /// Takes it from a process of this node, if it has it.
  struct Drop {
    using Reply = void;
    static constexpr std::string_view type_name = "coterie.global.drop";
    std::string name;
    Pid pid;
    std::int64_t timeout_ms = 0;
  };
  struct Held {
    using Reply = std::vector<std::string>;
    static constexpr std::string_view type_name = "coterie.global.held";
  };
  /// A lock's process was started on this node: the server notices its end.
  struct Locked {
    Pid lock;
  };
  /// That process of this node monitors the name.
  struct Watching {
    ViaName name;
    Pid pid;
  };
  using Calls = Messages<Hold, Drop, Held>;
  using Casts = Messages<Locked, Watching, NameDropped>;
  using Infos = Messages<Down>;

  Next handle_call(const Hold& hold, From<Hold> from);
  Next handle_call(const Drop& drop, From<Drop> from);
  std::vector<std::string> handle_call(const Held&);
  void handle_cast(const Locked& locked) { locks_.insert(monitor(locked.lock)); }
  void handle_cast(const Watching& watching);
  void handle_cast(const NameDropped& dropped);
  void handle_info(const Down& down);
  std::string format_status() const;

 private:
  using Key = std::pair<std::string, std::string>;
  std::set<Ref> locks_;
  std::map<Ref, std::pair<Key, Pid>> watching_;
  std::set<std::pair<Key, Pid>> watchers_;
};

}  // namespace coterie::detail
