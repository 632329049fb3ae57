#include "tests/registry/view_checker.hpp"
#include "tests/registry/view_checker_world.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

namespace coterie::testing {
namespace {

class Checker {
 public:
  Checker(const CheckBounds& bounds, const RegisterProtections& protections,
          const LeaseProtections& lease_protections)
      : bounds_(bounds), protections_(protections), lease_protections_(lease_protections) {}

  CheckResult run() {
    begin();
    for (std::size_t number = 0; number < seen_.size() && result_.violation.empty(); ++number) {
      if (seen_.size() > bounds_.states) break;
      current_ = number;
      expand(seen_[number]);
    }
    result_.states = seen_.size();
    result_.complete = result_.violation.empty() && seen_.size() <= bounds_.states;
    return std::move(result_);
  }

 private:
  RegisterOptions options(std::size_t voter, Duration lease) const {
    return {.self = VoterIndex(voter),
            .voters = bounds_.voters,
            .lease = lease,
            .hold = Duration(0),
            .protections = protections_};
  }

  void begin() {
    World world;
    Votes votes;
    VoterRecord record{
        .promised = {}, .accepted = {}, .view = {}, .longest_lease = Duration(bounds_.lease)};
    std::vector<VoterRecord> records(bounds_.voters, record);
    ViewRegister::Chosen chosen{.ballot = {1, 0}, .view = {}};
    if (bounds_.start != CheckBounds::Start::nothing) {
      View first;
      first.number = 1;
      if (bounds_.start == CheckBounds::Start::x_alone) {
        first.members["n"] = member(false);
        first.members["n"].since = 1;
      }
      chosen.view = std::make_shared<const View>(first);
      votes.push_back({chosen.ballot, (1u << bounds_.voters) - 1, chosen.view});
      for (VoterRecord& one : records) {
        one.promised = one.accepted = chosen.ballot;
        one.view = chosen.view;
      }
    }
    if (bounds_.start == CheckBounds::Start::half_done) {
      const ViewPtr with_y =
          next_view(chosen.view, {.joins = {member(true)}}, {}, RegisterProtections{});
      records[0].promised = records[0].accepted = Ballot{2, 0};
      records[0].view = with_y;
      for (std::size_t i = 1; i < bounds_.voters; ++i) {
        records[i].promised = records[i].accepted = Ballot{2, 1};
      }
      votes.push_back({{2, 0}, 1, with_y});
      votes.push_back({{2, 1}, (1u << bounds_.voters) - 2, chosen.view});
    }
    first_counter_ = records[0].promised.counter;
    for (std::size_t i = 0; i < bounds_.voters; ++i) {
      ViewRegister core(options(i, Duration(bounds_.lease)), records[i], at(0));
      (void)core.start();
      if (chosen.view) (void)core.receive(at(0), i ? 0 : 1, chosen);
      world.voters[i] = number(core, records[i], at(0));
    }
    world.letters = set_number({});
    if (bounds_.start == CheckBounds::Start::half_done) {
      const std::uint32_t late = number(Letter{1, 0, ViewRegister::Chosen{{2, 1}, chosen.view}});
      world.letters = set_number({late});
    }
    world.votes = votes_number(std::move(votes));
    world.renewals_x = world.renewals_y = renewals_number({});
    reach(world, {});
  }

  void expand(const World world) {
    for (std::uint8_t i = 0; i < bounds_.voters; ++i) expand(world, i);
    for (const std::uint32_t letter : sets_[world.letters]) {
      const std::uint8_t to = std::uint8_t(letters_[letter].to);
      step(world, {Event::Kind::deliver, to, letter});
      if (world.crashes < bounds_.crashes && !protections_.save_first) {
        step(world, {Event::Kind::deliver_crash, to, letter});
      }
    }
    if (world.time < bounds_.time) {
      World next = world;
      ++next.time;
      for (std::uint8_t i = 0; i < bounds_.voters; ++i) {
        const Voter& voter = voters_[world.voters[i]];
        next.voters[i] = number(voter.core, voter.disk, at(next.time));
      }
      next.renewals_x = without_past(next.renewals_x, next.time);
      next.renewals_y = without_past(next.renewals_y, next.time);
      reach(next, {Event::Kind::tick, 0, 0});
    }
    if (bounds_.death && !world.x_dead) {
      World next = world;
      next.x_dead = 1;
      reach(next, {Event::Kind::die, 0, 0});
    }
  }

