#pragma once
// The NameService of a cluster's node: strict names of the directory, seen from processes that park
// while they wait. A name's epoch comes from the store.

#include <memory>

#include "process/ports/name_service.hpp"
#include "process/runtime.hpp"
#include "registry/store_names_driver.hpp"

namespace coterie {

class NodeNames final : public NameService {
 public:
  NodeNames(StoreNamesDriver& names, const Clock& clock) : names_(names), clock_(clock) {}

  NameResult<Location> resolve(std::string_view registry, std::string_view key, bool fresh,
                               Duration timeout) override;
  void forget(std::string_view registry, std::string_view key, const Location& location) override;
  NameResult<Registration> reserve(std::string_view registry, std::string_view key, Pid owner,
                                   Duration timeout) override;
  NameResult<void> confirm(std::string_view registry, std::string_view key,
                           const Registration& registration, Duration timeout) override;
  void release(std::string_view registry, std::string_view key, const Pid& owner,
               const Registration& registration) override;

 private:
  Time deadline(Duration timeout) const { return after(clock_.now(), timeout); }

  StoreNamesDriver& names_;
  const Clock& clock_;
};

}  // namespace coterie
