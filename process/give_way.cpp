#include <coterie/detail/give_way.hpp>

#include <utility>

#include "process/huge_pages.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {
namespace {

thread_local bool gives_way = false;

/// Not inline: after a switch the address of a thread's variable is asked for anew.
[[gnu::noinline]] bool exchange_gives_way(bool now) noexcept {
  return std::exchange(gives_way, now);
}

}  // namespace

GivesWay::GivesWay() noexcept : outer_(exchange_gives_way(true)) {}
GivesWay::~GivesWay() { exchange_gives_way(outer_); }

void give_way() {
  Process* const self = running_process();
  if (!gives_way || self == nullptr || running_worker() == nullptr) return;
  // It is this process that may wait, not those that run meanwhile.
  exchange_gives_way(false);
  // What they wait for comes over the links, and this worker may be the one that looks after them.
  if (Distribution* const distribution = self->runtime().distribution()) distribution->turn();
  self->yield();
  exchange_gives_way(true);
}

void append_much(Bytes& to, BytesView bytes) {
  if (bytes.size() < portion_bytes) {
    to.append(bytes);
    return;
  }
  // Much more than an integer's field can follow: what grows by doubling would be touched twice.
  reserve_huge(to, to.size() + bytes.size() + 64);
  while (!bytes.empty()) {
    const BytesView portion = bytes.substr(0, portion_bytes);
    to.append(portion);
    bytes.remove_prefix(portion.size());
    if (!bytes.empty()) give_way();
  }
}

}  // namespace coterie::detail
