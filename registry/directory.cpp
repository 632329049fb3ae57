#include "registry/directory.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

using directory::Ask;
using directory::Message;
using directory::What;
using name_requests::Confirmed;
using name_requests::Found;
using name_requests::Reserved;

namespace {

NameError unavailable(std::string why) {
  return {.code = NameError::Code::unavailable, .holder = {}, .message = std::move(why)};
}

}  // namespace

Directory::Directory(DirectoryOptions options)
    : options_(std::move(options)),
      self_(options_.incarnation.id),
      primary_(self_, options_.waiting_max, options_.protections) {}

std::vector<Directory::Action> Directory::step(Time now, const Event& event) {
  now_ = now;
  primary_.set_lease(lease_runs());
  std::visit([this](const auto& e) { on(e); }, event);
  proceed();
  return std::exchange(actions_, {});
}

// ---- views

void Directory::on(const Installed& installed) {
  // Told twice, it would wait for claims that have been heard.
  if (stopped_ || installed.view->number <= newest_) return;
  newest_ = installed.view->number;
  const Member* const self = installed.view->find(options_.node);
  if (self == nullptr || self->incarnation != options_.incarnation) {
    view_ = nullptr;  // not yet; or out, and the lease with it
    return;
  }
  view_ = installed.view;
  members_.clear();
  for (const auto& [name, member] : view_->members) members_.insert(member.incarnation.id);
  for (unsigned p = 0; p < directory_partitions; ++p) {
    primaries_[p] = primary(*view_, p)->incarnation.id;
  }
  primary_.install(view_, primaries_);
  want_claims();
  due_ = {};
  ask_again([](NodeId) { return true; });
  for (auto& [from, message] : std::exchange(early_, {})) on(Received{from, message});
}

template <class Of>
void Directory::ask_again(Of of_primary) {
  for (const std::uint64_t id : unanswered_) {
    Mine& mine = mine_.at(id);
    if (!of_primary(primaries_[directory_partition(mine.name)])) continue;
    mine.tries = {};
    ask(id, mine);
  }
  for (auto& [request, looking] : looking_) {
    if (!of_primary(primaries_[directory_partition(looking.name)])) continue;
    looking.tries = {};
    look(request, looking);
  }
}

void Directory::on(const Connected& connected) {
  if (!usable()) return;
  if (const auto wanting = wanting_.find(connected.node); wanting != wanting_.end()) {
    wanting->second.tries = {};
    want(wanting->first, wanting->second);
  }
  ask_again([&](NodeId primary) { return primary == connected.node; });
}

void Directory::send(NodeId to, Message message) {
  if (to == self_) {
    to_self_.push_back(std::move(message));
  } else {
    actions_.push_back(Send{to, std::move(message)});
  }
}

// ---- what this node's processes ask

void Directory::on(const name_requests::Reserve& reserve) {
  if (stopped_ || reserve.name.size() > name_bytes_max) {
    NameError error = unavailable(stopped_why_);
    if (!stopped_) error = {NameError::Code::failed, {}, "a name may have 1,000 bytes"};
    actions_.push_back(Reserved{reserve.request, std::unexpected(std::move(error))});
    return;
  }
  Mine& mine = mine_[reserve.request];
  mine = {.name = reserve.name,
          .serial = reserve.serial,
          .epoch = {},
          .state = State::reserving,
          .asked = reserve.request};
  unanswered_.insert(reserve.request);
  deadlines_.emplace(reserve.deadline, reserve.request);
  ask(reserve.request, mine);
}

void Directory::on(const name_requests::Confirm& confirm) {
  const auto mine = mine_.find(confirm.registration);
  if (stopped_ || mine == mine_.end() || mine->second.state != State::reserved) {
    actions_.push_back(Confirmed{
        confirm.request,
        std::unexpected(unavailable(stopped_ ? stopped_why_ : "there is no such reservation")),
        {}});
    return;
  }
  mine->second.state = State::confirming;
  mine->second.asked = confirm.request;
  mine->second.tries = {};
  confirms_[confirm.request] = confirm.registration;
  unanswered_.insert(confirm.registration);
  deadlines_.emplace(confirm.deadline, confirm.request);
  ask(confirm.registration, mine->second);
}

void Directory::on(const name_requests::Release& release) {
  const auto mine = mine_.find(release.registration);
  if (!stopped_ && mine != mine_.end()) free(mine->first, mine->second);
}

void Directory::on(const name_requests::Lookup& lookup) {
  if (stopped_ || lookup.name.size() > name_bytes_max) {
    NameError error = unavailable(stopped_why_);
    if (!stopped_) error = {};
    actions_.push_back(Found{lookup.request, std::unexpected(std::move(error))});
    return;
  }
  Looking& looking = looking_[lookup.request];
  looking.name = lookup.name;
  deadlines_.emplace(lookup.deadline, lookup.request);
  look(lookup.request, looking);
}

void Directory::on(const name_requests::Withdraw& withdraw) {
  looking_.erase(withdraw.request);
  const auto mine = mine_.find(withdraw.request);
  if (mine == mine_.end()) return;
  if (mine->second.asked == withdraw.request) mine->second.asked = 0;
  free(mine->first, mine->second);
}

