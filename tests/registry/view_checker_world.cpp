#include "tests/registry/view_checker_world.hpp"

namespace coterie::testing {

bool majority(unsigned voters, std::size_t of) {
  return std::size_t(std::popcount(voters)) * 2 > of;
}

std::string wrong_with(const Votes& votes, std::size_t voters) {
  std::vector<const Vote*> chosen;
  for (const Vote& vote : votes) {
    if (majority(vote.voters, voters)) chosen.push_back(&vote);
  }
  bool x_was = false, x_gone = false, y_was = false, y_gone = false;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const View& view = *chosen[i]->view;
    if (i > 0) {
      const View& before = *chosen[i - 1]->view;
      if (view.number == before.number && view != before) {
        return "I8: two views with the number " + std::to_string(view.number);
      }
      if (view.number < before.number) {
        return "I8: view " + std::to_string(view.number) + " was chosen after view " +
               std::to_string(before.number);
      }
    }
    const bool x = view.find(id_x), y = view.find(id_y);
    if ((x && x_gone) || (y && y_gone)) return "I8: a removed incarnation is a member again";
    x_gone = x_gone || (x_was && !x);
    y_gone = y_gone || (y_was && !y);
    x_was = x_was || x;
    y_was = y_was || y;
  }
  return {};
}

Membership membership_of(const Votes& votes, std::size_t voters) {
  Membership of;
  for (const Vote& vote : votes) {
    if (!majority(vote.voters, voters)) continue;
    const auto stone = vote.view->tombstones.find("n");
    const std::uint64_t removed = stone == vote.view->tombstones.end() ? 0 : stone->second;
    of.x_added = of.x_added || vote.view->find(id_x);
    of.y_added = of.y_added || vote.view->find(id_y);
    of.x_removed = of.x_removed || (removed >= 1 && !vote.view->find(id_x));
    of.y_removed = of.y_removed || (removed >= 2 && !vote.view->find(id_y));
  }
  return of;
}

}  // namespace coterie::testing
