#include "sim/failover_claims.hpp"

#include <algorithm>
#include <utility>

namespace coterie::sim {
namespace {

constexpr std::size_t shown_max = 3;

std::string some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), shown_max); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > shown_max)
    text += " and " + std::to_string(names.size() - shown_max) + " more";
  return text;
}

}  // namespace

Observation running(const ExpectRunning& expected, const Sighting& sighting) {
  std::map<std::string_view, std::vector<std::string_view>> owners;
  std::string places;
  std::vector<std::string> elsewhere;
  for (const auto& [name, node] : sighting.nodes) {
    const auto kind = node.names.find(expected.kind);
    const std::size_t count = kind == node.names.end() ? 0 : kind->second.size();
    places += (places.empty() ? "" : ", ") + name + " " + std::to_string(count);
    if (!node.active) places += " (no lease: none of them runs)";
    if (!node.active || count == 0) continue;
    for (const std::string& key : kind->second) owners[key].push_back(name);
    const bool wanted = expected.on.empty() ||
                        std::ranges::find(expected.on, name, &Placed::text) != expected.on.end();
    if (!wanted) elsewhere.push_back(name);
  }
  std::vector<std::string> twice;
  for (const auto& [key, nodes] : owners) {
    if (nodes.size() > 1) twice.push_back(std::string(key));
  }
  Observation seen;
  seen.seen = std::to_string(owners.size()) + " running: " + places;
  if (!twice.empty()) seen.seen += "; more than once: " + some(twice);
  if (!elsewhere.empty()) seen.seen += "; also on " + some(elsewhere);
  seen.met = std::cmp_equal(owners.size(), expected.count) && twice.empty() && elsewhere.empty();
  return seen;
}

void ClaimLog::add(const Sighting& sighting) {
  ++sightings_;
  struct Owner {
    std::string_view node;
    std::uint64_t run = 0;
  };
  std::map<std::string, std::vector<Owner>> owners;
  for (const auto& [name, node] : sighting.nodes) {
    if (!node.active) continue;
    for (const auto& [kind, keys] : node.names) {
      for (const std::string& key : keys) {
        owners[kind + "/" + key].push_back({name, node.incarnation});
      }
    }
  }
  std::set<Claim> now;
  for (const auto& [name, nodes] : owners) {
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      now.insert({name, std::string(nodes[i - 1].node), std::string(nodes[i].node),
                  nodes[i - 1].run, nodes[i].run});
    }
  }
  for (const Claim& claim : now) {
    if (last_.contains(claim) && told_.insert(claim).second) {
      doubles_.push_back({sighting.answered, claim.name, claim.first, claim.second});
    }
  }
  last_ = std::move(now);
}

}  // namespace coterie::sim