  void expand(const World& world, std::uint8_t i) {
    const Voter& voter = voters_[world.voters[i]];
    if (i < bounds_.proposers &&
        voter.core.record().promised.counter < first_counter_ + bounds_.ballots) {
      for (std::uint16_t wish = 0; wish < wishes; ++wish) {
        if (!wanted(world, voter, Wish(wish))) continue;
        step(world, {Event::Kind::propose, i, wish});
        if (world.crashes < bounds_.crashes && !protections_.save_first) {
          step(world, {Event::Kind::propose_crash, i, wish});
        }
      }
    }
    if (world.crashes < bounds_.crashes) {
      step(world, {Event::Kind::restart, i, 0});
      if (bounds_.shorter_lease) step(world, {Event::Kind::restart, i, 1});
    }
    for (std::uint16_t y = 0; y < 2; ++y) {
      if (!(y ? bounds_.y_joins : bounds_.x_renews && !world.x_dead)) continue;
      const Renewal& renewal = renewals_[y ? world.renewals_y : world.renewals_x][i];
      if (!bounds_.slow_answers) {
        if (renewal.acked != world.time) step(world, {Event::Kind::renew, i, y});
      } else if (renewal.sent < 0) {
        send_renewal(world, i, y);
      } else {
        if (renewal.granted == 0) step(world, {Event::Kind::renew, i, y});
        if (renewal.granted > 0) read_answer(world, i, y);
      }
    }
  }

  bool wanted(const World& world, const Voter& voter, Wish wish) const {
    const ViewPtr& view = voter.core.record().view;
    const bool has_x = view && view->find(id_x);
    const bool has_name = view && view->find("n");
    const bool over = has_x && voter.core.expired(at(world.time), id_x);
    switch (wish) {
      case complete:
        return view && !voter.core.settled();
      case remove_x:
        return bounds_.x_removed && over;
      case remove_dead_x:
        return world.x_dead && has_x;
      case join_x:
        return bounds_.x_joins && !has_name;
      case join_y:
        return bounds_.y_joins && !has_name;
      case replace_x:
        return bounds_.y_joins && over;
      case remove_y:
        return bounds_.y_removed && view && view->find(id_y) &&
               voter.core.expired(at(world.time), id_y);
      case wishes:
        break;
    }
    return false;
  }

  ViewChange change(Wish wish) const {
    ViewChange change;
    if (wish == remove_x || wish == remove_dead_x || wish == replace_x) change.removals = {id_x};
    if (wish == remove_dead_x) change.dead = {id_x};
    if (wish == remove_y) change.removals = {id_y};
    if (wish == join_x) change.joins = {member(false)};
    if (wish == join_y || wish == replace_x) change.joins = {member(true)};
    return change;
  }

  void send_renewal(const World& world, std::uint8_t i, std::uint16_t y) {
    World next = world;
    std::uint32_t& renewals = y ? next.renewals_y : next.renewals_x;
    Renewals changed = renewals_[renewals];
    changed[i].sent = world.time;
    renewals = renewals_number(changed);
    reach(next, {Event::Kind::renew, i, y + 2u});
  }

  void read_answer(const World& world, std::uint8_t i, std::uint16_t y) {
    World next = world;
    std::uint32_t& renewals = y ? next.renewals_y : next.renewals_x;
    Renewals changed = renewals_[renewals];
    changed[i] = {.acked = changed[i].sent, .read = world.time, .length = changed[i].granted};
    renewals = renewals_number(changed);
    reach(next, {Event::Kind::answer, i, y});
  }

