#include "sim/sim_run.hpp"

#include <stdexcept>
#include <utility>

#include "process/process.hpp"
#include "sim/sim_voter_disk.hpp"

namespace coterie::sim {
namespace {

// Enough to interleave callbacks of one node with each other.
constexpr unsigned workers = 2;
// Signals and replies get into a full mailbox.
constexpr std::size_t signals_max = 10'000;

/// What the parts beside the processes hold beyond their bounds. Queues and requests are counted by
/// who keeps them at each change, so nothing passes between two looks.
std::string keeps_too_much(const NodeParts& parts) {
  if (const NamesDriver* names = parts.names_driver()) {
    const NameCache& cache = names->cache();
    if (cache.size() > cache.entries_max()) {
      return " keeps " + std::to_string(cache.size()) + " locations of names, at most " +
             std::to_string(cache.entries_max()) + " are allowed";
    }
  }
  const JournalWriter* const journal = parts.journal();
  if (journal == nullptr) return {};
  const WriterLimits& limits = journal->limits();
  for (const WriterCounters& counters : {journal->append_counters(), journal->open_counters()}) {
    if (counters.most_waiting <= limits.requests_max && counters.most_bytes <= limits.bytes_max) {
      continue;
    }
    return " had " + std::to_string(counters.most_waiting) + " requests of " +
           std::to_string(counters.most_bytes) + " bytes wait for its journal, at most " +
           std::to_string(limits.requests_max) + " and " + std::to_string(limits.bytes_max) +
           " are allowed";
  }
  if (journal->requests_beyond() > 0) {
    return " remembers " + std::to_string(journal->requests_beyond()) +
           " requests of a stream more than it may";
  }
  return {};
}

SharedPage make_page() {
  auto page = SharedPage::create();
  if (!page) throw std::runtime_error("a simulated guardian's page: " + page.error());
  return std::move(*page);
}

}  // namespace

SimRun::SimRun(SimSurroundings& around, SimRunStart start, const SimNodeClock& clock,
               const DiskTrouble& trouble, std::function<void(std::uint64_t)> raise,
               std::function<void(const NodeEnd&)> ended)
    : around_(around),
      start_(std::move(start)),
      clock_(clock),
      trouble_(trouble),
      raise_(std::move(raise)),
      ended_(std::move(ended)),
      random_(start_.seed),
      executor_(around.world, &clock),
      log_(*this, clock, start_.own.name),
      page_(make_page()) {
  page_.set_incarnation(start_.incarnation);
  around_.owners.add(start_.number, start_.own.name,
                     [this] { return parts_ ? parts_->runtime() : nullptr; });
  around_.views.add(start_.number,
                    {.node = start_.own.name,
                     .incarnation = start_.incarnation,
                     .view = [this]() -> std::shared_ptr<const View> {
                       const Agreement* agreement = parts_ ? parts_->agreement() : nullptr;
                       return agreement != nullptr ? agreement->view() : nullptr;
                     },
                     .gate_open =
                         [this] {
                           const detail::Runtime* runtime = parts_ ? parts_->runtime() : nullptr;
                           return runtime != nullptr && runtime->gate_open();
                         }});
  executor_.run_thread([this] { main(); });
}

SimRun::~SimRun() = default;

void SimRun::main() {
  NodeSurroundings out{clock_, random_, executor_, log_, *this, *this, page_};
  out.guardian_alive = [] { return true; };
  out.watch = this;
  out.protections = around_.protections;
  out.rare = around_.rare;
  out.processors = workers;
  out.os_pid = static_cast<std::int64_t>(start_.number);
  out.guardian_key = start_.guardian_key;
  parts_ =
      std::make_unique<NodeParts>(around_.config, start_.own, around_.applications, std::move(out));
  const auto started = parts_->start();
  if (started && cut_) parts_->halt();
  const NodeEnd end = started ? parts_->wait() : started.error();
  if (end.stuck) {
    // As a real program leaves it behind; its frames may still be on somebody's stack.
    static_cast<void>(parts_.release());
  }
  around_.owners.remove(start_.number);
  around_.views.remove(start_.number);
  parts_.reset();
  around_.world.post_at(around_.world.now(), [this, end] {
    const bool seen = !cut_;
    over_ = true;
    if (seen) ended_(end);  // may bury this run
  });
}

void SimRun::cut() {
  cut_ = true;
  around_.owners.remove(start_.number);
  around_.views.remove(start_.number);
  around_.links.kill(start_.incarnation.id);
  around_.doors.close(start_.own.name);
  executor_.freeze(false);
  if (parts_) parts_->halt();
}

void SimRun::request_stop() {
  if (parts_) parts_->request_stop();
}

std::expected<void, StateError> SimRun::raise_to(std::uint64_t counter) {
  if (!cut_) raise_(counter);
  return {};
}

StorageResult<StorageSet> SimRun::open_storage(const StorageOptions& options) {
  if (cut_) return std::unexpected(StorageError{StorageError::Code::unavailable, "dead", false});
  return open_sim_storage(
      around_.world, executor_, around_.store, trouble_, [this] { return !cut_; }, options.wait);
}

std::expected<std::unique_ptr<Links>, ListenError> SimRun::open_links(TransportOptions options,
                                                                      DistributionEvents& events) {
  if (cut_) return std::unexpected(ListenError{"dead"});
  return around_.links.open(
      std::move(options), executor_, events,
      {.view_set = [&views = around_.views, number = start_.number] { views.installed(number); },
       .sent = [this](const Envelope& envelope) { judge_sent(envelope); },
       .log = [this](std::string_view text) { log_.info(LogModule::transport, text); }});
}

std::expected<std::unique_ptr<ClientDoor>, ListenError> SimRun::open_clients(
    ClientListenerOptions options, ClientEvents& events, OnNotice on_notice) {
  if (cut_) return std::unexpected(ListenError{"dead"});
  return around_.doors.open(std::move(options), executor_, events, std::move(on_notice));
}

std::unique_ptr<VoterDisk> SimRun::open_voter_disk(const std::string&) {
  return std::make_unique<SimVoterDisk>(around_.world, executor_, trouble_, start_.voter_file,
                                        [this] { return !cut_; });
}

void SimRun::write(const LogRecord& record) noexcept {
  if (!cut_) around_.log(start_.own.name, record);
}

void SimRun::enter(unsigned, std::string_view name) noexcept {
  if (!cut_) around_.owners.enter(start_.number, name);
}

/// A process of a strict name does nothing outside of its node without a lease.
void SimRun::judge_sent(const Envelope& envelope) {
  const bool asked = envelope.signal == Signal::send || envelope.signal == Signal::cast ||
                     envelope.signal == Signal::call;
  if (!asked || !parts_ || parts_->runtime() == nullptr || parts_->agreement() == nullptr) return;
  const detail::Process* from = parts_->runtime()->find(envelope.from);
  if (from == nullptr || !from->strict()) return;
  ++around_.effects;
  const Time end = parts_->agreement()->lease_end();
  if (clock_.now() < end) return;
  around_.violation("I11 " + std::string(from->strict_name()) + " on " + start_.own.name +
                    " sends without a lease");
}

std::string SimRun::beyond_bounds() const {
  detail::Runtime* const runtime = parts_ ? parts_->runtime() : nullptr;
  if (runtime == nullptr) return {};
  const std::size_t most = around_.config.mailbox.messages;
  for (const Pid& pid : runtime->list()) {
    const detail::Process* process = runtime->find(pid);
    if (process != nullptr && process->queued() > most + signals_max) {
      return "a mailbox of " + start_.own.name + " holds " + std::to_string(process->queued()) +
             " messages";
    }
  }
  if (std::string text = keeps_too_much(*parts_); !text.empty()) return start_.own.name + text;
  const auto view = parts_->agreement() != nullptr ? parts_->agreement()->view() : nullptr;
  if (view && view->tombstones.size() > around_.config.nodes.size()) {
    return "view " + std::to_string(view->number) + " has " +
           std::to_string(view->tombstones.size()) + " tombstones";
  }
  return {};
}

}  // namespace coterie::sim
