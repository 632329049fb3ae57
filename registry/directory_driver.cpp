#include "registry/directory_driver.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace coterie {

DirectoryDriver::DirectoryDriver(Options options, const Clock& clock, Executor& executor,
                                 Surroundings surroundings)
    : NamesDriver(options.cache_max, options.cache_bounded),
      options_(std::move(options)),
      clock_(clock),
      executor_(executor),
      out_(std::move(surroundings)),
      core_(options_.directory),
      strand_(executor.make_strand("names")) {}

DirectoryDriver::~DirectoryDriver() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    events_.clear();
  }
  executor_.wait(
      this,
      [this] {
        std::lock_guard lock(mutex_);
        return !busy_ || on_strand_;
      },
      Time::max());
  strand_.reset();
}

void DirectoryDriver::install(std::shared_ptr<const View> view) {
  post(Directory::Event(Directory::Installed{std::move(view)}));
}

void DirectoryDriver::stop(std::string why) {
  post(Directory::Event(Directory::Stop{std::move(why)}));
}

void DirectoryDriver::ask(Asked asked) {
  std::visit([this](auto& event) { post(Directory::Event(std::move(event))); }, asked);
}

bool DirectoryDriver::received(NodeId from, BytesView bytes) {
  auto messages = directory::decode(bytes);
  if (!messages) return false;
  std::vector<Event> events;
  events.reserve(messages->size());
  for (directory::Message& message : *messages) {
    events.emplace_back(Directory::Event(Directory::Received{from, std::move(message)}));
  }
  post_all(std::move(events));
  return true;
}

void DirectoryDriver::writable() {
  if (holds_back_.load()) post(Retry{});
}

void DirectoryDriver::post(Event event) {
  std::array<Event, 1> one{std::move(event)};
  post_all(std::move(one));
}

void DirectoryDriver::connected(NodeId node) {
  writable();  // what was held back for an earlier session goes first
  post(Directory::Event(Directory::Connected{node}));
}

// ---- who carries out

template <class Events>
void DirectoryDriver::post_all(Events&& events) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    posted_ += events.size();
    std::ranges::move(events, std::back_inserter(events_));
    if (busy_) return;  // whoever is at it sees them
    busy_ = true;
  }
  carry_out_all(false);
}

// Views and the end come from whoever holds locks of the node's.
bool DirectoryDriver::leave_to_strand(std::size_t carried_out,
                                      const std::vector<Event>& events) const {
  return carried_out > options_.events_of_others ||
         std::ranges::any_of(events, [](const Event& event) {
           const auto* const one = std::get_if<Directory::Event>(&event);
           return one != nullptr && (std::holds_alternative<Directory::Installed>(*one) ||
                                     std::holds_alternative<Directory::Stop>(*one));
         });
}

void DirectoryDriver::carry_out_all(bool on_strand) {
  Executor& executor = executor_;  // whoever waits for the end may destroy this object then
  std::vector<Event> events;
  for (std::size_t carried_out = 0;;) {
    std::unique_lock lock(mutex_);
    if (closed_ || events_.empty()) {
      busy_ = on_strand_ = false;
      const bool awaited = closed_;
      lock.unlock();
      if (awaited) executor.notify(this);
      return;
    }
    if (!on_strand && leave_to_strand(carried_out, events_)) {
      on_strand_ = true;
      strand_->post([this] { carry_out_all(true); });
      return;
    }
    events.clear();
    std::swap(events, events_);
    lock.unlock();
    carried_out += events.size();
    for (Event& event : events) {
      carry_out(event);
      --posted_;
    }
    flush();
  }
}

// ---- what it is

void DirectoryDriver::carry_out(Event& event) {
  if (const auto* timer = std::get_if<Timer>(&event)) {
    if (timer->number != timer_) return;  // another has been set since
    event = Directory::Event(Directory::Tick{});
  }
  auto* const one = std::get_if<Directory::Event>(&event);
  if (one == nullptr) return retry();
  auto actions = core_.step(clock_.now(), *one);
  changes_pending_.store(core_.changes_pending());
  for (Directory::Action& action : actions) perform(action);
  if (const auto* release = std::get_if<name_requests::Release>(one)) {
    released(release->name, release->epoch);
  }
}

void DirectoryDriver::perform(Directory::Action& action) {
  if (const auto* sent = std::get_if<Directory::Send>(&action)) {
    send(sent->to, sent->message);
  } else if (auto* reserved = std::get_if<name_requests::Reserved>(&action)) {
    answer(std::move(*reserved));
  } else if (auto* confirmed = std::get_if<name_requests::Confirmed>(&action)) {
    answer(std::move(*confirmed));
  } else if (auto* found = std::get_if<name_requests::Found>(&action)) {
    answer(std::move(*found));
  } else if (std::get_if<Directory::ReadView>(&action)) {
    out_.newer_view();
  } else if (const auto* silent = std::get_if<Directory::Silent>(&action)) {
    out_.silent(silent->node, true);
  } else if (const auto* spoken = std::get_if<Directory::Spoken>(&action)) {
    out_.silent(spoken->node, false);
  } else if (const auto* timer = std::get_if<Directory::SetTimer>(&action)) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    strand_->post_at(timer->at, [this, number = ++timer_] { post(Timer{number}); });
  } else if (const auto* notice = std::get_if<Directory::Notice>(&action)) {
    out_.notice(notice->text);
  }
}

void DirectoryDriver::send(NodeId to, const directory::Message& message) {
  directory::MessageWriter& writer = sending_[to];
  writer.add(message);
  if (writer.bytes() < options_.message_bytes) return;
  auto full = sending_.extract(to);
  transmit(to, full.mapped().take());
}

void DirectoryDriver::flush() {
  for (auto& [to, writer] : std::exchange(sending_, {})) transmit(to, writer.take());
}

void DirectoryDriver::transmit(NodeId to, Bytes bytes) {
  Held* held = nullptr;
  if (const auto found = held_.find(to); found != held_.end()) {
    held = &found->second;
  } else if (out_.send(to, bytes) == SendResult::busy) {
    // Room that came before this was noted is seen by the second try.
    holds_back_.store(true);
    if (out_.send(to, bytes) == SendResult::busy) held = &held_[to];
  }
  if (held == nullptr || held->bytes + bytes.size() > options_.held_bytes) return;
  // However small the window, it is waited for once for all that fits into a message.
  if (!held->messages.empty() &&
      held->messages.back().size() + bytes.size() <= options_.message_bytes) {
    Bytes& last = held->messages.back();
    held->bytes -= last.size();
    directory::append(last, bytes);
    held->bytes += last.size();
    return;
  }
  held->bytes += bytes.size();
  held->messages.push_back(std::move(bytes));
}

void DirectoryDriver::retry() {
  for (auto one = held_.begin(); one != held_.end();) {
    auto& [to, held] = *one;
    while (!held.messages.empty()) {
      const std::size_t size = held.messages.front().size();
      if (out_.send(to, held.messages.front()) == SendResult::busy) break;
      held.messages.pop_front();
      held.bytes -= size;
    }
    one = held.messages.empty() ? held_.erase(one) : std::next(one);
  }
  holds_back_.store(!held_.empty());
}

}  // namespace coterie
