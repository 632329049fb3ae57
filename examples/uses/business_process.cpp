// Business process: a purchase that somebody must approve, with a deadline for the answer.
//
// The idea: each purchase is a process that knows in which state it is, who may decide, and how
// long that may take. OTP's rule: handle all states explicitly. A request that the state does not
// allow is answered with a refusal and changes nothing; it is an answer, not an error, so nobody
// crashes. The deadline is a message that the process sends itself, which the decision cancels.

#include <iostream>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;
using namespace std::chrono_literals;

enum class State : std::uint8_t { draft, at_manager, at_director, ordered, rejected };
constexpr std::string_view text(State state) {
  constexpr std::string_view texts[] = {"draft", "at the manager", "at the director", "ordered",
                                        "rejected"};
  return texts[static_cast<std::size_t>(state)];
}

/// To who submitted the purchase.
struct Escalated {};

class Purchase final : public GenServer {
 public:
  using Answer = std::expected<State, std::string>;
  struct Submit {
    using Reply = Answer;
    static constexpr std::string_view type_name = "purchase.submit";
    std::int64_t amount = 0;
  };
  struct Decide {
    using Reply = Answer;
    static constexpr std::string_view type_name = "purchase.decide";
    State as = State::at_manager;  // whose desk the decision comes from
    bool approve = false;
  };
  struct Deadline {
    static constexpr std::string_view type_name = "purchase.deadline";
  };
  using Calls = Messages<Submit, Decide>;
  using Infos = Messages<Deadline>;

  explicit Purchase(Duration patience) : patience_(patience) {}

  Outcome<Answer> handle_call(const Submit& m, From<Submit> from) {
    if (state_ != State::draft) return refuse("it was submitted");
    if (m.amount <= 0) return refuse("the amount must be positive");
    if (m.amount <= 100) return reply(Answer(state_ = State::ordered));
    submitter_ = from.pid();
    deadline_ = send_after(patience_, self(), Deadline{});
    return reply(Answer(state_ = State::at_manager));
  }
  Outcome<Answer> handle_call(const Decide& m) {
    switch (state_) {
      case State::draft:
        return refuse("it is not submitted");
      case State::at_manager:
      case State::at_director:
        if (m.as != state_) return refuse("it is " + std::string(text(state_)));
        cancel_timer(deadline_);
        return reply(Answer(state_ = m.approve ? State::ordered : State::rejected));
      case State::ordered:
      case State::rejected:
        return refuse("it is " + std::string(text(state_)));
    }
    return refuse("unknown state");
  }
  void handle_info(const Deadline&) {
    if (state_ != State::at_manager) return;  // the decision came first
    state_ = State::at_director;
    send(submitter_, Escalated{});
  }

 private:
  static Outcome<Answer> refuse(std::string why) {
    return reply(Answer(std::unexpected(std::move(why))));
  }

  const Duration patience_;
  State state_ = State::draft;
  Pid submitter_;
  Ref deadline_ = Ref::none;
};

int main() {
  Node node;
  auto self = node.attach();
  const auto start = [](Duration patience) {
    return GenServer::start_link<Purchase>({}, patience).value();
  };
  const auto print = [](std::string_view what, const Purchase::Answer& answer) {
    std::cout << what << ": ";
    std::cout << (answer ? std::string(text(*answer)) : "refused, " + answer.error()) << "\n";
  };
  using Submit = Purchase::Submit;
  using Decide = Purchase::Decide;

  const Pid pencils = start(24h);
  print("pencils", call<Purchase>(pencils, Submit{.amount = 40}).value());

  const Pid desk = start(24h);
  print("desk, undrafted decision", call<Purchase>(desk, Decide{}).value());
  print("desk", call<Purchase>(desk, Submit{.amount = 900}).value());
  print("desk, by the director", call<Purchase>(desk, Decide{State::at_director, true}).value());
  print("desk, by the manager", call<Purchase>(desk, Decide{State::at_manager, true}).value());
  print("desk, once more", call<Purchase>(desk, Decide{State::at_manager, false}).value());

  const Pid car = start(10ms);
  print("car", call<Purchase>(car, Submit{.amount = 30'000}).value());
  receive([](const Escalated&) {});
  print("car, by the manager", call<Purchase>(car, Decide{State::at_manager, true}).value());
  print("car, by the director", call<Purchase>(car, Decide{State::at_director, false}).value());
}
