#pragma once
// The thread that looks up names of peers. Lookups may take seconds and cannot be interrupted, so
// its destructor does not wait for one that is under way: that one ends by itself and touches only
// what it owns.

#include <functional>
#include <memory>
#include <string>

namespace coterie {

class ZmqResolver {
 public:
  ZmqResolver();
  ~ZmqResolver();
  ZmqResolver(const ZmqResolver&) = delete;
  ZmqResolver& operator=(const ZmqResolver&) = delete;

  /// `done(number, error)` is called on the resolver's thread, one of the two empty; never after
  /// the destructor has returned. At most one lookup per key waits; a later one replaces it.
  using Done = std::function<void(std::string number, std::string error)>;
  void resolve(const std::string& key, std::string host, Done done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace coterie
