#pragma once
// The parts of a world of voters as the checker sees it, and what the votes alone tell of it.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "registry/view_register.hpp"

namespace coterie::testing {

inline constexpr std::size_t voters_max = 5;
inline constexpr NodeId id_x{0xA}, id_y{0xB};

inline Time at(int tick) { return Time(Duration(tick)); }

inline Member member(bool y) {
  Member member;
  member.name = "n";
  member.incarnation = {y ? 2u : 1u, y ? id_y : id_x};
  return member;
}

// Gives equal texts one number.
template <class T>
class Numbered {
 public:
  std::uint32_t of(const std::string& text, T value) {
    const auto [entry, added] = numbers_.try_emplace(text, std::uint32_t(values_.size()));
    if (added) {
      values_.push_back(std::move(value));
      texts_.push_back(&entry->first);
    }
    return entry->second;
  }
  const T& operator[](std::uint32_t number) const { return values_[number]; }
  const std::string& text(std::uint32_t number) const { return *texts_[number]; }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::deque<T> values_;  // what is asked for stays where it is
  std::vector<const std::string*> texts_;
};

struct Voter {
  ViewRegister core;
  VoterRecord disk;
};

struct Letter {
  VoterIndex from = 0, to = 0;
  ViewRegister::Message message;
};

// What happened, for the invariants only: who voted for what at which ballot.
struct Vote {
  Ballot ballot;
  unsigned voters = 0;  // a bit each
  ViewPtr view;
};
using Votes = std::vector<Vote>;  // by ballot

// Renewals of one incarnation with one voter: the last that was answered, and one under way.
struct Renewal {
  std::int8_t acked = -1;   // when the answered one was sent
  std::int8_t read = -1;    // ... and its answer read
  std::int8_t sent = -1;    // one is under way since
  std::int8_t granted = 0;  // length of the promise made; 0: not yet
  std::int8_t length = 0;   // of the answered one
  friend bool operator==(const Renewal&, const Renewal&) = default;
};
using Renewals = std::array<Renewal, voters_max>;

struct World {
  std::array<std::uint32_t, voters_max> voters{};
  std::uint32_t letters = 0;  // the set of messages sent so far
  std::uint32_t votes = 0;
  std::uint32_t renewals_x = 0, renewals_y = 0;
  std::int8_t time = 0;
  std::int8_t crashes = 0;
  std::int8_t x_dead = 0;
  std::int8_t spare = 0;
  friend bool operator==(const World&, const World&) = default;
};

struct WorldHash {
  std::size_t operator()(const World& world) const {
    std::uint64_t hash = 0x9E3779B97F4A7C15ull;
    const auto add = [&](std::uint64_t value) {
      hash = (hash ^ value) * 0xBF58476D1CE4E5B9ull;
      hash ^= hash >> 29;
    };
    add(world.voters[0] | std::uint64_t{world.voters[1]} << 32);
    add(world.voters[2] | std::uint64_t{world.letters} << 32);
    add(world.voters[3] | std::uint64_t{world.voters[4]} << 32);
    add(world.votes | std::uint64_t{world.renewals_x} << 32);
    add(world.renewals_y | std::uint64_t(std::uint8_t(world.time)) << 32 |
        std::uint64_t(std::uint8_t(world.crashes)) << 40 |
        std::uint64_t(std::uint8_t(world.x_dead)) << 48);
    return hash;
  }
};

// Worlds by number, found by content: open addressing over numbers, so a world is stored once.
class Seen {
 public:
  Seen() : slots_(1 << 16, none) {}
  // True if it is new; it has the number size() - 1 then.
  bool insert(const World& world) {
    if (worlds_.size() * 2 > slots_.size()) grow();
    std::size_t slot = place(world);
    if (slots_[slot] != none) return false;
    slots_[slot] = std::uint32_t(worlds_.size());
    worlds_.push_back(world);
    return true;
  }
  const World& operator[](std::size_t number) const { return worlds_[number]; }
  std::size_t size() const { return worlds_.size(); }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  std::size_t place(const World& world) const {
    std::size_t slot = WorldHash{}(world) & (slots_.size() - 1);
    while (slots_[slot] != none && !(worlds_[slots_[slot]] == world)) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
  }
  void grow() {
    slots_.assign(slots_.size() * 4, none);
    for (std::size_t number = 0; number < worlds_.size(); ++number) {
      slots_[place(worlds_[number])] = std::uint32_t(number);
    }
  }
  std::vector<World> worlds_;
  std::vector<std::uint32_t> slots_;
};

// One event of one voter.
struct Event {
  enum class Kind : std::uint8_t {
    deliver,        // letter `what`
    deliver_crash,  // letter `what`, and a crash before it is written
    propose,        // wish `what`
    propose_crash,  // wish `what`, and a crash before it is written
    restart,        // what: 0 as before, 1 with half the lease
    renew,          // what: 0 x, 1 y
    answer,         // the voter's answer to a renewal is read; what: 0 x, 1 y
    tick,
    die,  // x, for good
  };
  Kind kind = Kind::tick;
  std::uint8_t voter = 0;
  std::uint32_t what = 0;
};

struct Outcome {  // of an event at a voter
  std::uint32_t voter = 0;
  std::vector<std::uint32_t> letters;
  std::optional<Vote> vote;
  std::vector<std::pair<Ballot, ViewPtr>> told;  // as chosen
  Duration granted{};
};

enum Wish : std::uint16_t {
  complete,
  remove_x,
  remove_dead_x,
  join_x,
  join_y,
  replace_x,
  remove_y,
  wishes
};

bool majority(unsigned voters, std::size_t of);

/// The invariant that these votes break, in words; empty: none.
std::string wrong_with(const Votes& votes, std::size_t voters);

struct Membership {  // in the views chosen so far
  bool x_added = false, x_removed = false, y_added = false, y_removed = false;
};
Membership membership_of(const Votes& votes, std::size_t voters);

}  // namespace coterie::testing
