#include "sim/failover_workloads.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "node/workload_file.hpp"
#include "process/duration_text.hpp"
#include "process/seeded_random.hpp"
#include "sim/failover_feed.hpp"
#include "sim/toml_tree.hpp"

namespace coterie::sim {
namespace {

constexpr Duration look_interval = std::chrono::milliseconds(20);

/// Keys of a source from number `first` on: the ones before are another workload's.
class SourceFrom final : public Workload::Source {
 public:
  SourceFrom(std::unique_ptr<Workload::Source> source, std::size_t first)
      : source_(std::move(source)), first_(first) {}
  WorkloadOperation start(std::size_t index) override { return source_->start(first_ + index); }
  WorkloadOperation next(std::size_t index) override { return source_->next(first_ + index); }

 private:
  std::unique_ptr<Workload::Source> source_;
  std::size_t first_;
};

}  // namespace

struct FailoverWorkloads::One {
  const Workload* workload = nullptr;
  const WorkloadChoice* choice = nullptr;
  std::vector<WorkloadOperation> file;  // all its commands; empty: they are drawn
  std::unique_ptr<Workload::Source> source;
  std::uint64_t seed = 0;

  std::vector<std::string> keys;
  std::vector<WorkloadOperation> starts;
  std::vector<WorkloadOperation> rest;  // of a file
  std::unique_ptr<WorkloadCaller> caller;
  std::unique_ptr<WorkloadCaller> reader;  // through all nodes; null: `caller` is that
  std::unique_ptr<OperationFeed> feed;
  std::unique_ptr<WorkloadDriver> driver;  // destroyed before feed and caller

  /// What there is at the end is not only what can be seen through the clients' nodes.
  WorkloadCaller& at_the_end() { return reader ? *reader : *caller; }

