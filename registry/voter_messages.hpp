#pragma once
// What members and voters of the `voters` engine say to each other. Plain values; any of them may
// be lost, doubled, late or overtaken. The messages between voters that decide are those of
// ViewRegister; the others here record nothing.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "registry/connectivity.hpp"
#include "registry/view_register.hpp"

namespace coterie::voters {

/// A voter's mark in its answers: which run of it answered, and when on its own clock. A renewal
/// that brings back a young one proves that its sender hears this voter (V8).
struct Echo {
  std::uint64_t run = 0;  // 0: none
  Time at{};
  friend bool operator==(const Echo&, const Echo&) = default;
};

/// A member, or one who wants to be, to each voter at every interval.
struct Renew {
  Member member;
  std::uint64_t number = 0;     // of this renewal; its sender remembers when it was sent
  Echo echo;                    // of this voter's last answer
  std::uint64_t installed = 0;  // number of the newest view known
  std::string config_digest;
  bool ready = false;    // hears a majority of the voters
  bool leaving = false;  // has given up its lease for ever
  bool draining = false;
  bool predecessor_dead = false;       // older runs of this node are proven to be over
  std::optional<HeardReport> heard{};  // none: connectivity is not judged by it
};

struct Answer {
  enum class Kind : std::uint8_t {
    granted,        // `length` from when the renewal was sent
    waits,          // nothing promised yet: join under way, or no young echo
    refused,        // outside the largest connected group, or its removal is under way
    raise_counter,  // above `counter`
    name_taken,
    config_differs,
  };
  Kind kind = Kind::waits;
  std::uint64_t number = 0;  // of the renewal
  Echo echo{};
  Duration length{};
  std::uint64_t counter = 0;
  std::string why{};
  ViewPtr newer{};  // a chosen view newer than the one installed
};

// Between voters, beside ViewRegister::Message.
/// Before a proposal: would you agree, and which of these are expired with you? Nothing is
/// recorded; without it one cut link would cost ballots and syncs for ever.
struct Ask {
  std::uint64_t round = 0;
  std::vector<NodeId> candidates{};
  std::vector<NodeId> dead{};
};
struct Would {
  std::uint64_t round = 0;
  std::vector<NodeId> expired{};
};
/// The newest ballot known to be chosen: who knows a newer one answers with Chosen. It also tells
/// which disk this voter has, and which disks it knows to be the voters'.
struct Newest {
  Ballot ballot;
  std::uint64_t asking = 0;     // run of the sender
  std::uint64_t answering = 0;  // run of the receiver, if this answers its Newest
  std::uint64_t slot_id = 0;
  std::map<std::string, std::uint64_t> voters{};
};
/// An operator has said that the old disk of this voter is gone for good: what may it have known?
struct AdmitMe {
  std::uint64_t run = 0;  // of the sender
};
/// From a voter that votes, which has given up its own proposal: no word of the old disk counts for
/// it any more.
struct Admit {
  std::uint64_t run = 0;  // of the receiver
  std::uint64_t history = 0;
  Ballot promised{};
  Ballot accepted{};
  ViewPtr view{};  // null: none accepted
  Duration longest_lease{};
  std::map<std::string, std::uint64_t> voters{};
};
using PeerMessage = std::variant<ViewRegister::Message, Ask, Would, Newest, AdmitMe, Admit>;

}  // namespace coterie::voters
