#pragma once
// An application that runs on one node of several at a time, the first of a list that is there: the
// counterpart of OTP's distributed applications (the kernel's key `distributed`). Every node starts
// it as a child of an Application; one of them runs its children.
//
//   Application{.name = "billing", .children = [] {
//     return std::vector{distributed_application({
//         .name = "billing", .nodes = {{"a"}, {"b", "c"}}, .timeout = 5s,
//         .children = [](const StartType& type) { return billing_children(type); }})};
//   }}
//
// When its node is lost, `timeout` passes, then the next one of the list starts it (failover). When
// a node of higher priority comes, the application is stopped where it runs and started there
// (takeover); between equals it stays where it is. Who runs it is a strict name, so two nodes never
// do because they disagree. Its children are processes like any others, though: on a node that is
// cut off they are ended a moment after its lease, and whatever they write elsewhere should carry
// the epoch of their StartType.

#include <functional>
#include <string>
#include <vector>

#include <coterie/child_spec.hpp>

namespace coterie {

struct StartType {
  enum class Kind : std::uint8_t {
    normal,    // it has not been seen running
    failover,  // it ran on `node`, which is gone or gave it up
    takeover,  // it ran on `node`, which has lower priority, and was stopped there
  };
  Kind kind = Kind::normal;
  std::string node{};
  Epoch epoch{};  // greater than that of every earlier start: a fencing token
  friend bool operator==(const StartType&, const StartType&) = default;
};

struct DistributedApplication {
  std::string name{};
  /// In order of priority; those of one group are equals. The same on all nodes. A node that is in
  /// none of them never runs it. What the cluster file says in a [[distributed]] of that name goes
  /// before this, `timeout` and `sync`; without either the start fails.
  std::vector<std::vector<std::string>> nodes{};
  /// How long it stays down after the loss of its node, in which that may come back.
  Duration timeout = Duration::zero();
  /// How long a first start waits for nodes of higher priority; OTP's sync_nodes_timeout.
  Duration sync = Duration::zero();
  std::function<std::vector<ChildSpec>(const StartType&)> children{};
};

/// A child for every node that may run it. It ends, abnormally, when its children give up, and as
/// what its supervisor makes of that.
ChildSpec distributed_application(DistributedApplication application);

}  // namespace coterie