  void step(const World& world, Event event) {
    const Outcome& outcome = outcome_of(world, event);
    World next = world;
    next.voters[event.voter] = outcome.voter;
    const bool crash = event.kind == Event::Kind::restart ||
                       event.kind == Event::Kind::deliver_crash ||
                       event.kind == Event::Kind::propose_crash;
    next.crashes = std::int8_t(next.crashes + (crash ? 1 : 0));
    if (outcome.vote) next.votes = add_vote(next.votes, event.voter, *outcome.vote);
    if (outcome.granted > Duration{}) {
      std::uint32_t& renewals = event.what ? next.renewals_y : next.renewals_x;
      Renewals changed = renewals_[renewals];
      Renewal& renewal = changed[event.voter];
      if (bounds_.slow_answers) {
        renewal.granted = std::int8_t(outcome.granted.count());
      } else {
        renewal = {.acked = world.time,
                   .read = world.time,
                   .length = std::int8_t(outcome.granted.count())};
      }
      renewals = renewals_number(changed);
    }
    next.letters = without_spent(next, event.voter);
    for (const std::uint32_t letter : outcome.letters) {
      if (!spent(next, letter)) next.letters = add_letter(next.letters, letter);
    }
    if (next == world) return;
    for (const auto& [ballot, view] : outcome.told) told(next, event.voter, ballot, view);
    reach(next, event);
  }

  // The real code, run once for each voter's state, event and time.
  const Outcome& outcome_of(const World& world, Event event) {
    const std::uint64_t key = std::uint64_t{world.voters[event.voter]} << 32 |
                              std::uint64_t(event.kind) << 28 |
                              std::uint64_t(std::uint8_t(world.time)) << 24 |
                              std::uint64_t{event.voter} << 22 | event.what;
    const auto [entry, added] = outcomes_.try_emplace(key);
    if (added) entry->second = run(world, event);
    return entry->second;
  }

  Outcome run(const World& world, Event event) {
    Voter voter = voters_[world.voters[event.voter]];
    const Ballot before = voter.core.record().accepted;
    const Time now = at(world.time);
    Outcome outcome;
    bool lost = false;  // a crash before the record is written
    ViewRegister::Actions actions;
    switch (event.kind) {
      case Event::Kind::deliver_crash:
        lost = true;
        [[fallthrough]];
      case Event::Kind::deliver:
        actions = voter.core.receive(now, letters_[event.what].from, letters_[event.what].message);
        break;
      case Event::Kind::propose_crash:
        lost = true;
        [[fallthrough]];
      case Event::Kind::propose:
        actions = voter.core.propose(now, change(Wish(event.what)));
        break;
      case Event::Kind::restart:
        return restart(voter.disk, event, now);
      case Event::Kind::renew: {
        const auto grant = voter.core.renew(now, event.what ? id_y : id_x);
        outcome.granted = grant.length;
        break;
      }
      default:
        break;
    }
    bool down = false;
    for (const auto& action : actions) {
      if (const auto* save = std::get_if<ViewRegister::Save>(&action)) {
        down = down || lost;
        if (!down) voter.disk = save->record;
      } else if (const auto* send = std::get_if<ViewRegister::Send>(&action)) {
        if (down) continue;
        const bool refusal = std::holds_alternative<ViewRegister::Refused>(send->message);
        if (refusal && !bounds_.refusals) continue;
        const Letter letter{event.voter, send->to, send->message};
        outcome.letters.push_back(number(letter));
        if (const auto* chosen = std::get_if<ViewRegister::Chosen>(&send->message)) {
          outcome.told.emplace_back(chosen->ballot, chosen->view);
        }
      } else if (std::holds_alternative<ViewRegister::Learn>(action) && !down) {
        outcome.told.emplace_back(voter.core.chosen_ballot(), voter.core.chosen());
      }
    }
    const VoterRecord& record = voter.core.record();
    if (record.accepted != before) outcome.vote = Vote{record.accepted, 0, record.view};
    if (lost) {
      Outcome after = restart(voter.disk, event, now);
      after.letters = std::move(outcome.letters);
      after.vote = std::move(outcome.vote);
      return after;
    }
    outcome.voter = number(voter.core, voter.disk, now);
    return outcome;
  }