void Directory::on(const Stop& stop) {
  if (std::exchange(stopped_, true)) return;
  stopped_why_ = stop.why;
  std::vector<Request> waiting;
  for (const auto& [id, mine] : mine_) {
    if (mine.asked != 0) waiting.push_back(mine.asked);
  }
  for (const auto& [request, looking] : looking_) waiting.push_back(request);
  for (const Request request : waiting) give_up(request, stop.why);
  view_ = nullptr;
  mine_.clear();
  unanswered_.clear();
  releasing_.clear();
  wanting_.clear();
  early_.clear();
  due_ = {};
  deadlines_ = {};
}

/// Takes the name back, whatever copies of earlier requests are still under way.
void Directory::free(std::uint64_t id, Mine& mine) {
  if (mine.state == State::releasing) return;
  mine.state = State::releasing;
  mine.tries = {};
  unanswered_.insert(id);
  releasing_.emplace(mine.name, mine.serial);
  ask(id, mine);
}

/// Its release is done.
void Directory::forget(MineById::iterator mine) {
  const auto [first, last] = releasing_.equal_range(mine->second.name);
  for (auto one = first; one != last; ++one) {
    if (one->second != mine->second.serial) continue;
    releasing_.erase(one);
    break;
  }
  unanswered_.erase(mine->first);
  mine_.erase(mine);
}

void Directory::ask(std::uint64_t id, Mine& mine) {
  if (!usable()) return;
  tried(mine.tries);
  due_.push({mine.tries.again, id, false});
  const What what = mine.state == State::reserving    ? What::reserve
                    : mine.state == State::confirming ? What::confirm
                                                      : What::release;
  send(primaries_[directory_partition(mine.name)],
       Ask{view_->number, what, id, mine.name, mine.serial});
}

void Directory::look(Request request, Looking& looking) {
  if (!usable()) return;
  tried(looking.tries);
  due_.push({looking.tries.again, request, true});
  send(primaries_[directory_partition(looking.name)],
       Ask{view_->number, What::lookup, request, looking.name, 0});
}

// ---- what passes

void Directory::proceed() {
  expire();
  if (usable()) resend();
  while (usable()) {
    for (auto& answer : primary_.take_answers()) send(answer.to, answer.told);
    if (to_self_.empty()) break;
    const Received own{self_, std::move(to_self_.front())};
    to_self_.pop_front();
    on(own);
  }
  to_self_.clear();  // of a view that this member is not in any more
  set_timer();
}

void Directory::tried(Tries& tries) const {
  constexpr unsigned doublings = 3;
  const Duration wait = options_.resend_after * (1 << std::min(tries.times, doublings));
  ++tries.times;
  tries.again = after(now_, wait);
}

/// And not sent again since.
bool Directory::unanswered(const Due& due) const {
  if (due.lookup) {
    const auto looking = looking_.find(due.id);
    return looking != looking_.end() && looking->second.tries.again == due.at;
  }
  return unanswered_.contains(due.id) && mine_.at(due.id).tries.again == due.at;
}

void Directory::resend() {
  while (!due_.empty() && due_.top().at <= now_) {
    const Due due = due_.top();
    due_.pop();
    if (!unanswered(due)) continue;
    if (due.lookup) {
      look(due.id, looking_.at(due.id));
    } else {
      ask(due.id, mine_.at(due.id));
    }
  }
  for (auto& [node, wanting] : wanting_) {
    if (wanting.tries.again <= now_) want(node, wanting);
    if (wanting.silent || now_ < after(wanting.heard, options_.silent_after)) continue;
    wanting.silent = true;
    actions_.push_back(Silent{node});
  }
}

void Directory::expire() {
  while (!deadlines_.empty() && deadlines_.top().first <= now_) {
    const Request request = deadlines_.top().second;
    deadlines_.pop();
    give_up(request, "the directory did not answer in time");
  }
}

void Directory::give_up(Request request, const std::string& why) {
  if (looking_.erase(request) > 0) {
    actions_.push_back(Found{request, std::unexpected(unavailable(why))});
  } else if (const auto confirm = confirms_.extract(request); !confirm.empty()) {
    // It is asked for on: the process holds the name, and gives it back if it does not want it.
    if (const auto mine = mine_.find(confirm.mapped()); mine != mine_.end()) mine->second.asked = 0;
    actions_.push_back(Confirmed{request, std::unexpected(unavailable(why)), {}});
  } else if (const auto mine = mine_.find(request);
             mine != mine_.end() && mine->second.asked == request) {
    mine->second.asked = 0;
    actions_.push_back(Reserved{request, std::unexpected(unavailable(why))});
    free(request, mine->second);
  }
}

void Directory::set_timer() {
  Time next = deadlines_.empty() ? Time::max() : deadlines_.top().first;
  if (usable()) {
    while (!due_.empty() && !unanswered(due_.top())) due_.pop();
    if (!due_.empty()) next = std::min(next, due_.top().at);
    for (const auto& [node, wanting] : wanting_) {
      next = std::min(next, wanting.tries.again);
      if (!wanting.silent) next = std::min(next, after(wanting.heard, options_.silent_after));
    }
  }
  if (next >= timer_) return;  // a tick too early is cheaper than a timer for each answer
  timer_ = next;
  if (next != Time::max()) actions_.push_back(SetTimer{next});
}

}  // namespace coterie
