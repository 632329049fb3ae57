#pragma once
// Runs the decisions of a Directory on a node. Whoever brings an event, a process that asks, the
// links that deliver, carries out what follows at once on its own thread, and what others bring
// meanwhile as well (flat combining: Hendler et al., SPAA 2010): a name costs a round trip and no
// hand-off between threads. A view, which may move a million names, and a queue that does not end
// are left to a strand. Owned by the node; functions may be called from any thread and never block.

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "process/ports/distribution.hpp"
#include "process/ports/executor.hpp"
#include "registry/directory.hpp"
#include "registry/directory_codec.hpp"
#include "registry/names_driver.hpp"

namespace coterie {

class DirectoryDriver final : public NamesDriver {
 public:
  /// What the directory asks of its node. Called by one thread at a time; must not block.
  struct Surroundings {
    /// To the directory of another member, in order. `busy`: the bytes are kept by the caller, and
    /// writable() is called when there is room.
    std::function<SendResult(NodeId to, Bytes& bytes)> send;
    std::function<void()> newer_view;                      // Agreement::hint
    std::function<void(NodeId node, bool silent)> silent;  // Directory::Silent, Spoken
    std::function<void(std::string_view)> notice;          // lines for the log
  };
  struct Options {
    DirectoryOptions directory;
    std::size_t cache_max = 100'000;
    bool cache_bounded = true;                       // false: a mutant of tests
    std::size_t message_bytes = 48u << 10;           // of requests and answers sent together, about
    std::size_t held_bytes = std::size_t{64} << 20;  // for a member whose window is full; beyond it
                                                     // messages are lost, and sent again later
    std::size_t events_of_others = 256;              // that a caller carries out
  };

  /// `clock` and `executor` outlive the driver.
  DirectoryDriver(Options options, const Clock& clock, Executor& executor,
                  Surroundings surroundings);
  /// Waits for what is under way; callbacks not yet run are dropped. Not from a callback.
  ~DirectoryDriver() override;

  void stop(std::string why) override;
  std::size_t changes_pending() const noexcept override {
    return posted_.load() + changes_pending_.load();
  }

  /// What another node's directory has sent. False: that is nothing of a directory's.
  bool received(NodeId from, BytesView bytes);
  /// A window that was full has room.
  void writable();
  /// A session with that node has begun, or its session was lost.
  void connected(NodeId node);
  void disconnected(NodeId) { writable(); }

  /// The decisions, for a simulation between two steps of its one thread.
  const Directory& directory() const noexcept { return core_; }

 private:
  struct Retry {};  // what was held back
  struct Timer {
    std::uint64_t number = 0;
  };
  using Event = std::variant<Directory::Event, Retry, Timer>;
  struct Held {
    std::deque<Bytes> messages;
    std::size_t bytes = 0;
  };

  void ask(Asked asked) override;
  void install(std::shared_ptr<const View> view) override;
  void post(Event event);
  template <class Events>
  void post_all(Events&& events);
  bool leave_to_strand(std::size_t carried_out, const std::vector<Event>& events) const;
  void carry_out_all(bool on_strand);
  void carry_out(Event& event);
  void perform(Directory::Action& action);
  void send(NodeId to, const directory::Message& message);
  void flush();
  void transmit(NodeId to, Bytes bytes);
  void retry();

  const Options options_;
  const Clock& clock_;
  Executor& executor_;
  const Surroundings out_;

  // Of whoever carries out.
  Directory core_;
  std::map<NodeId, directory::MessageWriter> sending_;
  std::map<NodeId, Held> held_;
  std::uint64_t timer_ = 0;  // the latest

  std::atomic<std::size_t> changes_pending_ = 0;
  std::atomic<std::size_t> posted_ = 0;  // raised before and lowered after pending's change
  std::atomic<bool> holds_back_ = false;
  std::mutex mutex_;  // of the rest
  std::vector<Event> events_;
  bool busy_ = false;       // somebody carries out, or the strand has been asked to
  bool on_strand_ = false;  // the latter
  bool closed_ = false;
  std::unique_ptr<Strand> strand_;
};

}  // namespace coterie
