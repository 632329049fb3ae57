#include "registry/placement.hpp"

#include <algorithm>
#include <bit>
#include <optional>

namespace coterie {
namespace {

std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) noexcept {
  for (const char byte : text) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001B3ull;
  return hash;
}
constexpr std::uint64_t fnv_basis = 0xCBF29CE484222325ull;

std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

// -log2(value / 2^64) in units of 2^-32, by repeated squaring: exact on every platform.
std::uint64_t minus_log2(std::uint64_t value) noexcept {
  if (value == 0) value = 1;
  const int zeros = std::countl_zero(value);
  std::uint64_t mantissa = value << zeros;  // in [1, 2), scaled by 2^63
  std::uint64_t fraction = 0;
  for (int bit = 31; bit >= 0; --bit) {
    __extension__ using Wide = unsigned __int128;
    const auto square = static_cast<std::uint64_t>((static_cast<Wide>(mantissa) * mantissa) >> 64);
    // `square` is mantissa^2 scaled by 2^62: its top bit says whether it reached 2.
    if (square >> 63) {
      fraction |= std::uint64_t{1} << bit;
      mantissa = square;
    } else {
      mantissa = square << 1;
    }
  }
  return (static_cast<std::uint64_t>(zeros + 1) << 32) - fraction;
}

struct Candidate {
  std::uint64_t hash;
  const Member* member;
};

Candidate candidate(const Member& member, std::uint64_t name) {
  return {mix(name ^ mix(fnv1a(fnv_basis, member.name))), &member};
}

// The least wins.
std::uint64_t score(const Candidate& candidate) noexcept {
  // Below 2^39 before the shift, so nothing is lost; the division keeps 24 more bits.
  return (minus_log2(candidate.hash) << 24) / std::max(1u, candidate.member->weight);
}

std::vector<Candidate> candidates(const View& view, std::string_view kind, std::string_view key) {
  const std::uint64_t name = placement_hash(kind, key);
  std::vector<Candidate> found;
  for (const auto& [node, member] : view.members) {
    if (member.draining || member.weight == 0) continue;
    if (std::ranges::find(member.kinds, kind) == member.kinds.end()) continue;
    found.push_back(candidate(member, name));
  }
  return found;
}

// Of equal weights the greater hash has the lesser score, unless both round to the same: a
// logarithm, which costs more than all the rest, is needed for neighbours only.
bool better(const Candidate& a, const Candidate& b) {
  constexpr unsigned weight_max = 1u << 24;  // above it scores that differ may be equal
  constexpr int apart_bits = 28;             // logarithms have 32
  const std::uint64_t greater = std::max(a.hash, b.hash);
  const std::uint64_t apart = greater - std::min(a.hash, b.hash);
  if (a.member->weight == b.member->weight && a.member->weight <= weight_max &&
      apart > greater >> apart_bits) {
    return a.hash > b.hash;
  }
  const std::uint64_t of_a = score(a);
  const std::uint64_t of_b = score(b);
  return of_a != of_b ? of_a < of_b : a.member->name < b.member->name;
}

}  // namespace

std::uint64_t placement_hash(std::string_view kind, std::string_view key) noexcept {
  return fnv1a(fnv1a(fnv1a(fnv_basis, kind), std::string_view("\0", 1)), key);
}

std::vector<const Member*> homes(const View& view, std::string_view kind, std::string_view key) {
  std::vector<Candidate> found = candidates(view, kind, key);
  std::ranges::sort(found, better);
  std::vector<const Member*> ordered;
  ordered.reserve(found.size());
  for (const Candidate& candidate : found) ordered.push_back(candidate.member);
  return ordered;
}

const Member* home(const View& view, std::string_view kind, std::string_view key) {
  const std::vector<Candidate> found = candidates(view, kind, key);
  const auto best = std::ranges::min_element(found, better);
  return best == found.end() ? nullptr : best->member;
}

unsigned directory_partition(std::string_view name) noexcept {
  return static_cast<unsigned>(mix(fnv1a(fnv_basis, name)) % directory_partitions);
}

const Member* primary(const View& view, unsigned partition) {
  const auto takes_new = [](const Member& member) { return !member.draining && member.weight > 0; };
  const bool any =
      std::ranges::any_of(view.members, [&](const auto& entry) { return takes_new(entry.second); });
  std::optional<Candidate> best;
  for (const auto& [node, member] : view.members) {
    if (any && !takes_new(member)) continue;
    const Candidate next = candidate(member, mix(partition + 1));
    if (!best || better(next, *best)) best = next;
  }
  return best ? best->member : nullptr;
}

}  // namespace coterie
