#include "node/application_order.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace coterie {

std::expected<std::vector<Application>, std::string> application_order(
    std::vector<Application> applications) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < applications.size(); ++i) {
    if (!places.emplace(applications[i].name, i).second) {
      return std::unexpected("two applications are named \"" + applications[i].name +
                             "\": give one another name");
    }
  }
  enum class Visit : std::uint8_t { none, open, done };
  std::vector<Visit> visits(applications.size());
  std::vector<std::size_t> path, order;
  std::string fault;
  // Depth first, in the given order: so independent applications keep it.
  const std::function<bool(std::size_t)> visit = [&](std::size_t place) {
    if (visits[place] == Visit::done) return true;
    if (visits[place] == Visit::open) {
      fault = "applications need each other: ";
      for (auto each = std::ranges::find(path, place); each != path.end(); ++each) {
        fault += applications[*each].name + " -> ";
      }
      fault += applications[place].name + "; remove one of these needs";
      return false;
    }
    visits[place] = Visit::open;
    path.push_back(place);
    for (const std::string& need : applications[place].applications) {
      const auto found = places.find(need);
      if (found == places.end()) {
        fault = "application \"" + applications[place].name + "\" needs \"" + need +
                "\", which this program has not: add it to the program's applications";
        return false;
      }
      if (!visit(found->second)) return false;
    }
    path.pop_back();
    visits[place] = Visit::done;
    order.push_back(place);
    return true;
  };
  for (std::size_t i = 0; i < applications.size(); ++i) {
    if (!visit(i)) return std::unexpected(std::move(fault));
  }
  std::vector<Application> ordered;
  for (const std::size_t place : order) ordered.push_back(std::move(applications[place]));
  return ordered;
}

}  // namespace coterie
