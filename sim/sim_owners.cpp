#include "sim/sim_owners.hpp"

#include <utility>

#include "process/process.hpp"

namespace coterie::sim {

void SimOwners::add(std::uint64_t run, std::string node,
                    std::function<detail::Runtime*()> runtime) {
  runs_[run] = {std::move(node), std::move(runtime)};
}

// A process that ends has given its name back before its last step, so that for a moment there may
// be two; the later registration is the owner's.
const detail::Process* SimOwners::find(detail::Runtime& runtime, std::string_view name) {
  const detail::Process* owner = nullptr;
  for (const Pid& pid : runtime.list()) {
    const detail::Process* process = runtime.find(pid);
    if (process == nullptr || !process->strict() || process->strict_name() != name) continue;
    if (owner == nullptr || owner->epoch() < process->epoch()) owner = process;
  }
  return owner;
}

void SimOwners::enter(std::uint64_t run, std::string_view name) {
  const auto self = runs_.find(run);
  if (self == runs_.end()) return;  // a corpse
  detail::Runtime& runtime = *self->second.runtime();
  // The worker enters before it looks at the gate; behind a closed one nothing begins.
  if (!runtime.gate_open()) return;
  ++callbacks_;
  if (const auto poison = poisoned_.find(name); poison != poisoned_.end()) {
    const auto kill = std::move(poison->second);
    poisoned_.erase(poison);
    return kill(run);
  }
  const auto known = owners_.find(name);
  if (known != owners_.end() && known->second.run == run) return;
  const detail::Process* process = find(runtime, name);
  const Epoch epoch = process != nullptr ? process->epoch() : Epoch{};
  if (known == owners_.end()) {
    owners_.emplace(std::string(name), Owner{run, epoch});
    return;
  }
  Owner& owner = known->second;
  ++moves_;
  if (const auto before = runs_.find(owner.run); before != runs_.end() && judged_) {
    detail::Runtime* other = before->second.runtime();
    if (other != nullptr && other->gate_open() && find(*other, name) != nullptr) {
      violation_("I1 " + std::string(name) + " runs on " + self->second.node + ", epoch " +
                 to_string(epoch) + ", while " + before->second.node + " may still run it, epoch " +
                 to_string(owner.epoch));
    }
  }
  // Beyond the bound of clocks only the effects of the older one are refused, by their epochs.
  if (judged_ && epoch && owner.epoch && !(owner.epoch < epoch)) {
    violation_("I2 " + std::string(name) + " runs on " + self->second.node + " with epoch " +
               to_string(epoch) + ", after epoch " + to_string(owner.epoch));
  }
  owner = {run, epoch};
}

}  // namespace coterie::sim
