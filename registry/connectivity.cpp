#include "registry/connectivity.hpp"

#include <algorithm>
#include <cstddef>
#include <map>

namespace coterie {
namespace {

// Branches on the member with the most broken pairs: either it goes, or all that it does not hear.
// The first is tried first, so that a large group is found early, however many pairs are broken.
class GroupSearch final {
 public:
  explicit GroupSearch(std::vector<std::vector<bool>> broken)
      : broken_(std::move(broken)), kept_(broken_.size(), true), pairs_(broken_.size(), 0) {
    for (std::size_t member = 0; member < broken_.size(); ++member) {
      pairs_[member] = static_cast<std::size_t>(std::ranges::count(broken_[member], true));
    }
  }

  std::vector<bool> best() {
    search(broken_.size());
    return best_;
  }

 private:
  // Of looks at a member. Beyond it the best group so far is taken: of up to twenty members it is
  // the largest, and with hundreds a look at who hears whom costs a millisecond, not a second.
  static constexpr std::size_t looks_max = 2'000'000;

  void offer(std::size_t size) {
    // vector<bool> compares lexicographically: greater means that an earlier member is kept.
    if (size > best_size_ || (size == best_size_ && kept_ > best_)) {
      best_size_ = size;
      best_ = kept_;
    }
  }

  /// Broken pairs are counted among those that are kept.
  void set(std::size_t member, bool kept) {
    kept_[member] = kept;
    looks_ += kept_.size();
    for (std::size_t other = 0; other < kept_.size(); ++other) {
      if (broken_[member][other]) pairs_[other] += kept ? 1 : std::size_t(0) - 1;
    }
  }

  void search(std::size_t size) {
    if (size < best_size_ || (looks_ > looks_max && best_size_ > 0)) return;
    looks_ += kept_.size();
    std::size_t worst = 0;
    std::size_t worst_pairs = 0;
    for (std::size_t member = 0; member < kept_.size(); ++member) {
      if (kept_[member] && pairs_[member] > worst_pairs) {
        worst = member;
        worst_pairs = pairs_[member];
      }
    }
    if (worst_pairs == 0) return offer(size);

    set(worst, false);
    search(size - 1);
    set(worst, true);
    if (size - worst_pairs < best_size_) return;
    std::vector<std::size_t> dropped;
    for (std::size_t other = 0; other < kept_.size(); ++other) {
      if (kept_[other] && broken_[worst][other]) dropped.push_back(other);
    }
    for (const std::size_t other : dropped) set(other, false);
    search(size - worst_pairs);
    for (const std::size_t other : dropped) set(other, true);
  }

  std::vector<std::vector<bool>> broken_;
  std::vector<bool> kept_;
  std::vector<std::size_t> pairs_;  // broken ones of each member
  std::vector<bool> best_;
  std::size_t best_size_ = 0;
  std::size_t looks_ = 0;
};

}  // namespace

HeardReport report_of(const View& view, std::string_view self, const std::set<std::string>& heard) {
  HeardReport report{.view = view.number, .missing = {}};
  // Both in the order of names.
  auto one = heard.begin();
  for (const auto& [name, member] : view.members) {
    while (one != heard.end() && *one < name) ++one;
    if (name != self && (one == heard.end() || *one != name)) report.missing.insert(name);
  }
  return report;
}

std::set<std::string> largest_connected_group(
    const std::vector<std::string>& ranked,
    const std::vector<std::pair<std::size_t, std::size_t>>& broken) {
  if (broken.empty()) return {ranked.begin(), ranked.end()};
  std::vector<std::vector<bool>> matrix(ranked.size(), std::vector<bool>(ranked.size(), false));
  for (const auto& [a, b] : broken) matrix[a][b] = matrix[b][a] = true;
  const std::vector<bool> kept = GroupSearch(std::move(matrix)).best();
  std::set<std::string> group;
  for (std::size_t member = 0; member < kept.size(); ++member) {
    if (kept[member]) group.insert(ranked[member]);
  }
  return group;
}

std::set<std::string> largest_connected_group(
    const View& view, const std::vector<std::string>& configured,
    const std::function<const HeardReport*(const Member& member)>& report) {
  std::vector<std::string> ranked;
  std::map<std::string_view, std::size_t> places;
  const auto rank = [&](const std::string& name) {
    if (places.try_emplace(name, ranked.size()).second) ranked.push_back(name);
  };
  for (const auto& name : configured) {
    if (const auto member = view.members.find(name); member != view.members.end()) {
      rank(member->first);
    }
  }
  for (const auto& [name, member] : view.members) rank(name);

  std::vector<const HeardReport*> reports(ranked.size(), nullptr);
  std::uint64_t newest = 0;
  for (const auto& [name, member] : view.members) {
    newest = std::max(newest, member.since);
    const HeardReport* const told = report(member);
    if (told != nullptr && told->view >= member.since) reports[places.at(name)] = told;
  }
  std::vector<std::pair<std::size_t, std::size_t>> broken;
  const auto breaks = [&](std::size_t a, std::size_t b) {
    if (a != b && reports[b] != nullptr) broken.emplace_back(a, b);
  };
  for (std::size_t a = 0; a < ranked.size(); ++a) {
    if (reports[a] == nullptr) continue;
    for (const std::string& name : reports[a]->missing) {
      if (const auto b = places.find(name); b != places.end()) breaks(a, b->second);
    }
    if (reports[a]->view >= newest) continue;
    for (const auto& [name, member] : view.members) {
      if (member.since > reports[a]->view) breaks(a, places.at(name));
    }
  }
  return largest_connected_group(ranked, broken);
}

}  // namespace coterie
