#pragma once
// Nodes of one process that share a store, a view that the test sets, and a name service that keeps
// one owner per name. There are no links between them: what crosses nodes is tested elsewhere.

#include <map>
#include <mutex>

#include "journal/memory.hpp"
#include "process/ports/name_service.hpp"
#include "supervision/cluster_instance.hpp"
#include "tests/process/runtime_fixture.hpp"

namespace coterie::test {

/// The agreement of one node: whatever the test says.
class SetAgreement final : public Agreement {
 public:
  std::shared_ptr<const View> view() const override {
    std::lock_guard lock(mutex_);
    return view_;
  }
  void set(std::shared_ptr<const View> view) {
    std::lock_guard lock(mutex_);
    view_ = std::move(view);
  }
  NodeState state() const override { return NodeState::active; }
  Time lease_end() const noexcept override { return Time::max(); }
  void confirm_death(std::string_view, const Incarnation&) override {}
  void hint() override {}
  void drain() override {}
  void leave() override {}

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const View> view_ = std::make_shared<const View>();
};

/// Names of all nodes in one map.
struct SharedNames {
  std::mutex mutex;
  std::map<std::string, std::pair<std::uint64_t, Pid>> names;
  std::uint64_t last = 0;
  int doubles = 0;
};

class MapNames final : public NameService {
 public:
  explicit MapNames(SharedNames& shared) : shared_(shared) {}
  NameResult<Location> resolve(std::string_view, std::string_view key, bool, Duration) override {
    std::lock_guard lock(shared_.mutex);
    const auto found = shared_.names.find(std::string(key));
    if (found == shared_.names.end()) return std::unexpected(NameError{});
    return Location{found->second.second, Epoch{1, found->second.first}, false};
  }
  void forget(std::string_view, std::string_view, const Location&) override {}
  NameResult<Registration> reserve(std::string_view, std::string_view key, Pid owner,
                                   Duration) override {
    std::lock_guard lock(shared_.mutex);
    auto& entry = shared_.names[std::string(key)];
    if (entry.first != 0) {
      return std::unexpected(NameError{NameError::Code::taken, entry.second, {}});
    }
    entry = {++shared_.last, owner};
    return Registration{entry.first, Epoch{1, entry.first}};
  }
  NameResult<void> confirm(std::string_view, std::string_view, const Registration&,
                           Duration) override {
    return {};
  }
  void release(std::string_view, std::string_view key, const Pid&,
               const Registration& registration) override {
    std::lock_guard lock(shared_.mutex);
    const auto found = shared_.names.find(std::string(key));
    if (found != shared_.names.end() && found->second.first == registration.id) {
      shared_.names.erase(found);
    }
  }

 private:
  SharedNames& shared_;
};

/// The first member in name order is home to every name.
class FirstPlacement final : public Placement {
 public:
  std::vector<std::string> homes(const View& view, std::string_view,
                                 std::string_view) const override {
    std::vector<std::string> names;
    for (const auto& [name, member] : view.members) {
      if (!member.draining) names.push_back(name);
    }
    return names;
  }
};

struct ClusterNodeUnderTest {
  ClusterNodeUnderTest(std::string name, std::uint64_t id, SharedNames& shared)
      : incarnation{id, NodeId{id}},
        names(shared),
        local({.node = std::move(name), .incarnation = incarnation, .workers = 2}) {
    local.runtime.set_names(&names);
  }
  Incarnation incarnation;
  SetAgreement agreement;
  MapNames names;
  LocalNode local;
};

}  // namespace coterie::test
