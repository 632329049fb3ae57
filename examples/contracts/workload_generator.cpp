#include "examples/contracts/workload_generator.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "examples/contracts/timestamp.hpp"

namespace contracts {
namespace {

std::string numbered(const char* format, std::uint64_t number) {
  char text[64];
  std::snprintf(text, sizeof text, format, static_cast<unsigned long long>(number));
  return text;
}

std::string contract_name(std::size_t index) { return numbered("contract-%llu", index); }

/// Tries to find a contract that accepts a drawn operation; more would only cost time.
constexpr int tries_max = 24;

}  // namespace

WorkloadGenerator::WorkloadGenerator(GeneratorOptions options)
    : options_(std::move(options)),
      state_(options_.seed),
      first_at_(parse_timestamp(options_.first_at).value()),
      contracts_(std::max<std::size_t>(1, options_.contracts)) {}

// splitmix64 (Steele, Lea, Flood 2014): the standard library's distributions are not the same on
// every machine, and these draws must be.
std::uint64_t WorkloadGenerator::draw() {
  state_ += 0x9E3779B97F4A7C15ull;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

std::uint64_t WorkloadGenerator::below(std::uint64_t bound) { return draw() % bound; }

std::string WorkloadGenerator::next_at() {
  return format_timestamp(first_at_ + std::chrono::seconds(clock_s_++));
}

WorkloadCommand WorkloadGenerator::make(std::size_t index, Command command) {
  WorkloadCommand made{numbered("r-%06llu", made_++), contract_name(index), std::move(command)};
  std::ignore = perform(contracts_[index], made.command);
  return made;
}

WorkloadCommand WorkloadGenerator::start(std::size_t index) {
  if (index >= contracts_.size()) contracts_.resize(index + 1);
  const auto cost = static_cast<std::int64_t>(1'000 * (1 + below(100'000)));
  const Start start{contract_name(index), numbered("c-%llu", below(1'000)), cost, cost / 10,
                    next_at()};
  if (!contracts_[index]) started_.push_back(index);
  return make(index, start);
}

WorkloadGenerator::Kind WorkloadGenerator::draw_kind() {
  const Mix& mix = options_.mix;
  const std::array<std::uint64_t, 6> weights{mix.approve, mix.reject, mix.disburse,
                                             mix.pay,     mix.get,    mix.invalid};
  std::uint64_t sum = 0;
  for (const std::uint64_t weight : weights) sum += weight;
  if (sum == 0) return Kind::get;
  std::uint64_t drawn = below(sum);
  for (std::size_t kind = 0; kind < weights.size(); ++kind) {
    if (drawn < weights[kind]) return static_cast<Kind>(kind);
    drawn -= weights[kind];
  }
  return Kind::get;
}

bool WorkloadGenerator::accepts(std::size_t index, Kind kind) const {
  const State state = contracts_[index]->state;
  switch (kind) {
    case Kind::approve:
      return next_state(state, Operation::approve, false).has_value();
    case Kind::reject:
      return next_state(state, Operation::reject, false).has_value();
    case Kind::disburse:
      return next_state(state, Operation::disburse, false).has_value();
    case Kind::pay:
      return next_state(state, Operation::pay, false).has_value();
    case Kind::get:
    case Kind::invalid:
      return true;
  }
  return true;
}

Command WorkloadGenerator::valid_command(std::size_t index, Kind kind) {
  switch (kind) {
    case Kind::approve:
      return Approve{next_at()};
    case Kind::reject:
      return Reject{below(2) == 0 ? "incomplete" : "withdrawn by the customer", next_at()};
    case Kind::disburse:
      return Disburse{next_at()};
    case Kind::pay: {
      // About a third of the total, and the exact rest when that is what is left.
      const Contract& contract = *contracts_[index];
      const std::int64_t rest = contract.total_amount - total_paid(contract);
      const auto part = static_cast<std::int64_t>(
          1 + below(static_cast<std::uint64_t>(contract.total_amount) * 2 / 3 + 1));
      return Pay{rest > 0 ? std::min(rest, part) : part, next_at()};
    }
    case Kind::get:
      return Get{};
    case Kind::invalid:
      return invalid_command(index);
  }
  return Get{};
}

Command WorkloadGenerator::invalid_command(std::size_t index) {
  const Contract& contract = *contracts_[index];
  switch (below(4)) {
    case 0:
      return Start{contract_name(index), "c-0", 5'000, 500, next_at()};
    case 1:
      return Pay{-static_cast<std::int64_t>(below(1'000)), next_at()};
    case 2:
      // Beside an earlier payment the sum is out of range.
      return Pay{contract.payments.empty() ? 0 : std::numeric_limits<std::int64_t>::max(),
                 next_at()};
    default:
      if (!next_state(contract.state, Operation::approve, false)) return Approve{next_at()};
      return Disburse{next_at()};
  }
}

WorkloadCommand WorkloadGenerator::next_for(std::size_t index) {
  Kind kind = draw_kind();
  if (!accepts(index, kind)) kind = draw_kind();
  return make(index, valid_command(index, kind));
}

WorkloadCommand WorkloadGenerator::next() {
  const Kind kind = draw_kind();
  std::size_t index = started_[below(started_.size())];
  for (int i = 0; i < tries_max && !accepts(index, kind); ++i) {
    index = started_[below(started_.size())];
  }
  return make(index, valid_command(index, kind));
}

Workload make_workload(std::uint64_t seed, std::size_t contracts, std::size_t commands,
                       const Mix& mix) {
  contracts = std::max<std::size_t>(1, contracts);
  WorkloadGenerator generator({.seed = seed, .contracts = contracts, .mix = mix});
  Workload workload;
  workload.reserve(contracts + commands);
  std::size_t started = 0;
  while (started < std::max<std::size_t>(1, contracts / 5)) {
    workload.push_back(generator.start(started++));
  }
  for (std::size_t done = 0; done < commands; ++done) {
    // Linear from a fifth at the beginning to all of them halfway.
    while (started < contracts &&
           (started - contracts / 5) * commands <= 2 * done * (contracts - contracts / 5)) {
      workload.push_back(generator.start(started++));
    }
    workload.push_back(generator.next());
  }
  while (started < contracts) workload.push_back(generator.start(started++));
  return workload;
}

}  // namespace contracts
