#include "supervision/strategy.hpp"

namespace coterie::detail {

RestartPlan rest_for_one(std::span<const ChildView> children, std::size_t failed) {
  RestartPlan plan;
  for (std::size_t i = children.size(); i-- > failed;) {
    if (i != failed && children[i].running) plan.stop.push_back(i);
  }
  for (std::size_t i = failed; i < children.size(); ++i) {
    // A temporary sibling is stopped with the rest and never comes back.
    const bool gone = i != failed && children[i].restart == Restart::temporary;
    (gone ? plan.remove : plan.start).push_back(i);
  }
  return plan;
}

}  // namespace coterie::detail
