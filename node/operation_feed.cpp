#include "node/operation_feed.hpp"

#include <utility>

namespace coterie {

RecordedFeed::RecordedFeed(std::vector<WorkloadOperation> operations)
    : operations_(std::move(operations)), left_(operations_.size()) {
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    auto [found, first] = waiting_.try_emplace(operations_[i].key);
    if (first) {
      ready_.push(i);
    } else {
      found->second.push(i);
    }
  }
}

std::optional<WorkloadOperation> RecordedFeed::next() {
  if (ready_.empty()) return std::nullopt;
  const std::size_t index = ready_.top();
  ready_.pop();
  --left_;
  return std::move(operations_[index]);
}

void RecordedFeed::ended(const std::string& key) {
  auto& waiting = waiting_.find(key)->second;
  if (waiting.empty()) return;
  ready_.push(waiting.front());
  waiting.pop();
}

DrawnFeed::DrawnFeed(Workload::Source& source, std::vector<std::string> keys, std::uint64_t seed)
    : source_(source), random_(seed) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    idle_.push_back(i);
    index_.emplace(std::move(keys[i]), i);
  }
}

std::optional<WorkloadOperation> DrawnFeed::next() {
  if (idle_.empty()) return std::nullopt;
  std::swap(idle_[random_.below(idle_.size())], idle_.back());
  const std::size_t index = idle_.back();
  idle_.pop_back();
  return source_.next(index);
}

void DrawnFeed::ended(const std::string& key) { idle_.push_back(index_.find(key)->second); }

std::vector<WorkloadOperation> starts(Workload::Source& source, std::size_t keys) {
  std::vector<WorkloadOperation> list;
  list.reserve(keys);
  for (std::size_t i = 0; i < keys; ++i) list.push_back(source.start(i));
  return list;
}

}  // namespace coterie
