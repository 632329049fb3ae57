#pragma once
// ConsumerSupervisor: a consumer that starts a child for each event, at most max_demand at a time;
// when children have ended it asks for more. The counterpart of gen_stage's ConsumerSupervisor.
//
//   auto workers = ConsumerSupervisor<Mail>::start_link(
//       [](const Mail& mail) { return child<Delivery>("", {}, mail); },
//       {.subscribe_to = {{.to = local("mails"), .max_demand = 50}}});
//
// Children are as those of a DynamicSupervisor, whose functions which_children, count_children and
// terminate_child work on it too. Let them be temporary or transient: a permanent one ends only
// with the supervisor, and so never makes room for another event.

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <coterie/dynamic_supervisor.hpp>
#include <coterie/gen_stage.hpp>

namespace coterie {

struct ConsumerSupervisorOptions {
  std::variant<std::monostate, LocalName, ViaName> name{};
  std::vector<GenStage::Subscribe> subscribe_to{};
  std::size_t max_restarts = 3;
  Duration max_seconds = std::chrono::seconds(5);
  std::string label{};
};

namespace detail {

/// The children, and whose events they are.
class EventChildren {
 public:
  explicit EventChildren(const ConsumerSupervisorOptions& options);
  ~EventChildren();

  void subscribed(const GenStage::Subscription& producer, const GenStage::Subscribe& options);
  void cancelled(const GenStage::Subscription& producer);
  void start(ChildSpec spec, const GenStage::Subscription& producer);
  /// False: the supervisor must end.
  bool exited(const Pid& child, const ExitReason& reason);
  bool try_again(const Pid& child);
  ChildResult<void> terminate(const Pid& child);
  std::vector<ChildInfo> which() const;
  ChildCount count() const;
  std::string status_text() const;
  void stop_all();

 private:
  struct Producer {
    std::size_t min = 0;
    std::size_t ended = 0;  // children that have not been made good yet
  };
  void one_less(Ref producer);
  void note_ends(std::size_t before, const Pid& child);

  std::unique_ptr<DynamicSupervisorState> state_;
  std::map<Ref, std::pair<GenStage::Subscription, Producer>> producers_;
  std::shared_ptr<std::map<Pid, Ref>> origins_;  // children's producers
};

}  // namespace detail

template <class Event>
class ConsumerSupervisor final : public GenStage::Consumer<Event> {
  using Base = GenStage::Consumer<Event>;

 public:
  using typename Base::Subscription;
  /// Runs in the supervisor.
  using MakeChild = std::function<ChildSpec(const Event&)>;

  static StartResult start_link(MakeChild make, ConsumerSupervisorOptions options = {}) {
    StartOptions start = start_options(options);
    return GenServer::start_link<ConsumerSupervisor>(std::move(start), std::move(make),
                                                     std::move(options));
  }
  static StartResult start(MakeChild make, ConsumerSupervisorOptions options = {}) {
    StartOptions start = start_options(options);
    return GenServer::start<ConsumerSupervisor>(std::move(start), std::move(make),
                                                std::move(options));
  }
  static ChildSpec child_spec(std::string id, MakeChild make,
                              ConsumerSupervisorOptions options = {}) {
    ChildSpec spec;
    spec.id = std::move(id);
    spec.type = ChildType::supervisor;
    spec.start = [make = std::move(make), options = std::move(options)] {
      return start_link(make, options);
    };
    return spec;
  }

  using Calls =
      GenServer::Messages<DynamicSupervisor::TerminateChild, DynamicSupervisor::WhichChildren,
                          DynamicSupervisor::CountChildren>;
  using Casts = GenServer::Messages<DynamicSupervisor::TryAgain>;
  using Infos = GenServer::Messages<Exit, DynamicSupervisor::TryAgain>;

  ConsumerSupervisor(MakeChild make, ConsumerSupervisorOptions options)
      : Base(std::move(options.subscribe_to)), make_(std::move(make)), children_(options) {}

  void handle_events(std::vector<Event> events, const Subscription& from) override {
    for (const Event& event : events) children_.start(make_(event), from);
  }
  GenStage::Asking handle_subscribe(GenStage::Role, const GenStage::Subscribe& options,
                                    const Subscription& producer) override {
    children_.subscribed(producer, options);
    return GenStage::Asking::manual;
  }
  void handle_cancel(const GenStage::Cancelled&, const Subscription& producer) override {
    children_.cancelled(producer);
  }
  void terminate(const ExitReason&) { children_.stop_all(); }

  ChildResult<void> handle_call(const DynamicSupervisor::TerminateChild& request) {
    return children_.terminate(request.child);
  }
  std::vector<ChildInfo> handle_call(const DynamicSupervisor::WhichChildren&) {
    return children_.which();
  }
  ChildCount handle_call(const DynamicSupervisor::CountChildren&) { return children_.count(); }
  GenServer::Next handle_cast(const DynamicSupervisor::TryAgain& request) {
    return go_on(children_.try_again(request.child));
  }
  /// After a pause; see Backoff.
  GenServer::Next handle_info(const DynamicSupervisor::TryAgain& request) {
    return handle_cast(request);
  }
  std::string format_status() const { return children_.status_text(); }
  GenServer::Next handle_info(const Exit& exit) {
    return go_on(children_.exited(exit.from, exit.reason));
  }

 private:
  static StartOptions start_options(const ConsumerSupervisorOptions& options) {
    StartOptions start;
    start.name = options.name;
    start.trap_exit = true;
    start.label = options.label;
    return start;
  }
  static GenServer::Next go_on(bool alive) {
    return alive ? GenServer::noreply() : GenServer::stop(ExitReason::shutdown());
  }

  MakeChild make_;
  detail::EventChildren children_;
};

}  // namespace coterie
