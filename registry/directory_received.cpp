// What members tell this one: requests for its partitions, answers to its own requests.

#include <algorithm>
#include <utility>

#include "registry/directory.hpp"

namespace coterie {

using directory::Ask;
using directory::Code;
using directory::Message;
using directory::Told;
using directory::What;
using name_requests::Confirmed;
using name_requests::Found;
using name_requests::Reserved;

namespace {

constexpr std::size_t early_max = 10'000;  // messages of newer views; who sent them sends again

}  // namespace

/// Clients and nodes that have left the view say nothing here.
bool Directory::from_outside(NodeId from) const {
  return view_ != nullptr && !members_.contains(from);
}

void Directory::on(const Received& received) {
  if (stopped_) return;
  std::visit([&](const auto& message) { receive(received.from, message); }, received.message);
}

/// What belongs to a newer view waits for it.
void Directory::keep_for_later(Received early) {
  if (early_.empty()) actions_.push_back(ReadView{});
  if (early_.size() == early_max) early_.pop_front();
  early_.push_back(std::move(early));
}

void Directory::receive(NodeId from, const Ask& asked) {
  if (!of_this_view(from, asked.view, asked)) {
    if (view_ == nullptr || asked.view > view_->number) return;
    send(from, Told{view_->number, asked.what, asked.id, Code::stale_view, {}, {}});
    return;
  }
  primary_.ask(from, asked);
}

void Directory::receive(NodeId from, const Told& told) {
  if (from_outside(from)) return;
  if (view_ != nullptr && told.view > view_->number) actions_.push_back(ReadView{});
  if (told.code == Code::stale_view || told.code == Code::unavailable) return;
  if (told.what == What::lookup) {
    if (looking_.erase(told.id) == 0) return;
    NameResult<Location> found = std::unexpected(NameError{});
    if (told.code == Code::ok) found = Location{.pid = told.pid, .epoch = told.epoch};
    actions_.push_back(Found{told.id, std::move(found)});
    return;
  }
  const bool counts = view_ != nullptr && told.view == view_->number;
  if (!counts && options_.protections.asked_in_this_view) return;
  if (const auto mine = mine_.find(told.id); mine != mine_.end()) told_about(mine, told);
}

/// By a process of this node that has ended, and whose release was overtaken: it is asked again.
bool Directory::holds_on(const Mine& mine, const Pid& holder) const {
  if (holder.node != self_) return false;
  const auto [first, last] = releasing_.equal_range(mine.name);
  return std::any_of(first, last, [&](const auto& one) { return one.second == holder.serial; });
}

void Directory::told_about(MineById::iterator found, const Told& told) {
  auto& [id, mine] = *found;
  if (told.what == What::reserve && mine.state == State::reserving) {
    // Perhaps this node has been removed and does not know it. It is asked again.
    if (told.code == Code::ok && !lease_runs() && options_.protections.counts_with_lease) return;
    if (told.code == Code::taken && holds_on(mine, told.pid)) return;
    const Request request = std::exchange(mine.asked, 0);
    unanswered_.erase(id);
    if (told.code == Code::ok) {
      mine.state = State::reserved;
      mine.epoch = told.epoch;
      actions_.push_back(Reserved{request, Registration{id, told.epoch}});
      return;
    }
    NameError error{.code = NameError::Code::taken, .holder = told.pid, .message = {}};
    actions_.push_back(Reserved{request, std::unexpected(std::move(error))});
    if (options_.protections.withdrawn_freed) {
      free(id, mine);
    } else {
      mine_.erase(found);
    }
  } else if (told.what == What::confirm && mine.state == State::confirming) {
    const Request request = std::exchange(mine.asked, 0);
    unanswered_.erase(id);
    confirms_.erase(request);
    NameResult<void> result;
    if (told.code == Code::ok) {
      mine.state = State::confirmed;
    } else {
      mine.state = State::reserved;
      result =
          std::unexpected(NameError{NameError::Code::failed, {}, "the directory lost the name"});
      actions_.push_back(
          Notice{"the directory knows nothing of " + mine.name + ", which this node holds: a bug"});
    }
    const Location location{.pid = {self_, mine.serial}, .epoch = mine.epoch};
    if (request != 0) actions_.push_back(Confirmed{request, std::move(result), location});
  } else if (told.what == What::release && mine.state == State::releasing) {
    forget(found);
  }
}

}  // namespace coterie
