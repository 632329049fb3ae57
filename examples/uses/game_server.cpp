// Game server: a match as a process, its players as others, and rounds that wait for nobody for
// ever.
//
// The idea: a match is state that several players change, and time. OTP's rule: all of that arrives
// as messages of one process: moves are casts, the end of a round is a timer, a player who is gone
// is a monitor's Down; so each is handled in one place, one after the other, whatever comes first.
// Who waits for the result called play long ago, and is answered when the match is over.

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;

/// To each player: a round begins.
struct Round {
  std::size_t number = 0;
};

/// The highest card of a round wins it.
class Match final : public GenServer {
 public:
  using Scores = std::map<std::string, int>;
  struct Play {
    using Reply = Scores;
    static constexpr std::string_view type_name = "match.play";
    std::map<std::string, Pid> players{};
    std::size_t rounds = 0;
  };
  struct Card {
    static constexpr std::string_view type_name = "match.card";
    Pid player;
    std::size_t round = 0;
    int value = 0;
  };
  struct RoundIsOver {
    std::size_t round = 0;
  };
  using Calls = Messages<Play>;
  using Casts = Messages<Card>;
  using Infos = Messages<RoundIsOver, Down>;
  explicit Match(Duration round_time) : round_time_(round_time) {}

  Next handle_call(const Play& m, From<Play> from) {
    rounds_ = m.rounds;
    caller_ = from;
    for (const auto& [name, pid] : m.players) {
      monitor(pid);
      players_[pid] = name;
      scores_[name] = 0;
    }
    return begin_round();
  }
  Next handle_cast(const Card& m) {
    const auto player = players_.find(m.player);
    if (player != players_.end() && m.round == round_) cards_[player->second] = m.value;
    return end_round_if(all_have_played());
  }
  Next handle_info(const RoundIsOver& m) { return end_round_if(m.round == round_); }
  Next handle_info(const Down& down) {
    players_.erase(down.pid);
    return end_round_if(all_have_played());
  }

 private:
  Next begin_round() {
    cards_.clear();
    ++round_;
    for (const auto& [pid, name] : players_) send(pid, Round{round_});
    timer_ = send_after(round_time_, self(), RoundIsOver{round_});
    return noreply();
  }
  Next end_round_if(bool over) {
    if (!over) return noreply();
    cancel_timer(timer_);
    const auto best = std::ranges::max_element(cards_, {}, [](auto& card) { return card.second; });
    if (best != cards_.end()) ++scores_[best->first];
    if (round_ < rounds_) return begin_round();
    caller_->reply(scores_);
    return stop(ExitReason::normal());
  }
  bool all_have_played() const {
    return std::ranges::all_of(players_, [&](auto& each) { return cards_.contains(each.second); });
  }

  const Duration round_time_;
  std::map<Pid, std::string> players_;  // who are there
  std::map<std::string, int> cards_;    // of this round
  Scores scores_;
  std::size_t round_ = 0;
  std::size_t rounds_ = 0;
  Ref timer_ = Ref::none;
  std::optional<From<Play>> caller_;
};

/// Plays a card a round and leaves the table.
void player(const Pid& match, const std::vector<int>& cards) {
  for (const int card : cards) {
    const auto round = receive([](const Round& m) { return m.number; });
    cast<Match>(match, Match::Card{self(), round, card});
  }
}

int main() {
  Node node;
  auto self = node.attach();
  const Pid match = GenServer::start<Match>({}, std::chrono::hours(1)).value();
  Match::Play play{.rounds = 3};
  play.players["ada"] = spawn([=] { player(match, {7, 2, 9}); });
  play.players["bob"] = spawn([=] { player(match, {3, 8, 4}); });
  play.players["carol, who leaves early"] = spawn([=] { player(match, {5}); });
  const auto scores = call<Match>(match, play).value();
  for (const auto& [name, score] : scores) std::cout << name << ": " << score << "\n";
}
