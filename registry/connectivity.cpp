#include "registry/connectivity.hpp"

#include <cstddef>

namespace coterie {
namespace {

// Branches on the member with the most broken pairs: either it goes, or all that it does not hear.
class GroupSearch final {
 public:
  explicit GroupSearch(std::vector<std::vector<bool>> broken)
      : broken_(std::move(broken)), kept_(broken_.size(), true) {}

  std::vector<bool> best() {
    search(broken_.size());
    return best_;
  }

 private:
  static constexpr int steps_max = 20'000;  // beyond this the best group so far is taken

  std::size_t broken_pairs(std::size_t member) const {
    std::size_t pairs = 0;
    for (std::size_t other = 0; other < kept_.size(); ++other) {
      if (kept_[other] && broken_[member][other]) ++pairs;
    }
    return pairs;
  }

  void offer(std::size_t size) {
    // vector<bool> compares lexicographically: greater means that an earlier member is kept.
    if (size > best_size_ || (size == best_size_ && kept_ > best_)) {
      best_size_ = size;
      best_ = kept_;
    }
  }

  void search(std::size_t size) {
    if (size < best_size_ || ++steps_ > steps_max) return;
    std::size_t worst = 0;
    std::size_t worst_pairs = 0;
    for (std::size_t member = 0; member < kept_.size(); ++member) {
      if (!kept_[member]) continue;
      if (const std::size_t pairs = broken_pairs(member); pairs > worst_pairs) {
        worst = member;
        worst_pairs = pairs;
      }
    }
    if (worst_pairs == 0) return offer(size);

    const std::vector<bool> before = kept_;
    for (std::size_t other = 0; other < kept_.size(); ++other) {
      if (broken_[worst][other]) kept_[other] = false;
    }
    search(size - worst_pairs);
    kept_ = before;
    kept_[worst] = false;
    search(size - 1);
    kept_ = before;
  }

  std::vector<std::vector<bool>> broken_;
  std::vector<bool> kept_;
  std::vector<bool> best_;
  std::size_t best_size_ = 0;
  int steps_ = 0;
};

}  // namespace

std::set<std::string> largest_connected_group(
    const std::vector<std::string>& ranked,
    const std::set<std::pair<std::string, std::string>>& broken) {
  if (broken.empty()) return {ranked.begin(), ranked.end()};
  const std::size_t size = ranked.size();
  std::vector<std::vector<bool>> matrix(size, std::vector<bool>(size, false));
  for (std::size_t a = 0; a < size; ++a) {
    for (std::size_t b = 0; b < size; ++b) {
      if (a != b && broken.contains({ranked[a], ranked[b]})) matrix[a][b] = matrix[b][a] = true;
    }
  }
  const std::vector<bool> kept = GroupSearch(std::move(matrix)).best();
  std::set<std::string> group;
  for (std::size_t member = 0; member < kept.size(); ++member) {
    if (kept[member]) group.insert(ranked[member]);
  }
  return group;
}

}  // namespace coterie
