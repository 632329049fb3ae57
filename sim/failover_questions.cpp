#include "sim/failover_questions.hpp"

#include <mutex>
#include <set>

#include <coterie/pack.hpp>

#include "node/status.hpp"

namespace coterie::sim {
namespace {

// A node that says nothing for so long is left out of a sighting.
constexpr Duration answer_wait = std::chrono::seconds(1);

}  // namespace

struct FailoverQuestions::Inbox {
  mutable std::mutex mutex;
  std::uint64_t generation = 0;  // answers of an older one are dropped
  std::set<std::string> open_statuses;
  std::vector<std::pair<std::string, Heard>> heard;
  struct Open {
    Sighting sighting;
    std::set<std::string> silent;  // at least one answer did not come
    std::size_t answers = 0;       // still to come
  };
  std::optional<Open> open;
  std::optional<Sighting> sighting;

  /// Under the mutex.
  void answered(const std::string& node, bool well, Duration at) {
    if (!well) open->silent.insert(node);
    if (--open->answers > 0) return;
    for (const std::string& silent : open->silent) open->sighting.nodes.erase(silent);
    open->sighting.answered = at;
    sighting = std::move(open->sighting);
    open.reset();
  }
};

FailoverQuestions::FailoverQuestions(const Clock& clock, TestedCluster& cluster,
                                     std::vector<std::string> kinds)
    : clock_(clock),
      cluster_(cluster),
      kinds_(std::move(kinds)),
      begin_(clock.now()),
      inbox_(std::make_shared<Inbox>()) {}

FailoverQuestions::~FailoverQuestions() = default;

std::expected<void, std::string> FailoverQuestions::connect(const std::string& node,
                                                            Duration timeout) {
  auto client = cluster_.connect(node, timeout);
  if (!client) return std::unexpected(client.error());
  clients_[node] = *std::move(client);
  return {};
}

void FailoverQuestions::start_from(Time begin) {
  const std::lock_guard lock(inbox_->mutex);
  begin_ = begin;
  ++inbox_->generation;
  inbox_->open_statuses.clear();
  inbox_->heard.clear();
  inbox_->open.reset();
  inbox_->sighting.reset();
}

template <class Request, class Take>
void FailoverQuestions::ask(const std::string& node, const Request& request, Take take) {
  Client::Request asked;
  asked.to = LocalName{"coterie.node"};
  asked.type = std::string(Request::type_name);
  asked.payload = pack(request);
  asked.timeout = answer_wait;
  asked.named = true;
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(inbox_->mutex);
    generation = inbox_->generation;
  }
  clients_.at(node)->submit(std::move(asked),
                            [this, inbox = inbox_, node, generation, begin = begin_,
                             take = std::move(take)](Client::Answer answer) mutable {
                              const Duration at = clock_.now() - begin;
                              std::optional<typename Request::Reply> reply;
                              if (answer) {
                                if (auto unpacked = unpack<typename Request::Reply>(*answer))
                                  reply = *std::move(unpacked);
                              }
                              const std::lock_guard lock(inbox->mutex);
                              if (inbox->generation == generation)
                                take(*inbox, node, at, std::move(reply));
                            });
}

void FailoverQuestions::ask_status(const std::string& node) {
  if (!clients_.contains(node)) return;
  {
    const std::lock_guard lock(inbox_->mutex);
    if (!inbox_->open_statuses.insert(node).second) return;
  }
  ask(node, StatusRequest{},
      [asked = now()](Inbox& inbox, const std::string& name, Duration at,
                      std::optional<NodeStatus> status) {
        inbox.open_statuses.erase(name);
        if (status) inbox.heard.push_back({name, {asked, at, *std::move(status)}});
      });
}

void FailoverQuestions::ask_sighting(std::span<const std::string> nodes) {
  const Duration asked = now();
  {
    const std::lock_guard lock(inbox_->mutex);
    if (inbox_->open) return;
    inbox_->open.emplace();
    inbox_->open->sighting.asked = asked;
    for (const std::string& node : nodes) {
      if (clients_.contains(node)) inbox_->open->answers += kinds_.size() + 1;
    }
    if (inbox_->open->answers == 0) {
      inbox_->open->answers = 1;
      inbox_->answered({}, true, asked);
      return;
    }
  }
  for (const std::string& node : nodes) {
    if (!clients_.contains(node)) continue;
    for (const std::string& kind : kinds_) {
      ask(node, NamesRequest{kind},
          [kind](Inbox& inbox, const std::string& name, Duration at,
                 std::optional<std::vector<std::string>> names) {
            const bool well = names.has_value();
            if (names) inbox.open->sighting.nodes[name].names[kind] = *std::move(names);
            inbox.answered(name, well, at);
          });
    }
    ask(node, StatusRequest{},
        [asked](Inbox& inbox, const std::string& name, Duration at,
                std::optional<NodeStatus> status) {
          const bool well = status.has_value();
          if (status) {
            Sighting::Node& seen = inbox.open->sighting.nodes[name];
            seen.active = status->state == "active";
            seen.incarnation = static_cast<std::uint64_t>(status->incarnation.id);
            inbox.heard.push_back({name, {asked, at, *std::move(status)}});
          }
          inbox.answered(name, well, at);
        });
  }
}

bool FailoverQuestions::sighting_is_open() const {
  const std::lock_guard lock(inbox_->mutex);
  return inbox_->open.has_value();
}

FailoverQuestions::Answers FailoverQuestions::take() {
  const std::lock_guard lock(inbox_->mutex);
  Answers answers;
  answers.heard = std::exchange(inbox_->heard, {});
  answers.sighting = std::exchange(inbox_->sighting, {});
  return answers;
}

}  // namespace coterie::sim