  Outcome restart(const VoterRecord& disk, Event event, Time now) {
    const bool shorter = event.kind == Event::Kind::restart && event.what == 1;
    const Duration lease(shorter ? bounds_.lease / 2 : bounds_.lease);
    Voter fresh{ViewRegister(options(event.voter, lease), disk, now), disk};
    (void)fresh.core.start();
    Outcome outcome;
    outcome.voter = number(fresh.core, fresh.disk, now);
    return outcome;
  }

  // ---- invariants

  void violated(const World& world, Event event, std::string what) {
    if (!result_.violation.empty()) return;
    result_.violation = std::move(what);
    history(current_, event, world);
  }

  void told(const World& next, std::uint8_t voter, const Ballot& ballot, const ViewPtr& view) {
    if (ballot <= Ballot{}) return;
    for (const Vote& vote : votes_[next.votes]) {
      if (vote.ballot == ballot && majority(vote.voters, bounds_.voters) && *vote.view == *view)
        return;
    }
    pending_ = "I8: voter " + std::to_string(voter) + " tells view " +
               std::to_string(view->number) + " of ballot " + to_string(ballot) +
               ", for which no majority has voted";
  }

  void reach(const World& world, Event event) {
    if (!seen_.insert(world)) {
      pending_.clear();
      return;
    }
    came_.push_back({std::uint32_t(current_), event});
    ++result_.transitions;
    if (!pending_.empty()) violated(world, event, std::exchange(pending_, {}));
    if (const std::string& wrong = wrong_votes(world.votes); !wrong.empty()) {
      violated(world, event, wrong);
    }
    check_leases(world, event);
  }

  // What the votes alone break: computed once for each set of votes.
  const std::string& wrong_votes(std::uint32_t votes) {
    while (wrong_votes_.size() <= votes) {
      const Votes& next = votes_[std::uint32_t(wrong_votes_.size())];
      wrong_votes_.push_back(wrong_with(next, bounds_.voters));
    }
    return wrong_votes_[votes];
  }

  // When the lease that these renewals make ends, computed by the real code once for each.
  Time lease_end(std::uint32_t renewals) {
    while (lease_ends_.size() <= renewals) {
      const LeaseTiming timing{.length = Duration(bounds_.lease), .drift_ppm = 0, .slack = {}};
      VoterLease lease(bounds_.voters, timing, lease_protections_);
      const Renewals& all = renewals_[std::uint32_t(lease_ends_.size())];
      for (VoterIndex i = 0; i < bounds_.voters; ++i) {
        if (all[i].acked < 0) continue;
        lease.granted(i, at(all[i].acked), at(all[i].read), Duration(all[i].length));
      }
      lease_ends_.push_back(lease.end());
    }
    return lease_ends_[renewals];
  }

  void check_leases(const World& world, Event event) {
    const bool x = !world.x_dead && lease_end(world.renewals_x) > at(world.time);
    const bool y = lease_end(world.renewals_y) > at(world.time);
    if (!x && !y) return;
    // A member runs nothing before it has learnt of a chosen view with itself.
    const Membership& of = membership(world.votes);
    if (x && y && of.x_added && of.y_added) {
      violated(world, event, "I1: two incarnations of one name hold leases");
    } else if ((x && of.x_added && of.x_removed) || (y && of.y_added && of.y_removed)) {
      violated(world, event, "I1: a chosen view is without a member whose lease runs");
    }
  }

  const Membership& membership(std::uint32_t votes) {
    while (memberships_.size() <= votes) {
      const Votes& next = votes_[std::uint32_t(memberships_.size())];
      memberships_.push_back(membership_of(next, bounds_.voters));
    }
    return memberships_[votes];
  }

  // ---- what can have no effect any more is forgotten: it would only multiply equal worlds

