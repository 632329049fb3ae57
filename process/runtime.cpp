#include "process/runtime.hpp"

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include "process/context.hpp"
#include "process/exit_cause.hpp"
#include "process/misuse.hpp"
#include "process/slab.hpp"

namespace coterie::detail {

Runtime::Runtime(RuntimeOptions options, RuntimePorts ports)
    : options_(std::move(options)),
      ports_(ports),
      segments_((options_.processes + segment_slots - 1) / segment_slots) {
  install_terminate_handler();
  prepare_biased_locks();
  monitor_ = ports_.executor.make_strand("monitor");
  monitor_strand_ = monitor_.get();
  const unsigned workers = std::max(1u, options_.workers);
  for (unsigned i = 0; i < workers; ++i) workers_.push_back(std::make_unique<Worker>(*this, i));
  seen_.resize(workers);
  for (unsigned i = 0; i < workers; ++i) {
    ports_.executor.add(*workers_[i], "worker-" + std::to_string(i));
    added_.push_back(workers_[i].get());
  }
}

Runtime::~Runtime() {
  if (!stop()) misuse("node", "destroyed while a callback or a job of blocking() does not return");
  if (attached_.load() != 0) misuse("node", "destroyed while a thread is attached");
  workers_.clear();
  for (std::uint32_t i = 0; i < slots_made_; ++i) slot(i)->~Process();
  for (auto& segment : segments_) {
    if (std::byte* slab = segment.load()) give_slab(slab, segment_slots * sizeof(Process));
  }
}

bool Runtime::stop() {
  if (monitor_ == nullptr) return true;
  // Sequentially consistent with life_: spawn() sees this, or list() sees its process.
  stopping_.store(true);
  // Their destructors run. Whoever spawns meanwhile is refused, so this ends.
  for (const Pid& pid : list()) signal({}, pid, Signal::exit, Ref::none, ExitReason::kill());
  const Time end = wait_for_the_last();
  blocking_->close();
  // One worker may have used up the time; those that are not stuck get a moment all the same.
  const Time last = std::max(end, after(clock().now(), options_.stop_max / 10));
  std::erase_if(added_, [&](Worker* worker) { return ports_.executor.remove(*worker, last); });
  const bool stuck = !added_.empty() || !blocking_->none();
  if (stuck || process_count() != 0) report_unended(stuck);
  if (stuck) return false;
  monitor_.reset();  // after the last worker that could arm it
  return true;
}

/// For as long as processes end: a million of them, or a busy machine, take their time. Returns
/// when the wait was to end: `stop_max` after the last process of which it knows.
Time Runtime::wait_for_the_last() {
  // Pairs with the addition of zero in worker_rests(): whichever comes second sees the other's
  // writes, so either that worker sees `stopping_`, or this thread all that ended there.
  counts_.freed.fetch_add(0, std::memory_order_acq_rel);
  const auto ended = [this] { return process_count() == 0 && blocking_->none(); };
  std::uint64_t freed = sum(&Worker::Counts::freed);
  Time end = after(clock().now(), options_.stop_max);
  while (!ended() && clock().now() < end) {
    ports_.executor.wait(&counts_, ended,
                         std::min(end, after(clock().now(), options_.stop_max / 8)));
    const std::uint64_t now_freed = sum(&Worker::Counts::freed);
    if (now_freed == freed) continue;
    freed = now_freed;
    end = after(clock().now(), options_.stop_max);
  }
  return end;
}

void Runtime::worker_rests() {
  counts_.freed.fetch_add(0, std::memory_order_acq_rel);
  if (stopping_.load(std::memory_order_relaxed)) ports_.executor.notify(&counts_);
}

void Runtime::report_unended(bool stuck) {
  std::string processes;
  for (const Pid& pid : list()) {
    if (is_thread(pid)) continue;
    if (processes.size() > 200) {
      processes += " ...";
      break;
    }
    processes += (processes.empty() ? "" : " ") + to_string(pid, node());
  }
  log().error(LogModule::process,
              stuck ? "a callback or a job of blocking() does not return: this node cannot be "
                      "stopped, only left behind by the end of its program"
                    : "processes did not end in time: their destructors are not run",
              {{"workers", added_.size()}, {"processes", processes}});
}

// ---- blocking jobs

void Runtime::run_blocking(std::move_only_function<void()> job) {
  // After end() the runtime may be gone: what follows is the executor's.
  ports_.executor.run_blocking([jobs = blocking_, &executor = ports_.executor, key = &counts_,
                                job = std::move(job)]() mutable {
    if (!jobs->begin()) return;
    job();
    job = nullptr;  // what it holds may be of those that outlive the runtime only just
    jobs->end();
    executor.notify(key);
  });
}

// ---- slots

Process* Runtime::claim_slot(bool for_thread) {
  Worker* here = own_worker();
  if (here != nullptr && !for_thread) {
    // A free slot may be busy for a moment, bouncing a late message: then another one serves.
    if (Process* process = here->take_free_slot()) {
      if (process->mailbox_.claim()) return process;
      std::lock_guard guard(slots_lock_);
      free_slots_.push_back(process->slot_);
    }
  }
  std::lock_guard guard(slots_lock_);
  auto& free = for_thread ? free_thread_slots_ : free_slots_;
  for (std::size_t tries = std::min<std::size_t>(free.size(), 8); tries > 0; --tries) {
    const std::uint32_t index = free.front();
    free.pop_front();
    Process* process = slot(index);
    if (process->mailbox_.claim()) return process;
    free.push_back(index);
  }
  if (slots_made_ >= options_.processes) return nullptr;
  auto& segment = segments_[slots_made_ / segment_slots];
  if (segment.load(std::memory_order_relaxed) == nullptr) {
    segment.store(static_cast<std::byte*>(take_slab(segment_slots * sizeof(Process))),
                  std::memory_order_release);
  }
  auto* process = new (segment.load() + slots_made_ % segment_slots * sizeof(Process))
      Process(*this, slots_made_, for_thread);
  process->life_.store(std::uint64_t{1} << 1, std::memory_order_relaxed);
  slots_bound_.store(++slots_made_);
  return process;
}

void Runtime::free_slot(Process& process) {
  const bool attached = process.for_thread_;
  if (attached) attached_.fetch_sub(1);
  // A pid is never reused: a slot that has run out of generations is retired.
  if (process.generation() != UINT32_MAX) {
    Worker* here = own_worker();
    if (attached || here == nullptr || !here->keep_free_slot(process)) {
      std::lock_guard guard(slots_lock_);
      (attached ? free_thread_slots_ : free_slots_).push_back(process.slot_);
    }
  }
  if (!attached) tally(&Worker::Counts::freed);
}

// ---- how many there are

/// Each worker counts for itself: spawning would wait for the other processors otherwise.
void Runtime::tally(std::atomic<std::uint64_t> Worker::Counts::*counter) noexcept {
  if (Worker* here = own_worker()) {
    Worker::Counts::add(here->counts_.*counter);
  } else {
    (counts_.*counter).fetch_add(1, std::memory_order_release);
  }
}

std::uint64_t Runtime::sum(std::atomic<std::uint64_t> Worker::Counts::*counter) const noexcept {
  std::uint64_t all = (counts_.*counter).load(std::memory_order_acquire);
  for (const auto& worker : workers_) {
    all += (worker->counts().*counter).load(std::memory_order_acquire);
  }
  return all;
}

void Runtime::note_exit() noexcept { tally(&Worker::Counts::exited); }
std::uint64_t Runtime::spawned() const noexcept { return sum(&Worker::Counts::spawned); }
std::uint64_t Runtime::exited() const noexcept { return sum(&Worker::Counts::exited); }

std::size_t Runtime::process_count() const noexcept {
  // In this order: whoever is counted here is counted as spawned.
  const std::uint64_t others =
      sum(&Worker::Counts::freed) + threads_.load(std::memory_order_acquire);
  return static_cast<std::size_t>(spawned() - others);
}

Worker* Runtime::own_worker() noexcept {
  Worker* here = running_worker();
  return here != nullptr && &here->runtime() == this ? here : nullptr;
}

Process* Runtime::find(const Pid& pid) noexcept {
  Process* process = find_slot(pid);
  const auto generation = static_cast<std::uint32_t>(pid.serial >> 32);
  return process != nullptr && process->alive(generation) ? process : nullptr;
}

bool Runtime::is_thread(const Pid& pid) noexcept {
  return slot(static_cast<std::uint32_t>(pid.serial) - 1)->for_thread_;
}

std::vector<Pid> Runtime::list() {
  std::vector<Pid> pids;
  const std::uint32_t made = slots_bound_.load();
  for (std::uint32_t i = 0; i < made; ++i) {
    Process* process = slot(i);
    const Pid pid = process->pid();
    // Sequentially consistent with stopping_: see stop().
    if (process->life_.load() == Process::living(static_cast<std::uint32_t>(pid.serial >> 32))) {
      pids.push_back(pid);
    }
  }
  return pids;
}

Pid Runtime::spawn(SpawnRequest request) {
  if (stopping_.load()) return {};
  Process* process = claim_slot(request.attached != nullptr);
  if (process == nullptr) return {};
  tally(&Worker::Counts::spawned);
  if (request.attached != nullptr) {
    attached_.fetch_add(1);
    threads_.fetch_add(1, std::memory_order_release);
  }
  process->home_.store(nullptr, std::memory_order_relaxed);
  process->behaviour_ = std::move(request.behaviour);
  process->set_limits(request.options.mailbox.value_or(options_.mailbox));
  process->trap_exit_ = request.options.trap_exit;
  process->attached_ = request.attached;
  process->started_ = request.attached != nullptr;
  const Pid pid = process->pid();
  process->ancestors_ = std::move(request.ancestors);
  // A parent is the nearest ancestor.
  process->has_parent_ = static_cast<bool>(request.parent);
  if (!request.options.label.empty()) {
    process->names().label = std::move(request.options.label);
  }
  if (request.link) process->add_link(request.parent);
  if (request.monitor != Ref::none) {
    process->relations().monitored_by.insert({request.parent, request.monitor});
  }
  process->life_.store(Process::living(process->generation()));
  if (request.attached != nullptr) return pid;
  worker_for_new_work().push_new(*process);
  if (stopping_.load()) signal({}, pid, Signal::exit, Ref::none, ExitReason::kill());
  return pid;
}

void Runtime::schedule(Process& process) {
  if (Worker* home = process.home_.load(std::memory_order_relaxed)) {
    home->push(process, true);
  } else {
    worker_for_new_work().push(process, false);
  }
}

Worker& Runtime::worker_for_new_work() noexcept {
  if (Worker* here = own_worker()) return *here;
  // From a thread of somebody else's: an idle worker, or else the next.
  const unsigned turn = next_worker_.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[(turn + i) % workers_.size()];
    if (worker.idle()) return worker;
  }
  return *workers_[turn % workers_.size()];
}

