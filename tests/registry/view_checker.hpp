#pragma once
// An explicit-state checker of the view register: the real code of every voter, in every order of
// events inside stated bounds, breadth first, so that the first violation has a shortest history.
//
// A message once sent may be delivered at any later time, any number of times or never, so loss,
// doubling, delay and overtaking are all there. A crash loses what a voter had not written, also
// between two actions of one step. Time is discrete and the same everywhere (drift is a matter of
// the margins, which other tests try). The members x and y are two incarnations of one node.
//
// Voters, messages and sets of messages are numbered once each by their full text, and each step of
// a voter is computed once for each (voter, event, time); so a state of the world is a few numbers,
// states are compared exactly, and nothing rests on hashes that may collide.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "registry/view_register.hpp"
#include "registry/voter_lease.hpp"

namespace coterie::testing {

struct CheckBounds {
  std::size_t voters = 3;     // at most 5
  std::uint64_t ballots = 2;  // counters above the first view's
  int time = 2;               // ticks; a lease lasts `lease` of them
  int lease = 1;
  int crashes = 0;
  int proposers = 2;      // voters 0 ... may propose
  bool x_removed = true;  // proposals to remove x when its promise is over
  bool x_joins = false;   // x may ask to be added, also again
  bool y_joins = false;   // so may y, the next incarnation of the same name
  bool x_renews = true;
  bool slow_answers = false;   // answers to renewals may be under way for any time
  bool shorter_lease = false;  // a restarted voter is configured with half the lease
  bool death = false;          // x may die, of which proposers are told
  bool refusals = false;       // refusals arrive; else they are all lost
  bool y_removed = false;      // proposals to remove y when its promise is over
  enum class Start : std::uint8_t {
    nothing,   // no view yet
    x_alone,   // view 1 = {x} was chosen by all
    half_done  // view 1 = {} was; then voter 0 alone voted to add y, the others to leave it so
  };
  Start start = Start::x_alone;
  std::size_t states = 6'000'000;  // gives up beyond
};

struct CheckResult {
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  bool complete = false;             // every state inside the bounds was seen
  std::string violation;             // empty: none
  std::vector<std::string> history;  // the steps that lead to it
};

CheckResult check_views(const CheckBounds& bounds, const RegisterProtections& protections,
                        const LeaseProtections& lease_protections);

}  // namespace coterie::testing
