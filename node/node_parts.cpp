#include "node/node_parts.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <coterie/remote_start.hpp>
#include <coterie/supervisor.hpp>

#include "node/applications.hpp"
#include "node/exit_codes.hpp"
#include "node/security.hpp"
#include "process/duration_text.hpp"
#include "registry/engine_mark.hpp"
#include "registry/global_server.hpp"
#include "registry/placement.hpp"
#include "registry/store_agreement_driver.hpp"
#include "supervision/cluster_instance.hpp"

namespace coterie {
namespace {

// With link_drain (node_end.cpp) less than the time that the guardian gives after
// `guardian.drain_max`.
constexpr Duration stop_max = std::chrono::seconds(2);
constexpr int claim_waits = 10;  // of `storage.wait`, for a store that does not answer

std::unexpected<NodeEnd> failed(int code, std::string message) {
  return std::unexpected(NodeEnd{code, std::move(message)});
}

// Storage that is away may come back: a supervisor of the program may try again.
std::unexpected<NodeEnd> storage_failed(const StorageError& error) {
  const bool usage = error.code == StorageError::Code::misuse;
  return failed(usage ? exit_code::usage : exit_code::failure, error.message);
}

TransportOptions transport_options(const ClusterConfig& config, const NodeSection& own,
                                   const Incarnation& incarnation, std::string guardian_key) {
  TransportOptions options;
  options.cluster_id = config.cluster.id;
  options.config_digest = config_digest(config);
  options.node = own.name;
  options.incarnation = incarnation;
  options.guardian_key = std::move(guardian_key);
  options.listen = own.listen;
  options.control_listen = own.control_listen;
  options.beat_interval = config.link.beat_interval;
  options.link.link_down_after = config.link.link_down_after;
  options.link.stream.window_messages = config.link.window_messages;
  options.link.stream.window_bytes = config.link.window_bytes;
  options.link.stream.message_bytes_max = config.link.message_bytes_max;
  options.link.stream.frame_bytes = config.link.frame_bytes_max;
  options.link.stream.piece_bytes = config.link.frame_bytes_max;
  return options;
}

}  // namespace

NodeParts::NodeParts(const ClusterConfig& config, const NodeSection& own,
                     std::vector<Application> applications, NodeSurroundings surroundings)
    : config_(config),
      own_(own),
      applications_(std::move(applications)),
      out_(std::move(surroundings)),
      incarnation_(out_.state.incarnation()),
      started_at_(out_.clock.now()),
      rights_(config_, incarnation_.id) {
  for (const Application& application : applications_) {
    kinds_.insert(kinds_.end(), application.kinds.begin(), application.kinds.end());
  }
  for (const ClusterKind& kind : kinds_) {
    if (std::ranges::find(own_.kinds, kind.kind.name) != own_.kinds.end()) {
      hosted_.push_back(&kind);
    }
  }
  answers_.status = [this] { return status(); };
  answers_.names = [this](const std::string& kind) { return names(kind); };
  answers_.admit = [this] { return admit_voter(); };
  answers_.faulty = out_.faulty;
}

NodeParts::~NodeParts() { static_cast<void>(stop_parts()); }

std::expected<void, NodeEnd> NodeParts::start() {
  for (const std::string& kind : own_.kinds) {
    if (hosted(kind) == nullptr) {
      return failed(exit_code::usage,
                    to_string(ConfigError{own_.place, "this program has no kind \"" + kind +
                                                          "\": remove it from kinds, or run the "
                                                          "program that links it"}));
    }
  }
  if (auto readied = ready_applications(); !readied) return readied;
  if (auto opened = open_stores(); !opened) return opened;
  make_runtime();
  auto result = make_agreement();
  if (result) make_names();
  if (result) result = listen();
  if (result) result = start_processes();
  if (!result) return std::unexpected(stopped(std::move(result.error())));
  return {};
}

std::expected<void, NodeEnd> NodeParts::ready_applications() {
  std::map<std::string, ApplicationEnv> env;
  for (const auto& [name, section] : config_.applications) {
    if (std::ranges::find(applications_, name, &Application::name) == applications_.end()) {
      return failed(exit_code::usage,
                    to_string(ConfigError{section.place,
                                          "this program has no application \"" + name +
                                              "\": remove the section, or run the program that "
                                              "links it"}));
    }
    env.emplace(name, section.env);
  }
  ApplicationEnv& own = env[node_env];
  for (const DistributedSection& section : config_.distributed) {
    const std::string prefix = distributed_env(section.name);
    own.emplace(prefix + "nodes", section.nodes);
    if (section.timeout) own.emplace(prefix + "timeout", format_duration(*section.timeout));
    if (section.sync) own.emplace(prefix + "sync", format_duration(*section.sync));
  }
  auto spec = applications_spec(applications_, std::move(env));
  if (!spec) return failed(exit_code::usage, spec.error());
  applications_child_ = std::move(*spec);
  // A permanent application that has ended is the end of the node.
  applications_child_.restart = Restart::temporary;
  applications_child_.significant = true;
  return {};
}

std::expected<void, NodeEnd> NodeParts::open_stores() {
  StorageOptions options;
  options.description = config_.cluster.journal;
  options.node = own_.name;
  options.cluster_id = config_.cluster.id;
  options.wait = std::chrono::duration_cast<std::chrono::milliseconds>(config_.storage.wait);
  auto opened = out_.outside.open_storage(options);
  if (!opened) return storage_failed(opened.error());
  storage_ = std::move(*opened);
  for (const std::string& warning : storage_.warnings) {
    out_.log.warning(LogModule::journal, warning);
  }
  return {};
}

void NodeParts::make_runtime() {
  detail::RuntimeOptions options;
  options.node = own_.name;
  options.incarnation = incarnation_;
  options.workers =
      static_cast<unsigned>(config_.limits.workers != 0 ? config_.limits.workers : out_.processors);
  options.parked_fibers = config_.limits.parked_fibers;
  options.processes = config_.limits.processes;
  options.mailbox = {config_.mailbox.messages, config_.mailbox.bytes, Overflow::refuse};
  options.stuck_after = config_.limits.stuck_after;
  options.stop_max = stop_max;
  if (rare(out_.rare, "process.one_worker")) options.workers = 1;
  if (rare(out_.rare, "process.one_signal_waits")) options.overflow_signals = 1;
  if (rare(out_.rare, "process.few_fibers")) options.parked_fibers = 256;
  if (rare(out_.rare, "process.small_mailboxes")) options.mailbox.messages = 256;
  if (rare(out_.rare, "process.stuck_at_once")) options.stuck_after = std::chrono::milliseconds(1);
  runtime_ = std::make_unique<detail::Runtime>(
      options, detail::RuntimePorts{out_.clock, out_.random, out_.executor, out_.log});
  for (unsigned i = 0; i < options.workers; ++i) {
    watch_slots_.push_back(out_.page.running().claim());
  }
  runtime_->set_watch(this);
}

std::expected<void, NodeEnd> NodeParts::make_agreement() {
  const auto history = claim_storage();
  if (!history) return storage_failed(history.error());
  LeaseTiming timing;
  timing.interval = config_.lease.interval;
  timing.length = config_.lease.length;
  timing.partial_evict = config_.lease.partial_evict;
  if (rare(out_.rare, "agreement.evicts_soon")) timing.partial_evict /= 5;
  std::vector<std::string> configured;
  for (const NodeSection& node : config_.nodes) configured.push_back(node.name);
  const bool predecessor_dead = out_.state.proven_dead().has_value();
  const auto notice = [this](std::string_view text) { out_.log.info(LogModule::registry, text); };
  if (config_.cluster.agreement == AgreementEngine::voters) {
    VoterAgreementOptions options;
    options.member.self = own_member();
    options.member.config_digest = config_digest(config_);
    options.member.voters = config_.cluster.voters;
    options.member.timing = timing;
    options.member.predecessor_dead = predecessor_dead;
    options.member.protections = out_.protections.lease;
    options.protections = out_.protections.voter;
    options.configured = std::move(configured);
    options.cluster_id = config_.cluster.id;
    options.history = *history;
    voter_disk_ = out_.outside.open_voter_disk(own_.state_dir);
    auto driver = VoterAgreementDriver::open(std::move(options), voter_disk_.get(), *this,
                                             out_.clock, out_.random, out_.executor, *this, notice);
    if (!driver) return storage_failed(driver.error());
    voters_ = driver->get();
    if (voters_->history() > *history) {
      const auto raised = raise_history(*storage_.agreement, voters_->history());
      if (!raised) return storage_failed(raised.error());
    }
    agreement_ = std::move(*driver);
  } else {
    AgreementOptions options;
    options.self = own_member();
    options.config_digest = config_digest(config_);
    options.configured = std::move(configured);
    options.timing = timing;
    options.predecessor_dead = predecessor_dead;
    options.protections = out_.protections.agreement;
    agreement_ = std::make_unique<StoreAgreementDriver>(std::move(options), *storage_.agreement,
                                                        out_.clock, out_.executor, *this, notice);
  }
  if (out_.protections.gate) runtime_->gate().follow(agreement_->gate());
  return {};
}

// Storage that stumbles while a node starts costs the node no start.
StorageResult<std::uint64_t> NodeParts::claim_storage() {
  const Time end = after(out_.clock.now(), claim_waits * config_.storage.wait);
  for (;;) {
    auto claimed = claim_for_engine(*storage_.agreement, word_of(config_.cluster.agreement));
    const bool later = !claimed && claimed.error().code == StorageError::Code::unavailable;
    if (!later || stop_requested_.load() || out_.clock.now() >= end) return claimed;
    out_.executor.wait(
        this, [this] { return stop_requested_.load(); },
        after(out_.clock.now(), config_.storage.wait / 4));
  }
}

void NodeParts::make_names() {
  names_driver_ =
      config_.cluster.names == NameKeeper::members ? make_directory() : make_store_names();
  std::set<std::string, std::less<>> kinds;
  for (const ClusterKind& kind : kinds_) kinds.insert(kind.kind.name);
  cluster_names_ =
      std::make_unique<NodeNames>(*names_driver_, out_.clock, kinds, *storage_.names, out_.rare);
  names_ = std::make_unique<LocalNames>(cluster_names_.get());
  names_->add_cluster(detail::global_registry, true);
  for (const std::string& kind : kinds) names_->add_cluster(kind);
  runtime_->set_names(names_.get());

  appends_ = out_.executor.make_strand("journal");
  opens_ = out_.executor.make_strand("replay");
  WriterLimits limits;
  if (rare(out_.rare, "journal.batches_of_one")) limits.batch_requests_max = 1;
  if (rare(out_.rare, "journal.queue_of_two")) limits.requests_max = 2;
  if (rare(out_.rare, "journal.small_batches")) limits.batch_bytes_max = 64;
  if (rare(out_.rare, "journal.small_queue")) limits.bytes_max = 4096;
  limits.bounded = out_.protections.queues_bounded;
  journal_ = std::make_unique<JournalWriter>(
      *storage_.streams, *appends_, *opens_, limits,
      JournalHabits{.snapshots_often = rare(out_.rare, "journal.snapshots_often"),
                    .requests_bounded = out_.protections.requests_bounded});
  runtime_->set_journals(journal_.get());
}

Member NodeParts::own_member() const {
  Member member;
  member.name = own_.name;
  member.incarnation = incarnation_;
  member.address = own_.advertise;
  member.client_address = own_.client_advertise;
  member.kinds = own_.kinds;
  member.weight = own_.weight;
  return member;
}

std::expected<void, NodeEnd> NodeParts::listen() {
  auto options = transport_options(config_, own_, incarnation_, out_.guardian_key);
  narrow(options);
  options.admission = out_.admission;
  options.view_hint = [this](std::uint64_t) { hint_agreement(); };
  if (voters_ != nullptr) {
    options.history = voters_->history();
    options.note = [this](const std::string& node, BytesView note) {
      voters_->received(node, note);
    };
    options.outlived = [this](std::uint64_t counter) { voters_->refused_as_dead(counter); };
  }
  auto links = out_.outside.open_links(std::move(options), *this);
  if (!links) return failed(exit_code::failure, links.error().message);
  links_ = std::move(*links);
  runtime_->set_distribution(links_.get());
  links_ready_.store(true);

  if (!own_.client_listen.empty()) {
    gateway_ = std::make_unique<ClientGateway>(
        *runtime_, kinds_,
        ClientGateway::Options{.calls_max = rare(out_.rare, "gateway.three_calls")
                                                ? std::size_t{3}
                                                : ClientGateway::Options{}.calls_max});
    ClientListenerOptions clients;
    clients.cluster_id = config_.cluster.id;
    clients.node = own_.name;
    clients.incarnation = incarnation_;
    clients.listen = own_.client_listen;
    clients.admission = out_.admission;
    auto door = out_.outside.open_clients(
        std::move(clients), *gateway_,
        [this](const DeathNotice& notice) { return take_notice(notice); });
    if (!door) return failed(exit_code::failure, door.error().message);
    clients_ = std::move(*door);
    gateway_->set_door(clients_.get());
    clients_->serve();
  }

  links_->set_members(member_addresses(config_, config_, own_.name));
  return {};
}

std::expected<void, NodeEnd> NodeParts::start_processes() {
  thread_ = std::make_unique<detail::AttachedThread>(*runtime_, "main");
  std::vector<ChildSpec> children;
  children.push_back(child<NodeServer>("coterie.node", {.name = local("coterie.node")}, &answers_));
  constexpr auto* global_server = detail::GlobalServer::local_name;
  children.push_back(child<detail::GlobalServer>(global_server, {.name = local(global_server)}));
  for (const ClusterKind* kind : hosted_) {
    detail::ClusterInstanceOptions options;
    options.name = kind->kind.name;
    options.kind = kind->kind;
    options.starts_in_flight = rare(out_.rare, "supervision.one_start_at_a_time")
                                   ? 1
                                   : config_.supervision.start_in_flight;
    options.quarantine_deaths = config_.supervision.quarantine_deaths;
    options.quarantine_window = config_.supervision.quarantine_window;
    if (rare(out_.rare, "supervision.one_handover_at_a_time")) options.handovers_in_flight = 1;
    if (rare(out_.rare, "supervision.rows_one_by_one")) options.rows_per_commit = 1;
    if (rare(out_.rare, "supervision.one_local_try")) options.local_tries = 1;
    if (rare(out_.rare, "supervision.looks_often")) options.sweep /= 30;
    options.rare = out_.rare;
    options.mutations = {.claim_without_compare = !out_.protections.claims_compared,
                         .judge_newer_rows = !out_.protections.newer_specs_wait,
                         .adopt_during_erase = !out_.protections.erased_stays};
    children.push_back(detail::ClusterInstance::child_spec(
        detail::ClusterPorts{*storage_.names, *agreement_, *this}, std::move(options)));
  }
  children.push_back(applications_child_);
  // What others may ask of the applications: after them, so it is there as long as they are.
  for (ChildSpec& served : served_children()) children.push_back(std::move(served));
  SupervisorOptions options;
  options.label = "node";
  options.auto_shutdown = AutoShutdown::any_significant;
  const auto top = Supervisor::start_link(std::move(children), options);
  if (!top) return failed(exit_code::failure, "the node's processes: " + to_string(top.error()));
  top_ = *top;
  lease_strand_ = out_.executor.make_strand("lease");
  schedule_lease_watch(*lease_strand_);
  if (out_.admission && out_.changed_config) {
    keys_strand_ = out_.executor.make_strand("keys");
    schedule_keys_watch(*keys_strand_);
  }
  agreement_->start();
  out_.log.info(LogModule::node, "node started",
                {{"incarnation", incarnation_},
                 {"listen", links_->address()},
                 {"clients", clients_ ? clients_->address() : std::string("none")}});
  return {};
}

std::vector<ChildSpec> NodeParts::served_children() const {
  std::vector<erpc::Function> functions;
  std::vector<Kind> startable;
  for (const Application& application : applications_) {
    functions.insert(functions.end(), application.functions.begin(), application.functions.end());
    startable.insert(startable.end(), application.startable.begin(), application.startable.end());
  }
  std::vector<ChildSpec> children = remote_start_children(std::move(startable));
  ChildSpec& spec = children.emplace_back();
  spec.id = "coterie.erpc";
  spec.start = [functions = std::move(functions)] { return erpc::start_link(functions); };
  return children;
}

const ClusterKind* NodeParts::hosted(std::string_view kind) const {
  for (const ClusterKind& known : kinds_) {
    if (known.kind.name == kind) return &known;
  }
  return nullptr;
}

}  // namespace coterie
