#pragma once
// What a replay came to, exactly: every command in one of four columns, and how long the answered
// ones took. Pure.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "node/workload_record.hpp"

namespace coterie {

struct OutcomeColumns {
  std::uint64_t commands = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  std::uint64_t not_executed = 0;
  std::uint64_t unknown = 0;
  friend bool operator==(const OutcomeColumns&, const OutcomeColumns&) = default;
};

/// Of the answered commands, from the first try to the answer; by nearest rank.
struct LatencyAccount {
  std::int64_t p50_us = 0;
  std::int64_t p90_us = 0;
  std::int64_t p99_us = 0;
  std::int64_t max_us = 0;
  friend bool operator==(const LatencyAccount&, const LatencyAccount&) = default;
};

struct ReplayAccount {
  std::uint64_t in_file = 0;
  OutcomeColumns all;
  std::map<std::string, OutcomeColumns> words;
  std::uint64_t tries = 0;
  std::int64_t took_ms = 0;
  LatencyAccount latency;
  std::vector<std::string> examples;  // of commands that were not answered, at most examples_max

  static constexpr std::size_t examples_max = 10;
  /// Every command of the file ended acknowledged or refused.
  bool complete() const noexcept { return all.acknowledged + all.refused == in_file; }
};

ReplayAccount account_of(std::span<const OperationRecord> records, std::uint64_t in_file,
                         Duration took);
/// A table and a few lines.
std::string to_text(const ReplayAccount& account);

}  // namespace coterie
