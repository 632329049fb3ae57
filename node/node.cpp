#include <coterie/node.hpp>

#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "process/orphans.hpp"
#include "process/runtime.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"
#include "registry/local_names.hpp"

namespace coterie {
namespace {

std::unique_ptr<LogSink> open_sink(const LogOptions& options) {
  auto sink = open_log(options);
  if (!sink) throw std::runtime_error(sink.error());
  return std::move(*sink);
}

detail::RuntimeOptions runtime_options(const NodeOptions& options, Random& random) {
  detail::RuntimeOptions made;
  made.node = options.name;
  made.incarnation = {1, NodeId{random.next() | 1}};
  made.workers = options.workers != 0
                     ? options.workers
                     : static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  made.parked_fibers = options.parked_fibers;
  made.processes = options.processes;
  made.mailbox = options.mailbox;
  return made;
}

}  // namespace

struct Node::State {
  explicit State(const NodeOptions& options)
      : sink(open_sink(options.log)),
        log(*sink, clock, options.name, options.log_level),
        executor(clock, {.blocking_threads_max = options.blocking_threads}),
        runtime(runtime_options(options, random), {clock, random, executor, log}) {
    runtime.set_names(&names);
  }

  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<LogSink> sink;
  Log log;
  ThreadExecutor executor;
  LocalNames names;
  detail::Runtime runtime;
};

struct Attached::State {
  State(detail::Runtime& runtime, std::string label) : thread(runtime, std::move(label)) {}
  detail::AttachedThread thread;
};

Attached::Attached(std::unique_ptr<State> state) : state_(std::move(state)) {}
Attached::Attached(Attached&&) noexcept = default;
Attached::~Attached() = default;
Pid Attached::pid() const noexcept { return state_->thread.pid(); }
void Attached::use() noexcept { state_->thread.use(); }

Node::Node(NodeOptions options) : state_(std::make_unique<State>(options)) {}
Node::~Node() {
  const detail::AttachedThread here(state_->runtime, "shutdown");
  if (here.pid()) detail::warn_of_orphans(state_->runtime, std::chrono::seconds(1));
}

Attached Node::attach(std::string label) {
  return Attached(std::make_unique<Attached::State>(state_->runtime, std::move(label)));
}

}  // namespace coterie
