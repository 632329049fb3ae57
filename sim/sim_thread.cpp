#include "sim/sim_thread.hpp"

#include <stdexcept>
#include <utility>

namespace coterie::sim {
namespace {
// Of address space. A node's start, the deepest of them, touches less than a tenth of it.
constexpr std::size_t stack_bytes = std::size_t{512} << 10;
}  // namespace

SimThread::SimThread(SimWorld& world) : world_(world), fiber_(stack_bytes, &entry, this) {}

SimThread::~SimThread() {
  // Frames of a job that still waits are never unwound: what they hold is leaked, not freed.
  if (busy_) fiber_.keep_alive();
}

void SimThread::begin(Job job) {
  job_ = std::move(job);
  busy_ = true;
  enter();
}

void SimThread::resume() { enter(); }

void SimThread::enter() {
  if (world_.thread_ != nullptr) {
    throw std::logic_error("a simulated thread was resumed inside another one");
  }
  notified = false;
  world_.thread_ = this;
  detail::Process* outside = detail::set_running_process(process_);
  world_.root_.switch_to(fiber_);
  process_ = detail::set_running_process(outside);
  world_.thread_ = nullptr;
}

void SimThread::yield() { fiber_.switch_to(world_.root_); }

void SimThread::entry(void* self) {
  auto& thread = *static_cast<SimThread*>(self);
  for (;;) {
    thread.job_();
    thread.job_ = nullptr;
    thread.busy_ = false;
    thread.yield();
  }
}

}  // namespace coterie::sim
