#include <coterie/gen_stage.hpp>

#include <coterie/log.hpp>

namespace coterie::detail {
namespace {

std::string bad_options(const GenStage::Subscribe& options) {
  if (options.max_demand == 0) return "max_demand must be at least 1";
  if (options.min_demand && *options.min_demand >= options.max_demand) {
    return "min_demand must be below max_demand";
  }
  return {};
}

std::optional<Pid> resolve_stage(const ServerRef& stage) {
  if (const Pid* pid = std::get_if<Pid>(&stage)) return *pid;
  const auto* name = std::get_if<LocalName>(&stage);
  return name == nullptr ? std::nullopt : whereis(name->name);
}

}  // namespace

void ask_stage(const StageOptions::Subscription& producer, std::size_t count) {
  if (count > 0) send(producer.pid, StageAsk{{self(), producer.tag}, count});
}

bool refuse_subscription(Message& message, CallbackResult& result) {
  if (message.as<StageSubscribeTo>() == nullptr) return false;
  result.reply = make_message(
      MessageKind::reply, StageSubscribeTo::Reply(std::unexpected("the stage is not a consumer")));
  return true;
}

// ---- consumers of a stage

bool StageConsumers::add(const GenStage::Subscription& consumer) {
  if (consumers_.contains(consumer.tag)) {
    send(consumer.pid,
         StageCancelled{self(), consumer.tag, ExitReason::term("duplicated_subscription")});
    return false;
  }
  consumers_.emplace(consumer.tag, Consumer{consumer, monitor(consumer.pid)});
  return true;
}

bool StageConsumers::knows(const GenStage::Subscription& consumer) {
  if (consumers_.contains(consumer.tag)) return true;
  send(consumer.pid,
       StageCancelled{self(), consumer.tag, ExitReason::term("unknown_subscription")});
  return false;
}

bool StageConsumers::remove(Ref tag, const ExitReason& reason, GenStage::Subscription& removed) {
  const auto consumer = consumers_.extract(tag);
  if (!consumer) return false;
  removed = consumer.mapped().subscription;
  demonitor(consumer.mapped().monitor);
  send(removed.pid, StageCancelled{self(), tag, reason});
  return true;
}

Ref StageConsumers::find_monitor(Ref monitor) const {
  for (const auto& [tag, consumer] : consumers_) {
    if (consumer.monitor == monitor) return tag;
  }
  return Ref::none;
}

void log_discarded(std::size_t count) {
  node_log().warning(LogModule::process, "a producer has discarded events from its buffer",
                     {{"pid", self()}, {"events", count}});
}

// ---- what a stage consumes

StageInput::StageInput(StageHooks& hooks, std::vector<GenStage::Subscribe> subscribe_to)
    : hooks_(hooks), subscribe_to_(std::move(subscribe_to)) {
  // Not now: the stage is not complete yet, and its hooks are asked.
  if (!subscribe_to_.empty()) send(self(), StageReady{});
}

std::optional<StageInput::Ended> StageInput::take(Message& message, CallbackResult& result) {
  if (message.as<StageReady>() != nullptr) {
    for (auto& options : std::exchange(subscribe_to_, {})) {
      StageSubscribeTo to(std::move(options));
      const auto subscribed = subscribe(to);
      if (!subscribed) end_with(ExitReason::term("{bad_opts,\"" + subscribed.error() + "\"}"));
    }
    return Ended{};
  }
  if (auto* to = message.as<StageSubscribeTo>()) {
    auto reply = subscribe(*to);
    if (message.kind == MessageKind::call) {
      result.reply = make_message(MessageKind::reply, std::move(reply));
    } else if (!reply) {
      node_log().error(LogModule::process, "a stage could not subscribe",
                       {{"pid", self()}, {"why", reply.error()}});
    }
    return Ended{};
  }
  if (auto* cancelled = message.as<StageCancelled>()) {
    return drop(cancelled->tag, {false, cancelled->reason});
  }
  const auto* down = message.as<Down>();
  if (down == nullptr || !producers_.contains(down->ref)) return std::nullopt;
  return drop(down->ref, {true, down->reason});
}

StageSubscribeTo::Reply StageInput::subscribe(StageSubscribeTo& to) {
  if (std::string wrong = bad_options(to.options); !wrong.empty()) return std::unexpected(wrong);
  const GenStage::Subscribe& options = to.options;
  const auto producer = resolve_stage(options.to);
  if (!producer) {
    // As if it had been there and had ended.
    if (options.cancel != GenStage::Cancel::temporary) end_with(ExitReason::noproc());
    return Ref::none;
  }
  const Ref tag = monitor(*producer);
  const GenStage::Subscription from{*producer, tag};
  send(*producer, StageSubscribe{{self(), tag}, options, to.replaces, to.reason});
  const std::size_t max = options.max_demand;
  Producer& entry = producers_[tag];
  entry = {*producer,
           options.cancel,
           GenStage::Asking::automatic,
           max,
           options.min_demand.value_or(max / 2),
           max};
  const auto asking = hooks_.handle_subscribe(GenStage::Role::producer, options, from);
  producers_[tag].asking = asking;
  if (asking == GenStage::Asking::automatic) GenStage::ask(from, max);
  return tag;
}

StageInput::Ended StageInput::drop(Ref tag, GenStage::Cancelled why) {
  const auto producer = producers_.extract(tag);
  if (!producer) return {};
  demonitor(tag);
  return {true, producer.mapped().mode, {producer.mapped().pid, tag}, std::move(why)};
}

void StageInput::finish(const Ended& ended) {
  hooks_.handle_cancel(ended.why, ended.producer);
  const ExitReason& reason = ended.why.reason;
  const bool fatal = ended.mode == GenStage::Cancel::permanent ||
                     (ended.mode == GenStage::Cancel::transient && !reason.is_clean());
  if (!fatal || reason == ExitReason::term("already_subscribed")) return;
  end_with(reason);
}

bool StageInput::knows(const Pid& producer, Ref tag) {
  if (producers_.contains(tag)) return true;
  send(producer, StageCancel{{self(), tag}, ExitReason::term("unknown_subscription")});
  return false;
}

std::vector<StageInput::Batch> StageInput::split(Ref tag, std::size_t count) {
  const auto found = producers_.find(tag);
  if (found == producers_.end() || found->second.asking == GenStage::Asking::manual) {
    return {{count, 0}};
  }
  Producer& producer = found->second;
  std::vector<Batch> batches;
  while (count > 0) {
    const std::size_t size = std::min(count, producer.max - producer.min);
    count -= size;
    std::size_t left = producer.demand - std::min(size, producer.demand);
    std::size_t ask = 0;
    if (left <= producer.min) ask = producer.max - std::exchange(left, producer.max);
    producer.demand = left;
    batches.push_back({size, ask});
  }
  return batches;
}

void StageInput::stop_if_told(CallbackResult& result) {
  if (!end_) return;
  result.directive.act = Directive::Act::stop;
  result.directive.reason = std::move(*end_);
}

}  // namespace coterie::detail