  std::vector<OperationRecord> records;  // starts, commands and reads
  std::map<std::string, Bytes, std::less<>> last_answers;
  std::vector<Bytes> audit_replies;
  std::string audit_error;
};

FailoverWorkloads::FailoverWorkloads(const Clock& clock, Executor& executor,
                                     const FailoverPlan& plan, Connect connect,
                                     std::function<bool(Duration)> wait)
    : clock_(clock),
      executor_(executor),
      plan_(plan),
      connect_(std::move(connect)),
      wait_(std::move(wait)) {}

FailoverWorkloads::~FailoverWorkloads() = default;

std::expected<std::unique_ptr<FailoverWorkloads>, std::string> FailoverWorkloads::make(
    const Clock& clock, Executor& executor, const FailoverPlan& plan, Connect connect,
    std::uint64_t seed, std::function<bool(Duration)> wait) {
  std::unique_ptr<FailoverWorkloads> load(
      new FailoverWorkloads(clock, executor, plan, std::move(connect), std::move(wait)));
  SeededRandom seeds(seed);
  std::map<std::string, std::size_t> drawn;  // keys of a kind, all its workloads so far
  std::map<std::string, std::set<std::string>> taken;
  for (const WorkloadChoice& choice : plan.scenario.workloads) {
    auto one = std::make_unique<One>();
    one->workload = plan.workloads.find(choice.kind.text)->second;
    one->choice = &choice;
    one->seed = seeds.split();
    if (choice.file) {
      if (auto read = read_file(*one, plan.scenario.file); !read) {
        return std::unexpected(read.error());
      }
    } else {
      draw(*one, drawn[choice.kind.text]);
    }
    for (const std::string& key : one->keys) {
      // Two models that do not know of each other's commands would call the other's a violation.
      if (taken[choice.kind.text].insert(key).second) continue;
      return std::unexpected(placed(plan.scenario.file, choice.place,
                                    "two workloads of the kind \"" + choice.kind.text +
                                        "\" have the name \"" + key +
                                        "\"; put its commands into one of them"));
    }
    load->all_.push_back(std::move(one));
  }
  return load;
}

std::expected<void, std::string> FailoverWorkloads::read_file(One& one,
                                                              const std::string& scenario) {
  const Placed& file = *one.choice->file;
  const std::string path = beside(scenario, file.text);
  auto commands = read_workload_file(*one.workload, path);
  if (!commands) {
    const bool unread = commands.error().starts_with(path + ": ");
    return std::unexpected(unread ? placed(scenario, file.place, commands.error())
                                  : commands.error());
  }
  one.file = *std::move(commands);
  // The first command of a key is what brings it into being.
  std::set<std::string, std::less<>> seen;
  for (const WorkloadOperation& command : one.file) {
    const bool first = seen.insert(command.key).second;
    if (first) one.keys.push_back(command.key);
    (first ? one.starts : one.rest).push_back(command);
  }
  return {};
}

void FailoverWorkloads::draw(One& one, std::size_t& first) {
  std::map<std::string, std::uint64_t> weights;
  for (const auto& [word, weight] : one.choice->ops) {
    weights[word] = static_cast<std::uint64_t>(weight);
  }
  const auto keys = static_cast<std::size_t>(one.choice->keys);
  one.source = std::make_unique<SourceFrom>(one.workload->source(one.seed, weights), first);
  one.starts = starts(*one.source, keys);
  for (const WorkloadOperation& start : one.starts) one.keys.push_back(start.key);
  first += keys;
}

/// All of a list, one command per key at a time. Ends early when somebody wants to end.
std::vector<OperationRecord> FailoverWorkloads::drive(const One& one, WorkloadCaller& caller,
                                                      std::vector<WorkloadOperation> operations,
                                                      Duration give_up_after) {
  RecordedFeed feed(std::move(operations));
  DriveOptions options;
  options.clients = options_.clients_at_once;
  options.attempt_timeout = options_.attempt;
  options.give_up_after = give_up_after;
  WorkloadDriver driver(*one.workload, feed, caller, clock_, executor_, options);
  driver.start();
  while (!driver.wait_for(Duration::zero()) && wait_(look_interval)) {
  }
  driver.stop();
  return driver.wait();
}

std::expected<void, std::string> FailoverWorkloads::start_names() {
  for (const auto& one : all_) {
    std::vector<std::string> through;
    for (const Placed& node : one->choice->on) through.push_back(node.text);
    auto caller = connect_(through.empty() ? plan_.nodes : through);
    if (!caller) return std::unexpected(caller.error());
    one->caller = *std::move(caller);
    if (!through.empty()) {
      auto reader = connect_(plan_.nodes);
      if (!reader) return std::unexpected(reader.error());
      one->reader = *std::move(reader);
    }
    one->records = drive(*one, *one->caller, one->starts, options_.start_wait);
    std::size_t bad = one->starts.size() - one->records.size();
    std::string example = "interrupted";
    for (const OperationRecord& record : one->records) {
      if (record.outcome == OperationOutcome::acknowledged) continue;
      if (record.outcome == OperationOutcome::refused && one->source == nullptr) continue;
      ++bad;
      example = record.operation.key + ": " + std::string(to_string(record.outcome)) +
                (record.error.empty() ? std::string() : ", " + record.error);
    }
    if (bad > 0) {
      return std::unexpected(std::to_string(bad) + " of " + std::to_string(one->starts.size()) +
                             " " + one->choice->kind.text + " (" + example + ")");
    }
  }
  return {};
}

void FailoverWorkloads::begin() {
  for (const auto& one : all_) {
    if (one->source == nullptr) {
      one->feed = std::make_unique<RecordedFeed>(one->rest);
    } else {
      one->feed = std::make_unique<SideBySideFeed>(*one->source, one->keys.size(), one->seed);
    }
    DriveOptions options;
    options.clients = static_cast<std::size_t>(one->choice->clients);
    options.rate = static_cast<double>(one->choice->rate);
    options.attempt_timeout = options_.attempt;
    options.give_up_after = options_.deadline;
    one->driver = std::make_unique<WorkloadDriver>(*one->workload, *one->feed, *one->caller, clock_,
                                                   executor_, options);
    one->driver->start();
  }
}

void FailoverWorkloads::end() {
  for (const auto& one : all_) one->driver->stop();
  for (const auto& one : all_) {
    std::vector<OperationRecord> records = one->driver->wait();
    one->records.insert(one->records.end(), std::make_move_iterator(records.begin()),
                        std::make_move_iterator(records.end()));
  }
}

void FailoverWorkloads::read_all(Time until) {
  for (const auto& one : all_) {
    std::vector<WorkloadOperation> reads;
    for (const std::string& key : one->keys) reads.push_back(one->workload->last_read(key));
    const Duration left = std::max<Duration>(until - clock_.now(), std::chrono::seconds(1));
    std::vector<OperationRecord> records = drive(*one, one->at_the_end(), std::move(reads), left);
    one->last_answers = last_answers(records);
    one->records.insert(one->records.end(), std::make_move_iterator(records.begin()),
                        std::make_move_iterator(records.end()));
    for (const WorkloadCall& call : one->workload->audit_calls()) {
      auto reply = call_until(one->at_the_end(), executor_, clock_, call, {}, left);
      if (!reply) {
        one->audit_error = call.type + " is not answered: " + to_string(reply.error());
        break;
      }
      one->audit_replies.push_back(*std::move(reply));
    }
  }
}

std::vector<WorkloadEvidence> FailoverWorkloads::evidence(Time begin) const {
  std::vector<WorkloadEvidence> list;
  std::uint64_t first_client = 0;
  for (const auto& one : all_) {
    WorkloadEvidence evidence;
    evidence.kind = one->choice->kind.text;
    evidence.model = &one->workload->model();
    evidence.last_answers = one->last_answers;
    for (const OperationRecord& record : one->records) {
      evidence.history.push_back(operation_of(record, begin, first_client));
    }
    first_client +=
        std::max(static_cast<std::size_t>(one->choice->clients), options_.clients_at_once);
    list.push_back(std::move(evidence));
  }
  return list;
}

std::vector<std::string> FailoverWorkloads::audit() const {
  std::vector<std::string> lines;
  const auto add = [&](std::vector<std::string> found) {
    lines.insert(lines.end(), std::make_move_iterator(found.begin()),
                 std::make_move_iterator(found.end()));
  };
  for (const auto& one : all_) {
    if (!one->audit_error.empty()) {
      lines.push_back(one->audit_error);
    } else {
      add(one->workload->audit(one->audit_replies, one->last_answers, unknown_keys(one->records)));
    }
    // A file can be compared with one thread's result only if every command has a known outcome.
    const auto known = std::ranges::count_if(one->records, [](const OperationRecord& record) {
      return record.outcome <= OperationOutcome::refused;
    });
    const std::size_t commands = one->file.size() + one->keys.size();
    if (!one->file.empty() && std::cmp_equal(known, commands)) {
      add(one->workload->compare(one->file, one->last_answers));
    }
  }
  return lines;
}

}  // namespace coterie::sim
