// The power is cut at every write and every sync that SQLite makes for a workload of several
// streams and owners. What had been synced is there; of what had not, any part may be. Each time
// the journal must open, hold everything that was acknowledged, in order and once, nothing that was
// never asked for, and take the next append.

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "journal/sqlite_streams.hpp"
#include "process/seeded_random.hpp"
#include "tests/journal/engines.hpp"
#include "tests/journal/recording_vfs.hpp"

namespace coterie::test {
namespace {

namespace fs = std::filesystem;
using Kind = DiskOperation::Kind;

constexpr std::uint64_t sector = 512;
constexpr std::size_t streams_count = 5;
constexpr std::size_t appends_count = 2'250;
constexpr std::uint64_t snapshot_every = 9;  // and every other stream is trimmed behind them

StorageResult<StorageSet> open_at(const std::string& directory) {
  return open_storage({.description = "sqlite:" + directory, .node = "a", .cluster_id = "cuts"});
}

std::string stream_name(std::size_t stream) { return "contracts/" + std::to_string(stream); }

/// Different for each event, and sometimes over several pages.
Bytes payload(std::size_t stream, std::uint64_t sequence) {
  return Bytes((stream * 31 + sequence * 17) % (sequence % 40 == 0 ? 9'000 : 60), 'p') +
         std::to_string(stream) + '.' + std::to_string(sequence);
}

/// A snapshot's, over several pages now and then.
Bytes state(std::size_t stream, std::uint64_t sequence) {
  return Bytes(sequence % 27 == 0 ? 9'000 : 300, 's') + payload(stream, sequence);
}

/// A file's bytes, those that are synced and the changes since.
struct Image {
  std::string durable;
  bool exists = false;
  std::vector<const DiskOperation*> pending;
};

void apply(std::string& bytes, const DiskOperation& operation, std::uint64_t from,
           std::uint64_t to) {
  if (operation.kind == Kind::truncate) {
    bytes.resize(operation.offset);
    return;
  }
  if (bytes.size() < operation.offset + to) bytes.resize(operation.offset + to);
  bytes.replace(operation.offset + from, to - from, operation.bytes, from, to - from);
}

class Disk {
 public:
  /// `lies`: a sync is answered and does nothing.
  explicit Disk(const std::string& directory, bool lies = false) : lies_(lies) {
    for (const auto& entry : fs::directory_iterator(directory)) {
      const std::string path = entry.path();
      if (!entry.is_regular_file() || path.ends_with("-shm")) continue;
      std::ifstream in(path, std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      files_[path] = {text.str(), true, {}};
    }
  }

  void take(const DiskOperation& operation) {
    if (operation.kind == Kind::note) return;
    if (operation.file.ends_with("-shm")) return;
    Image& image = files_[operation.file];
    if (operation.kind == Kind::remove) {
      image = {};
      return;
    }
    image.exists = true;
    if (operation.kind != Kind::sync) {
      image.pending.push_back(&operation);
      return;
    }
    if (lies_) return;
    for (const DiskOperation* one : image.pending) apply(image.durable, *one, 0, one->bytes.size());
    image.pending.clear();
  }

  /// As a cut now leaves it: of each change since the last sync all, nothing, or some sectors.
  void put(const std::string& directory, SeededRandom& random) const {
    for (const auto& entry : fs::directory_iterator(directory)) fs::remove(entry);
    for (const auto& [path, image] : files_) {
      if (!image.exists) continue;
      std::string bytes = image.durable;
      for (const DiskOperation* one : image.pending) {
        const std::uint64_t choice = random.below(4);
        if (choice == 0) continue;
        if (choice < 3 || one->kind == Kind::truncate) {
          apply(bytes, *one, 0, one->bytes.size());
          continue;
        }
        for (std::uint64_t at = 0; at < one->bytes.size(); at += sector) {
          const std::uint64_t end = std::min<std::uint64_t>(at + sector, one->bytes.size());
          if (random.below(2) == 0) apply(bytes, *one, at, end);
        }
      }
      std::ofstream out(fs::path(directory) / fs::path(path).filename(), std::ios::binary);
      out << bytes;
    }
  }

 private:
  bool lies_;
  std::map<std::string, Image> files_;
};

struct Progress {
  std::map<std::string, std::uint64_t> asked, acknowledged;  // events of each stream
};

/// Every note is one append: an even one when it is asked, the next odd one when it is answered.
std::vector<DiskOperation> work(const std::string& directory) {
  auto storage = open_at(directory).value();
  record_disk(true);
  std::map<std::size_t, std::uint64_t> sequences;
  std::uint64_t view = 1;
  SeededRandom random(7);
  for (std::size_t i = 0; i < appends_count; ++i) {
    // Now and then an owner is followed by another one, which raises the fence durably.
    if (i % 100 == 0) {
      ++view;
      for (std::size_t stream = 0; stream < streams_count; ++stream) {
        EXPECT_TRUE(storage.streams->open(stream_name(stream), {view, 0}));
      }
    }
    // Several streams in one commit.
    std::vector<Append> batch;
    std::vector<std::size_t> in_batch;
    for (std::size_t stream = 0; stream < streams_count; ++stream) {
      if (random.below(3) != 0) continue;
      in_batch.push_back(stream);
      const std::uint64_t next = sequences[stream] + 1;
      batch.push_back(
          {stream_name(stream),
           {view, 0},
           next,
           {{.request_id = "r" + std::to_string(next), .payload = payload(stream, next)}}});
      if (next % snapshot_every == 0) {
        batch.back().snapshot = state(stream, next);
        batch.back().trim = stream % 2 == 0;
      }
    }
    if (batch.empty()) continue;
    for (const std::size_t stream : in_batch) note_on_disk(2 * stream);
    const auto answers = storage.streams->append(batch);
    EXPECT_TRUE(answers);
    for (const std::size_t stream : in_batch) {
      ++sequences[stream];
      note_on_disk(2 * stream + 1);
    }
  }
  record_disk(false);
  return take_disk_operations();
}

/// The newest snapshot that belongs there, as it was taken, and every event after it.
std::string judge_entries(std::size_t stream, std::uint64_t last,
                          const std::vector<Event>& entries) {
  const std::uint64_t base = last - last % snapshot_every;
  std::uint64_t next = base + 1;
  for (const Event& one : entries) {
    const bool first = &one == &entries.front();
    if (first && base != 0) {
      if (one.kind != Event::Kind::snapshot || one.sequence != base ||
          one.payload != state(stream, base)) {
        return " does not begin with its snapshot of event " + std::to_string(base);
      }
      continue;
    }
    if (one.kind != Event::Kind::event || one.sequence != next ||
        one.payload != payload(stream, next)) {
      return ": event " + std::to_string(next) + " is another one";
    }
    ++next;
  }
  return {};
}

/// What is wrong after a cut; empty: nothing.
std::string judge(const std::string& directory, const Progress& progress) {
  auto streams = SqliteStreams::open({.directory = directory, .node = "a", .cluster_id = "cuts"});
  if (!streams) return "does not open: " + streams.error().message;
  std::vector<Opening> openings;
  for (std::size_t i = 0; i < streams_count; ++i) openings.push_back({stream_name(i), {1'000, 0}});
  const auto opened = (*streams)->open_many(openings);
  if (!opened) return "streams are not opened: " + opened.error().message;
  for (std::size_t stream = 0; stream < streams_count; ++stream) {
    const std::string name = stream_name(stream);
    const auto& events = (*opened)[stream];
    if (!events) return name + " is not read: " + events.error().message;
    const auto find = [&](const auto& counts) {
      const auto found = counts.find(name);
      return found == counts.end() ? std::uint64_t{0} : found->second;
    };
    const std::uint64_t last = events->empty() ? 0 : events->back().sequence;
    if (last < find(progress.acknowledged)) {
      return name + " has lost an acknowledged event: it ends with " + std::to_string(last) +
             " of " + std::to_string(find(progress.acknowledged));
    }
    if (last > find(progress.asked)) return name + " has an event that nobody asked for";
    if (auto wrong = judge_entries(stream, last, *events); !wrong.empty()) return name + wrong;
  }
  const std::uint64_t last = (*opened)[0]->empty() ? 0 : (*opened)[0]->back().sequence;
  const Append next{stream_name(0), {1'000, 0}, last + 1, {{.payload = "next"}}};
  const auto appended = (*streams)->append({&next, 1});
  if (!appended || !appended->front()) return "does not take the next append";
  return {};
}

class PowerCut : public testing::Test {
 protected:
  PowerCut() {
    install_recording_vfs();
    // The first files are made whole under another name: that is tried by processes that are
    // killed (sqlite_test.cpp).
    EXPECT_TRUE(open_at(source));
    untouched.emplace(source);
    lying.emplace(source, true);
    operations = work(source);
    for (const DiskOperation& one : operations) boundaries += one.kind != Kind::note ? 1 : 0;
  }
  ~PowerCut() override {
    fs::remove_all(source);
    fs::remove_all(target);
  }

  /// One cut after each `step` operations, until something is wrong.
  std::string cut(Disk disk, std::size_t step) {
    SeededRandom random(11);
    Progress progress;
    std::size_t at = 0;
    for (const DiskOperation& one : operations) {
      if (one.kind == Kind::note) {
        auto& counts = one.offset % 2 == 0 ? progress.asked : progress.acknowledged;
        ++counts[stream_name(one.offset / 2)];
        continue;
      }
      disk.take(one);
      if (at++ % step != 0) continue;
      disk.put(target, random);
      ++cuts;
      if (std::string wrong = judge(target, progress); !wrong.empty()) {
        return wrong + ", after write or sync " + std::to_string(at) + " of " +
               std::to_string(boundaries);
      }
    }
    return {};
  }

  // In memory where there is such a place: the real syncs of what is put there cost the most.
  static std::string target_directory() {
    std::string path = "/dev/shm/coterie-cuts-XXXXXX";
    return ::mkdtemp(path.data()) != nullptr ? path : make_directory();
  }

  const std::string source = make_directory();
  const std::string target = target_directory();
  std::optional<Disk> untouched, lying;
  std::vector<DiskOperation> operations;
  std::size_t boundaries = 0, cuts = 0;
};

// Goal: P3 at every boundary.
TEST_F(PowerCut, NothingAcknowledgedIsLostAtAnyWriteOrSync) {
  // Every one takes a minute of a processor: on demand.
  const std::size_t step = std::getenv("COTERIE_ALL_CUTS") != nullptr ? 1 : 8;
  EXPECT_EQ(cut(*untouched, step), "");
  EXPECT_EQ(cuts, (boundaries + step - 1) / step);
  EXPECT_GE(boundaries, 10'000u);
}

// Goal: it would be noticed: on a disk whose syncs do nothing something is lost.
TEST_F(PowerCut, ADiskThatLiesIsNoticed) { EXPECT_NE(cut(*lying, 50), ""); }

}  // namespace
}  // namespace coterie::test