namespace coterie {
namespace {

std::expected<Ref, CallError> subscribe(const ServerRef& stage, detail::StageSubscribeTo to,
                                        Duration timeout) {
  auto answer = call(stage, std::move(to), timeout);
  if (!answer) return std::unexpected(std::move(answer.error()));
  if (*answer) return **answer;
  return std::unexpected(CallError(CallError::Code::refused, CallError::Execution::not_executed,
                                   ExitReason::term("bad_opts"), answer->error()));
}

}  // namespace

std::expected<Ref, CallError> GenStage::sync_subscribe(const ServerRef& stage, Subscribe options,
                                                       Duration timeout) {
  return subscribe(stage, detail::StageSubscribeTo(std::move(options)), timeout);
}

void GenStage::async_subscribe(const ServerRef& stage, Subscribe options) {
  coterie::cast(stage, detail::StageSubscribeTo(std::move(options)));
}

std::expected<Ref, CallError> GenStage::sync_resubscribe(const ServerRef& stage, Ref old,
                                                         ExitReason reason, Subscribe options,
                                                         Duration timeout) {
  detail::StageSubscribeTo to(std::move(options));
  to.replaces = old;
  to.reason = std::move(reason);
  return subscribe(stage, std::move(to), timeout);
}

void GenStage::ask(const Subscription& producer, std::size_t count) {
  detail::ask_stage(producer, count);
}

void GenStage::cancel(const Subscription& producer, ExitReason reason) {
  send(producer.pid, detail::StageCancel{{self(), producer.tag}, std::move(reason)});
}

void GenStage::demand(const ServerRef& producer, Demand mode) {
  send(producer, detail::StageDemand{mode});
}

std::expected<std::size_t, CallError> GenStage::estimate_buffered_count(const ServerRef& producer,
                                                                        Duration timeout) {
  return call(producer, detail::StageBuffered{}, timeout);
}

}  // namespace coterie
