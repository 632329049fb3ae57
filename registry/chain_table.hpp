#pragma once
// A hash table of nodes that bring their own link and hash: inserting and erasing allocate nothing,
// so they can be done under a spin lock. Who inserts asks first whether there is room, and makes
// some outside the lock. Not thread-safe.

#include <cstddef>
#include <utility>
#include <vector>

namespace coterie::detail {

template <class Node, Node* Node::*next, const std::size_t Node::*hash>
class ChainTable {
 public:
  using Room = std::vector<Node*>;

  /// Half full: each node passed on the way to another one is a cache miss.
  bool full() const noexcept { return size_ >= chains_.size() / 2; }
  std::size_t size() const noexcept { return size_; }
  /// How large the room for its next growth is.
  std::size_t next_room() const noexcept { return chains_.empty() ? 8 : chains_.size() * 2; }
  /// Moves into `room`, which was made with next_room(); leaves the old one there.
  void grow(Room& room) noexcept {
    chains_.swap(room);
    for (Node* chain : room) {
      Node* oldest_first = nullptr;
      while (chain != nullptr) {
        Node* const node = std::exchange(chain, chain->*next);
        node->*next = std::exchange(oldest_first, node);
      }
      while (oldest_first != nullptr) {
        put(*std::exchange(oldest_first, oldest_first->*next));
      }
    }
  }

  void insert(Node& node) noexcept {
    put(node);
    ++size_;
  }
  /// The newest of those with that hash that `is_it`; asked from the newest to the oldest.
  template <class IsIt>
  Node* find(std::size_t wanted, const IsIt& is_it) const noexcept {
    if (chains_.empty()) return nullptr;
    for (Node* node = chain_of(wanted); node != nullptr; node = node->*next) {
      if (node->*hash == wanted && is_it(*node)) return node;
    }
    return nullptr;
  }
  void erase(Node& node) noexcept {
    Node** link = &chains_[(node.*hash) & (chains_.size() - 1)];
    while (*link != &node) link = &((*link)->*next);
    *link = node.*next;
    --size_;
  }
  /// Puts `other` in the place of `node`, which has the same hash.
  void replace(Node& node, Node& other) noexcept {
    Node** link = &chains_[(node.*hash) & (chains_.size() - 1)];
    while (*link != &node) link = &((*link)->*next);
    other.*next = node.*next;
    *link = &other;
  }
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (Node* node : chains_) {
      while (node != nullptr) visit(*std::exchange(node, node->*next));
    }
  }
  void clear() noexcept {
    for (Node*& chain : chains_) chain = nullptr;
    size_ = 0;
  }

 private:
  Node* chain_of(std::size_t wanted) const noexcept {
    return chains_[wanted & (chains_.size() - 1)];
  }
  void put(Node& node) noexcept {
    Node*& chain = chains_[(node.*hash) & (chains_.size() - 1)];
    node.*next = chain;
    chain = &node;
  }

  Room chains_;
  std::size_t size_ = 0;
};

/// True if `table` has room. Else makes some, without the lock: look at everything again.
template <class Guard, class Table>
bool has_room(Guard& guard, Table& table) {
  if (!table.full()) return true;
  const std::size_t size = table.next_room();
  guard.unlock();
  typename Table::Room room(size, nullptr);
  guard.lock();
  if (table.full() && table.next_room() == size) table.grow(room);
  return false;
}

}  // namespace coterie::detail
