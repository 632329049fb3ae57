#pragma once
// The parts of a cluster's node and how they are tied together. One object per node, made and run
// by one plain thread; its callbacks come from the agreement's, the links' and the clients'
// threads. Members are declared in the order in which they are made; they go in the reverse order.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "journal/group_commit.hpp"
#include "node/client_gateway.hpp"
#include "node/cluster_node.hpp"
#include "node/node_names.hpp"
#include "node/node_server.hpp"
#include "node/peer_rights.hpp"
#include "process/ports/placement.hpp"
#include "process/runtime.hpp"
#include "registry/agreement_driver.hpp"
#include "registry/directory_driver.hpp"
#include "registry/local_names.hpp"
#include "registry/names_driver.hpp"
#include "registry/voter_agreement_driver.hpp"

namespace coterie {

class NodeParts final : public AgreementEvents,
                        public DistributionEvents,
                        public Notes,
                        public CallbackWatch,
                        public Placement {
 public:
  NodeParts(const ClusterConfig& config, const NodeSection& own,
            std::vector<Application> applications, NodeSurroundings surroundings);
  ~NodeParts() override;

  std::expected<void, NodeEnd> start();
  void request_stop();
  NodeEnd wait();

  /// The program is killed, says the simulator, which has cut everything around it: ends without
  /// draining.
  void halt();
  // For the simulator, between two steps of its one thread; null until start() has made them.
  detail::Runtime* runtime() const noexcept { return runtime_.get(); }
  const Agreement* agreement() const noexcept { return agreement_.get(); }
  const NamesDriver* names_driver() const noexcept { return names_driver_.get(); }
  const JournalWriter* journal() const noexcept { return journal_.get(); }
  const Directory* directory() const noexcept {
    return directory_ == nullptr ? nullptr : &directory_->directory();
  }

 private:
  // Starting, in this order.
  std::expected<void, NodeEnd> ready_applications();
  std::expected<void, NodeEnd> open_stores();
  void make_runtime();
  std::expected<void, NodeEnd> make_agreement();
  StorageResult<std::uint64_t> claim_storage();
  void make_names();
  void narrow(TransportOptions& options) const;
  std::unique_ptr<NamesDriver> make_store_names();
  std::unique_ptr<NamesDriver> make_directory();
  std::expected<void, NodeEnd> listen();
  std::expected<void, NodeEnd> start_processes();

  // Stopping.
  void drain();
  bool stop_parts();  // false: a callback does not return, and everything stays as it is
  NodeEnd stopped(NodeEnd end);

  // The lease, seen by the guardian and by what waits for it.
  void watch_lease();
  void schedule_lease_watch(Strand& strand);

  // Keys that change while the node runs.
  void watch_keys();
  void schedule_keys_watch(Strand& strand);

  // AgreementEvents
  void view_installed(std::shared_ptr<const View> view) override;
  void state_changed(NodeState state, std::string_view why) override;
  // DistributionEvents
  void node_up(const Peer& peer) override;
  void deliver(NodeId from, Envelope&& envelope) override;
  void node_down(const Peer& peer, std::string_view why, bool confirmed) override;
  void writable(NodeId node) override;
  void tell_heard_peers();
  SendResult send_to_directory(NodeId node, Bytes& bytes);
  void directory_is_silent(NodeId node, bool silent);
  void hint_agreement();
  // Notes
  void send_note(std::string_view node, Bytes note) override;
  // CallbackWatch
  void enter(unsigned worker, std::string_view name) noexcept override;
  void leave(unsigned worker) noexcept override;
  // Placement
  std::vector<std::string> homes(const View& view, std::string_view kind,
                                 std::string_view key) const override;

  NoticeTaken take_notice(const DeathNotice& notice);
  NodeStatus status();
  void tell_mailboxes(NodeStatus& status);
  std::vector<std::string> names(const std::string& kind);
  std::string admit_voter();
  const ClusterKind* hosted(std::string_view kind) const;
  std::vector<ChildSpec> served_children() const;
  Member own_member() const;
  NodeEnd end_of(const Departure& departure);

  const ClusterConfig& config_;
  const NodeSection& own_;
  const std::vector<Application> applications_;
  ChildSpec applications_child_;            // that starts them all
  std::vector<ClusterKind> kinds_;          // of all applications
  std::vector<const ClusterKind*> hosted_;  // those that this node's configuration lists
  NodeSurroundings out_;
  const Incarnation incarnation_;
  const Time started_at_;
  PeerRights rights_;

  StorageSet storage_;
  std::unique_ptr<detail::Runtime> runtime_;
  std::vector<std::optional<std::size_t>> watch_slots_;  // per worker, in the guardian's page
  std::unique_ptr<VoterDisk> voter_disk_;
  std::unique_ptr<AgreementDriver> agreement_;
  VoterAgreementDriver* voters_ = nullptr;  // the same, with that engine
  std::unique_ptr<NamesDriver> names_driver_;
  DirectoryDriver* directory_ = nullptr;  // the same, when the members keep the names
  std::unique_ptr<NodeNames> cluster_names_;
  std::unique_ptr<LocalNames> names_;
  std::unique_ptr<Strand> appends_, opens_;
  std::unique_ptr<JournalWriter> journal_;
  std::unique_ptr<Links> links_;
  std::unique_ptr<ClientGateway> gateway_;
  std::unique_ptr<ClientDoor> clients_;
  std::unique_ptr<detail::AttachedThread> thread_;
  NodeServer::Answers answers_;
  std::optional<Pid> top_;  // the supervisor of everything
  std::unique_ptr<Strand> lease_strand_;
  std::unique_ptr<Strand> keys_strand_;  // reads the cluster file; none without keys

  std::mutex mutex_;
  std::shared_ptr<const View> view_;
  std::set<std::string> heard_;
  std::set<std::string> silent_;  // their directories, in view_
  std::atomic<NodeState> state_{NodeState::joining};
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> halted_{false};
  std::atomic<bool> over_{false};      // the agreement is through with this incarnation
  std::atomic<bool> top_lost_{false};  // the top supervisor gave up
  std::atomic<bool> links_ready_{false};
  Time acknowledged_{};  // of the lease watch
};

}  // namespace coterie
