#pragma once
// A sink that keeps what was logged, for tests and the simulator. Thread-safe; unbounded, so not
// for nodes that run long.

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <coterie/log.hpp>

namespace coterie {

class CapturedLog final : public LogSink {
 public:
  struct Entry {
    WallTime time;
    LogLevel level;
    LogModule module;
    std::string node, message;
    std::vector<std::pair<std::string, std::string>> fields;

    /// The field's text, "" if there is none of that name.
    std::string field(std::string_view key) const {
      const auto found =
          std::ranges::find(fields, key, &std::pair<std::string, std::string>::first);
      return found == fields.end() ? "" : found->second;
    }
  };

  void write(const LogRecord& record) noexcept override {
    Entry entry{record.time,
                record.level,
                record.module,
                std::string(record.node),
                std::string(record.message),
                {}};
    for (const auto& field : record.fields) {
      entry.fields.emplace_back(std::string(field.key), field.value.text());
    }
    std::lock_guard lock(mutex_);
    entries_.push_back(std::move(entry));
  }

  std::vector<Entry> entries() const {
    std::lock_guard lock(mutex_);
    return entries_;
  }
  void clear() {
    std::lock_guard lock(mutex_);
    entries_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace coterie
