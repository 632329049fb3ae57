#pragma once
// The port that sends a run down paths which it would hardly ever take: a hint that is lost, a
// queue of one. The simulator takes them by seed and counts; a real node has none, so that a point
// costs one comparison with null. A point must be something that can happen anyway, at any time:
// what it leads to is right, only seldom.

#include <string_view>

namespace coterie {

class RarePaths {
 public:
  virtual ~RarePaths() = default;
  /// Whether the path of that name is taken this time.
  virtual bool take(std::string_view name) noexcept = 0;
};

inline bool rare(RarePaths* paths, std::string_view name) noexcept {
  return paths != nullptr && paths->take(name);
}

}  // namespace coterie
