#pragma once
// All outboxes of a node, one per peer, and which session each is open for. Every send looks one
// up, from any thread, so that takes no lock: slots are added and never removed, and whoever has
// the turn says in each which session it stands for. Peers are as many as the cluster file ever
// named.

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transport/zmq_outbox.hpp"

namespace coterie {

class ZmqOutboxes {
 public:
  ZmqOutboxes() = default;
  ~ZmqOutboxes() {
    for (Block* block = first_.next.load(std::memory_order_relaxed); block != nullptr;) {
      delete std::exchange(block, block->next.load(std::memory_order_relaxed));
    }
  }
  ZmqOutboxes(const ZmqOutboxes&) = delete;
  ZmqOutboxes& operator=(const ZmqOutboxes&) = delete;

  // ---- any thread
  /// The outbox that is open for a session with that incarnation, or null. It lives as long as this
  /// object; its session may be over by the time it is used, and then it refuses.
  ZmqOutbox* find(NodeId node) noexcept {
    ZmqOutbox* found = nullptr;
    for_each([&](Slot& slot) {
      // Acquire pairs with the release in open().
      const bool here = slot.open_for.load(std::memory_order_acquire) == node;
      if (here) found = slot.outbox.get();
      return !here;
    });
    return found;
  }
  /// The connected incarnation of that name, or NodeId::none.
  NodeId named(std::string_view name) const noexcept {
    NodeId found = NodeId::none;
    for_each([&](const Slot& slot) {
      const bool here = slot.outbox->name() == name;
      if (here) found = slot.open_for.load(std::memory_order_acquire);
      return !here;
    });
    return found;
  }
  std::vector<Peer> peers() const {
    std::vector<Peer> peers;
    for_each([&](const Slot& slot) {
      if (auto peer = slot.outbox->peer()) peers.push_back(std::move(*peer));
      return true;
    });
    return peers;
  }

  // ---- one thread at a time
  /// A slot's outbox, closed.
  ZmqOutbox& add(std::string name, NodeId self, const StreamOptions& options) {
    Block* block = &first_;
    while (Block* next = block->next.load(std::memory_order_relaxed)) block = next;
    std::size_t used = block->used.load(std::memory_order_relaxed);
    if (used == block_slots) {
      auto* const fresh = new Block;
      block->next.store(fresh, std::memory_order_release);
      block = fresh;
      used = 0;
    }
    Slot& slot = block->slots[used];
    slot.outbox = std::make_unique<ZmqOutbox>(std::move(name), self, options);
    // Release pairs with the acquire in for_each(): who counts a slot sees its outbox.
    block->used.store(used + 1, std::memory_order_release);
    return *slot.outbox;
  }
  void open(ZmqOutbox& outbox, const Peer& peer) {
    outbox.open(peer);
    slot_of(outbox).open_for.store(peer.incarnation.id, std::memory_order_release);
  }
  void close(ZmqOutbox& outbox) {
    slot_of(outbox).open_for.store(NodeId::none, std::memory_order_release);
    outbox.close();
  }
  void close_all() {
    for_each([this](Slot& slot) {
      close(*slot.outbox);
      return true;
    });
  }

 private:
  static constexpr std::size_t block_slots = 16;
  struct Slot {
    std::atomic<NodeId> open_for{NodeId::none};
    std::unique_ptr<ZmqOutbox> outbox;
  };
  struct Block {
    std::array<Slot, block_slots> slots;
    std::atomic<std::size_t> used{0};
    std::atomic<Block*> next{nullptr};
  };

  template <class Self, class Visit>
  static void visit_all(Self& self, Visit visit) {
    // Acquire pairs with the release in add().
    for (auto* block = &self.first_; block != nullptr;
         block = block->next.load(std::memory_order_acquire)) {
      const std::size_t used = block->used.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < used; ++i) {
        if (!visit(block->slots[i])) return;
      }
    }
  }
  template <class Visit>
  void for_each(Visit visit) {
    visit_all(*this, visit);
  }
  template <class Visit>
  void for_each(Visit visit) const {
    visit_all(*this, visit);
  }
  Slot& slot_of(const ZmqOutbox& outbox) noexcept {
    Slot* found = nullptr;
    for_each([&](Slot& slot) {
      if (slot.outbox.get() == &outbox) found = &slot;
      return found == nullptr;
    });
    return *found;
  }

  Block first_;
};

}  // namespace coterie
