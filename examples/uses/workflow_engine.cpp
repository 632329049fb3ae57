// Workflow engine: steps in order, and, when one fails, what was done is undone in reverse.
//
// The idea: an order is reserved, charged, shipped; if the courier fails, the money goes back (a
// saga). OTP's rule: let it crash. Each step runs in a process of its own, so the engine only hears
// how it ended, and decides. Nothing here survives its node: an engine that must go on elsewhere
// writes each decision to its journal first, as the contracts do.

#include <functional>
#include <iostream>
#include <optional>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/node.hpp>

using namespace coterie;

struct Step {
  std::string name;
  std::function<void()> run;
  std::function<void()> undo;
};

class Workflow final : public GenServer {
 public:
  struct Run {
    using Reply = std::string;
    static constexpr std::string_view type_name = "workflow.run";
  };
  using Calls = Messages<Run>;
  using Infos = Messages<Down>;

  explicit Workflow(std::vector<Step> steps) : steps_(std::move(steps)) {}

  Next handle_call(const Run&, From<Run> from) {
    caller_ = from;
    return go_on();
  }
  Next handle_info(const Down& down) {
    if (failure_) {
      // An undo that fails is for a human being: the workflow says so and goes on undoing.
      if (!down.reason.is_clean()) *failure_ += ", and cannot undo " + steps_[done_].name;
    } else if (down.reason.is_clean()) {
      ++done_;
    } else {
      failure_ = steps_[done_].name + " failed: " + down.reason.what();
    }
    return go_on();
  }

 private:
  Next go_on() {
    if (failure_ && done_ > 0) {
      spawn_monitor([undo = steps_[--done_].undo] { undo(); });
    } else if (!failure_ && done_ < steps_.size()) {
      spawn_monitor([run = steps_[done_].run] { run(); });
    } else {
      caller_->reply(failure_ ? "undone, because " + *failure_ : "done");
      return stop(ExitReason::normal());
    }
    return noreply();
  }

  const std::vector<Step> steps_;
  std::size_t done_ = 0;
  std::optional<std::string> failure_;
  std::optional<From<Run>> caller_;
};

std::function<void()> say(std::string what) {
  return [what = std::move(what)] { std::cout << "  " << what << "\n"; };
}
std::function<void()> fail(std::string why) {
  return [why = std::move(why)] { throw std::runtime_error(why); };
}

int main() {
  Node node;
  auto self = node.attach();
  const auto order = [](std::string_view what, std::function<void()> ship) {
    std::cout << what << "\n";
    const std::vector<Step> steps{
        {"reserve", say("reserve a lamp"), say("put the lamp back")},
        {"charge", say("charge 40.00"), say("pay 40.00 back")},
        {"ship", std::move(ship), say("call the courier back")},
    };
    const Pid workflow = GenServer::start<Workflow>({}, steps).value();
    std::cout << call<Workflow>(workflow, Workflow::Run{}).value() << "\n\n";
  };
  order("An order:", say("ship the lamp"));
  order("Another, with a strike:", fail("no courier"));
}