  // An answer that is not counted now never will be: its proposal is over, or has counted it. What
  // asks for a ballot below one promised on disk is refused for ever.
  bool spent(const World& world, std::uint32_t number) {
    const Letter& letter = letters_[number];
    const bool answer = std::holds_alternative<ViewRegister::Promised>(letter.message) ||
                        std::holds_alternative<ViewRegister::Accepted>(letter.message);
    const Ballot ballot = std::visit([](const auto& m) { return m.ballot; }, letter.message);
    const Voter& voter = voters_[world.voters[letter.to]];
    const bool chosen = std::holds_alternative<ViewRegister::Chosen>(letter.message);
    const RegisterProtections& p = protections_;
    if (answer) {
      if (!p.answers_by_ballot || !p.answers_by_voter) return false;
    } else if (chosen) {
      if (!p.never_back || ballot >= voter.disk.accepted) return false;
    } else if (!p.ballot_order || ballot >= voter.disk.promised) {
      return false;
    }
    if (std::holds_alternative<ViewRegister::Refused>(letter.message)) return false;
    const Event event{Event::Kind::deliver, std::uint8_t(letter.to), number};
    const Outcome& outcome = outcome_of(world, event);
    return outcome.letters.empty() && outcome.told.empty() &&
           outcome.voter == world.voters[letter.to];
  }

  std::uint32_t without_spent(const World& world, std::uint8_t changed) {
    const std::array key{world.letters, world.voters[changed],
                         std::uint32_t(world.time) * 8 + changed};
    const auto [entry, added] = kept_.try_emplace(key);
    if (!added) return entry->second;
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t number : sets_[world.letters]) {
      if (letters_[number].to != changed || !spent(world, number)) kept.push_back(number);
    }
    return entry->second = set_number(std::move(kept));
  }

  std::uint32_t without_past(std::uint32_t renewals, int time) {
    Renewals kept = renewals_[renewals];
    for (Renewal& renewal : kept) {
      if (renewal.acked < 0 || renewal.read + renewal.length > time) continue;
      renewal.acked = renewal.read = -1;
      renewal.length = 0;
    }
    return renewals_number(kept);
  }

  // ---- numbers

  std::uint32_t number(const ViewRegister& core, const VoterRecord& disk, Time now) {
    std::string text = core.describe(now) + "\n           on disk: " + to_string(disk);
    return voters_.of(text, Voter{core, disk});
  }
  std::uint32_t number(const Letter& letter) {
    return letters_.of(std::to_string(letter.from) + " to " + std::to_string(letter.to) + ": " +
                           to_string(letter.message),
                       letter);
  }
  std::uint32_t set_number(std::vector<std::uint32_t> set) {
    std::string text(reinterpret_cast<const char*>(set.data()), set.size() * sizeof set[0]);
    return sets_.of(text, std::move(set));
  }
  std::uint32_t add_letter(std::uint32_t set, std::uint32_t letter) {
    const auto [entry, added] = added_.try_emplace(std::uint64_t{set} << 32 | letter);
    if (!added) return entry->second;
    std::vector<std::uint32_t> all = sets_[set];
    const auto place = std::ranges::lower_bound(all, letter);
    if (place == all.end() || *place != letter) all.insert(place, letter);
    return entry->second = set_number(std::move(all));
  }
  std::uint32_t votes_number(Votes votes) {
    std::string text;
    for (const Vote& vote : votes) {
      ViewRegister::Chosen readable{vote.ballot, vote.view};
      text += std::to_string(vote.voters) + " " + to_string(readable) + "\n";
    }
    return all_votes().of(text, std::move(votes));
  }
  std::uint32_t add_vote(std::uint32_t votes, std::uint8_t voter, const Vote& vote) {
    Votes all = votes_[votes];
    auto place = std::ranges::lower_bound(all, vote.ballot, {}, &Vote::ballot);
    if (place == all.end() || place->ballot != vote.ballot) {
      place = all.insert(place, Vote{vote.ballot, 0, vote.view});
    } else if (*place->view != *vote.view) {
      pending_ = "I8: two views were voted for at ballot " + to_string(vote.ballot);
    }
    place->voters |= 1u << voter;
    return votes_number(std::move(all));
  }
  Numbered<Votes>& all_votes() { return votes_; }
  std::uint32_t renewals_number(const Renewals& renewals) {
    std::string text;
    for (const Renewal& r : renewals) {
      for (const auto part : {r.acked, r.read, r.sent, r.granted, r.length}) {
        text += static_cast<char>(part);
      }
    }
    return renewals_.of(text, renewals);
  }

