#include "node/replay_account.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace coterie {
namespace {

void add(OutcomeColumns& columns, OperationOutcome outcome) {
  ++columns.commands;
  switch (outcome) {
    case OperationOutcome::acknowledged:
      ++columns.acknowledged;
      break;
    case OperationOutcome::refused:
      ++columns.refused;
      break;
    case OperationOutcome::not_executed:
      ++columns.not_executed;
      break;
    case OperationOutcome::unknown:
      ++columns.unknown;
      break;
  }
}

std::int64_t rank(const std::vector<Duration>& sorted, std::size_t percent) {
  if (sorted.empty()) return 0;
  const std::size_t at = (sorted.size() * percent + 99) / 100;
  return std::chrono::duration_cast<std::chrono::microseconds>(
             sorted[std::max<std::size_t>(at, 1) - 1])
      .count();
}

std::string row(std::string_view name, const OutcomeColumns& columns) {
  char line[160];
  std::snprintf(line, sizeof line, "%-12.*s %9llu %13llu %9llu %13llu %9llu\n",
                static_cast<int>(name.size()), name.data(),
                static_cast<unsigned long long>(columns.commands),
                static_cast<unsigned long long>(columns.acknowledged),
                static_cast<unsigned long long>(columns.refused),
                static_cast<unsigned long long>(columns.not_executed),
                static_cast<unsigned long long>(columns.unknown));
  return line;
}

}  // namespace

ReplayAccount account_of(std::span<const OperationRecord> records, std::uint64_t in_file,
                         Duration took) {
  ReplayAccount account;
  account.in_file = in_file;
  account.took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  std::vector<Duration> latencies;
  for (const OperationRecord& record : records) {
    add(account.all, record.outcome);
    add(account.words[record.operation.word], record.outcome);
    account.tries += record.attempts;
    if (record.outcome <= OperationOutcome::refused) {
      latencies.push_back(record.completed - record.invoked);
    } else if (account.examples.size() < ReplayAccount::examples_max) {
      account.examples.push_back(
          record.operation.request_id + " (" + record.operation.word + ' ' + record.operation.key +
          "): " + std::string(to_string(record.outcome)) + ": " + record.error);
    }
  }
  std::ranges::sort(latencies);
  account.latency = {rank(latencies, 50), rank(latencies, 90), rank(latencies, 99),
                     rank(latencies, 100)};
  return account;
}

std::string to_text(const ReplayAccount& account) {
  char line[200];
  std::snprintf(line, sizeof line, "%-12s %9s %13s %9s %13s %9s\n", "", "commands", "acknowledged",
                "refused", "not executed", "unknown");
  std::string text = line;
  for (const auto& [word, columns] : account.words) text += row(word, columns);
  text += row("all", account.all);
  const auto milliseconds = [](std::int64_t us) { return static_cast<double>(us) / 1000; };
  std::snprintf(line, sizeof line,
                "answered in  p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms\n",
                milliseconds(account.latency.p50_us), milliseconds(account.latency.p90_us),
                milliseconds(account.latency.p99_us), milliseconds(account.latency.max_us));
  text += line;
  const double seconds = static_cast<double>(account.took_ms) / 1000;
  std::snprintf(line, sizeof line, "%llu commands in %.1f s, %.0f a second; %llu tries again\n",
                static_cast<unsigned long long>(account.all.commands), seconds,
                seconds > 0 ? static_cast<double>(account.all.commands) / seconds : 0.0,
                static_cast<unsigned long long>(account.tries > account.all.commands
                                                    ? account.tries - account.all.commands
                                                    : 0));
  text += line;
  if (account.all.commands < account.in_file) {
    text += std::to_string(account.in_file - account.all.commands) + " commands were not begun\n";
  }
  for (const std::string& example : account.examples) text += "! " + example + '\n';
  return text;
}

}  // namespace coterie