/// Something waits behind a busy worker: one idle worker is worth its wake-up.
void Runtime::wake_helper(Worker& busy) {
  busy.ask_for_help();
  for (const auto& worker : workers_) {
    if (worker.get() == &busy || !worker->idle()) continue;
    ports_.executor.wake(*worker);
    return;
  }
}

std::size_t Runtime::parked() const noexcept {
  std::size_t sum = 0;
  for (const auto& worker : workers_) sum += worker->parked();
  return sum;
}

Ref Runtime::make_ref() noexcept {
  if (Worker* here = own_worker()) return here->make_ref();
  return Ref{next_ref_.fetch_add(1, std::memory_order_relaxed)};
}

// ---- local names

bool Runtime::register_name(const std::string& name, const Pid& pid) {
  std::lock_guard guard(names_lock_);
  return local_names_.try_emplace(name, pid).second;
}

bool Runtime::unregister_name(const std::string& name, const Pid& pid) {
  std::lock_guard guard(names_lock_);
  auto found = local_names_.find(name);
  if (found == local_names_.end() || found->second != pid) return false;
  local_names_.erase(found);
  return true;
}

std::optional<Pid> Runtime::whereis(std::string_view name) const {
  std::shared_lock guard(names_lock_);
  auto found = local_names_.find(std::string(name));
  return found == local_names_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Runtime::registered() const {
  std::vector<std::string> names;
  {
    std::shared_lock guard(names_lock_);
    names.reserve(local_names_.size());
    for (const auto& [name, holder] : local_names_) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string Runtime::name_of(const Pid& pid) const {
  std::shared_lock guard(names_lock_);
  for (const auto& [name, holder] : local_names_) {
    if (holder == pid) return name;
  }
  return {};
}

// ---- the gate

bool Runtime::strict_running() const noexcept {
  for (const auto& worker : workers_) {
    if (worker->runs_strict()) return true;
  }
  return false;
}

bool Runtime::hold(Process& process) {
  std::lock_guard guard(held_lock_);
  if (gate_open()) return false;
  held_.insert(process.pid());
  return true;
}

bool Runtime::hold(const Ticket& ticket) {
  std::lock_guard guard(held_lock_);
  if (gate_open()) return false;
  held_tickets_.push_back(ticket);
  return true;
}

void Runtime::gate_moved() {
  std::set<Pid> held;
  std::vector<Ticket> tickets;
  {
    std::lock_guard guard(held_lock_);
    if (!gate_open()) return;
    held.swap(held_);
    tickets.swap(held_tickets_);
  }
  std::vector<Pid> busy;
  for (const Pid& pid : held) {
    Process* process = find(pid);
    if (process == nullptr) continue;
    if (process->mailbox_.claim()) {
      schedule(*process);
    } else {
      busy.push_back(pid);
    }
  }
  if (!busy.empty()) {
    // A worker has it: perhaps between hold() and release(), and then this would be lost on it.
    std::lock_guard guard(held_lock_);
    held_.insert(busy.begin(), busy.end());
  }
  for (const Ticket& ticket : tickets) complete(ticket, make_message(MessageKind::reply, true));
}

void Runtime::fence() {
  for (const Pid& pid : list()) {
    signal({}, pid, Signal::fence, Ref::none, ExitReason::shutdown("fenced"));
  }
}

}  // namespace coterie::detail
