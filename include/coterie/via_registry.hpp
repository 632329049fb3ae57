#pragma once
// A registry of your own, for via names: Elixir's {:via, Module, term} with three functions of that
// module. From add_via_registry on, via(name, key) asks it wherever a ServerRef is taken, and a
// server started with .name = via(name, key) registers in it.
//
//   class Rooms final : public coterie::ViaRegistry { ... };
//   add_via_registry("rooms", std::make_shared<Rooms>());
//   call(via("rooms", "lobby"), Room::Say{"hello"});
//
// The functions run in the process that uses the name, on its worker: several at a time. The first
// two may park it (so a registry may be a GenServer that they call); unregister_name runs in a
// process that ends and must not wait.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <coterie/pid.hpp>

namespace coterie {

class ViaRegistry {
 public:
  virtual ~ViaRegistry() = default;
  virtual std::optional<Pid> whereis_name(std::string_view key) = 0;
  /// `pid` is the calling process, in the middle of its start. False: the key is taken.
  virtual bool register_name(std::string_view key, const Pid& pid) = 0;
  /// Only if `pid` has the key. Called once for each registration, before the process's end can be
  /// seen.
  virtual void unregister_name(std::string_view key, const Pid& pid) = 0;
};

/// On the node of the calling process, which owns it: it goes when that process ends. False if the
/// node has a registry of that name.
bool add_via_registry(const std::string& name, std::shared_ptr<ViaRegistry> registry);

}  // namespace coterie