  // ---- the way to a violation

  void history(std::size_t from, Event last, const World& end) {
    std::vector<std::pair<std::size_t, Event>> path;
    for (std::size_t number = from; number != 0; number = came_[number].from) {
      path.emplace_back(number, came_[number].event);
    }
    std::ranges::reverse(path);
    World before = seen_[0];
    for (const auto& [number, event] : path) {
      line(before, seen_[number], event);
      before = seen_[number];
    }
    line(before, end, last);
    for (std::size_t i = 0; i < bounds_.voters; ++i) {
      result_.history.push_back("in the end " + voters_.text(end.voters[i]));
    }
    result_.history.push_back("in the end, who voted (a bit each) for what:\n" +
                              votes_.text(end.votes));
  }

  void line(const World& before, const World& after, Event event) {
    static constexpr const char* wish_words[] = {"complete what may be half done",
                                                 "remove x",
                                                 "remove x, which is dead",
                                                 "add x",
                                                 "add y",
                                                 "remove x and add y",
                                                 "remove y"};
    const std::string voter = "voter " + std::to_string(event.voter);
    const std::string who = event.what % 2 ? "y" : "x";
    std::string text = "t=" + std::to_string(before.time) + " ";
    switch (event.kind) {
      case Event::Kind::deliver:
      case Event::Kind::deliver_crash:
        text += "arrives, from voter " + letters_.text(event.what);
        break;
      case Event::Kind::propose:
      case Event::Kind::propose_crash:
        text += voter + " proposes: " + wish_words[event.what];
        break;
      case Event::Kind::restart:
        text += voter + " crashes and starts again" + (event.what ? " with half the lease" : "");
        break;
      case Event::Kind::renew:
        text += event.what >= 2 ? who + " sends a renewal to " + voter
                                : voter + " renews its promise to " + who;
        break;
      case Event::Kind::answer:
        text += who + " reads the promise of " + voter;
        break;
      case Event::Kind::tick:
        text += "time passes";
        break;
      case Event::Kind::die:
        text += "x dies";
        break;
    }
    if (after.crashes > before.crashes && event.kind != Event::Kind::restart) {
      text += ", and " + voter + " crashes before it has written";
    }
    const auto& old = sets_[before.letters];
    for (const std::uint32_t letter : sets_[after.letters]) {
      if (!std::ranges::binary_search(old, letter))
        text += "\n      sent: " + letters_.text(letter);
    }
    result_.history.push_back(std::move(text));
  }

  const CheckBounds bounds_;
  const RegisterProtections protections_;
  const LeaseProtections lease_protections_;
  CheckResult result_;
  std::uint64_t first_counter_ = 0;

  Numbered<Voter> voters_;
  Numbered<Letter> letters_;
  Numbered<std::vector<std::uint32_t>> sets_;
  Numbered<Votes> votes_;
  Numbered<Renewals> renewals_;
  std::deque<std::string> wrong_votes_;
  std::vector<Membership> memberships_;  // by number of votes
  std::vector<Time> lease_ends_;         // by number of renewals
  std::unordered_map<std::uint64_t, Outcome> outcomes_;
  std::unordered_map<std::uint64_t, std::uint32_t> added_;  // (set, letter) -> set
  struct KeyHash {
    std::size_t operator()(const std::array<std::uint32_t, 3>& key) const {
      return (key[0] * 0x9E3779B97F4A7C15ull ^ key[1]) * 0xBF58476D1CE4E5B9ull ^ key[2];
    }
  };
  std::unordered_map<std::array<std::uint32_t, 3>, std::uint32_t, KeyHash> kept_;

  struct Came {
    std::uint32_t from;
    Event event;
  };
  Seen seen_;
  std::vector<Came> came_;  // by world
  std::size_t current_ = 0;
  std::string pending_;  // found wrong with the step under way
};

}  // namespace

CheckResult check_views(const CheckBounds& bounds, const RegisterProtections& protections,
                        const LeaseProtections& lease_protections) {
  return Checker(bounds, protections, lease_protections).run();
}

}  // namespace coterie::testing
