#pragma once
// The NameService of a cluster's node: strict names of the directory, seen from processes that park
// while they wait. A name's epoch comes from who keeps it, the store or the members.
//
// A name of a kind of cluster scope that nobody runs at the moment, but that shall run, is waited
// for: its node is gone and the next home starts it, or its supervisor starts it again. So nobody
// hears `noproc` of a name that is only between two owners.

#include <memory>
#include <set>
#include <string>

#include "process/ports/name_service.hpp"
#include "process/ports/rare_paths.hpp"
#include "process/ports/storage.hpp"
#include "process/runtime.hpp"
#include "registry/names_driver.hpp"

namespace coterie {

class NodeNames final : public NameService {
 public:
  /// `kinds`: the registries whose names are children of cluster scope, with rows in `specs`.
  NodeNames(NamesDriver& names, const Clock& clock, std::set<std::string, std::less<>> kinds,
            Records& specs, RarePaths* rare = nullptr)
      : names_(names), clock_(clock), kinds_(std::move(kinds)), specs_(specs), rare_(rare) {}

  NameResult<Location> resolve(std::string_view registry, std::string_view key, bool fresh,
                               Duration timeout) override;
  void forget(std::string_view registry, std::string_view key, const Location& location) override;
  void forget_epoch(const Epoch& epoch) override;
  NameResult<Registration> reserve(std::string_view registry, std::string_view key, Pid owner,
                                   Duration timeout) override;
  NameResult<void> confirm(std::string_view registry, std::string_view key,
                           const Registration& registration, Duration timeout) override;
  void release(std::string_view registry, std::string_view key, const Pid& owner,
               const Registration& registration) override;

 private:
  Time deadline(Duration timeout) const { return after(clock_.now(), timeout); }
  /// Why nobody runs this name: unavailable if somebody will, not_found if there is no such child.
  NameError absent(std::string_view kind, std::string_view key, Duration timeout) const;

  NamesDriver& names_;
  const Clock& clock_;
  const std::set<std::string, std::less<>> kinds_;
  Records& specs_;
  RarePaths* const rare_;
};

}  // namespace coterie
