#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "tests/journal/engines.hpp"

namespace coterie::test {
namespace {

using Versions = std::vector<std::uint64_t>;

class RecordsTest : public OnEachEngine {
 protected:
  StorageSet storage_ = place_.storage("a");
  Records& records_ = *storage_.names;

  TransactionResult commit(Transaction transaction) {
    auto results = records_.commit({&transaction, 1});
    EXPECT_TRUE(results) << results.error().message;
    return results ? results->front() : TransactionResult{};
  }
};
COTERIE_ON_EACH_ENGINE(RecordsTest);

Transaction put(const std::string& key, const Bytes& value) { return {{}, {{key, value}}}; }

// What was written is read; what was not is absent, not an error.
TEST_P(RecordsTest, ReadsWhatWasWritten) {
  EXPECT_EQ(records_.read("a").value(), std::nullopt);
  const Bytes bytes("\0\xFF\x01 any bytes \n", 15);
  const auto result = commit(put("a", bytes));
  ASSERT_TRUE(result.committed);
  EXPECT_EQ(records_.read("a").value(), (Record{"a", result.versions[0], bytes}));
  commit(put("empty", ""));
  EXPECT_EQ(records_.read("empty").value()->value, "");
}

// Many are read at once, in the order asked for, absent and repeated ones too.
TEST_P(RecordsTest, ReadsManyInTheOrderAskedFor) {
  const auto a = commit(put("a", "1")).versions[0];
  const auto b = commit(put(std::string("b\0x", 3), "2")).versions[0];
  const Record first{"a", a, "1"}, second{std::string("b\0x", 3), b, "2"};
  const std::vector<std::string> keys = {second.key, "none", "a", second.key};
  EXPECT_EQ(records_.read_many(keys).value(),
            (std::vector<std::optional<Record>>{second, std::nullopt, first, second}));
  EXPECT_TRUE(records_.read_many({}).value().empty());
}

// A record deleted and made again has a greater version: nobody mistakes it for the old one.
TEST_P(RecordsTest, VersionsGrowAcrossDeletions) {
  const auto first = commit(put("a", "1")).versions[0];
  EXPECT_EQ(commit({{}, {{"a", std::nullopt}}}).versions, Versions{0});
  EXPECT_EQ(records_.read("a").value(), std::nullopt);
  EXPECT_GT(commit(put("a", "2")).versions[0], first);
}

// All conditions hold and all writes happen, or none does and the refusal shows the records.
TEST_P(RecordsTest, ConditionsDecideTheWholeTransaction) {
  const auto version = commit(put("a", "1")).versions[0];
  const auto refused =
      commit({{{"a", version + 1}, {"b", std::nullopt}}, {{"a", "2"}, {"c", "2"}}});
  EXPECT_FALSE(refused.committed);
  EXPECT_EQ(refused.found, (std::vector{Record{"a", version, "1"}}));
  EXPECT_EQ(records_.read("c").value(), std::nullopt);

  const auto accepted = commit({{{"a", version}, {"b", 0}}, {{"a", "2"}, {"b", "2"}}});
  ASSERT_TRUE(accepted.committed);
  EXPECT_EQ(accepted.versions.size(), 2u);
  EXPECT_TRUE(commit({{{"a", std::nullopt}}, {}}).committed);
  EXPECT_FALSE(commit({{{"a", 0}}, {}}).committed);
  EXPECT_FALSE(commit({{{"zz", std::nullopt}}, {}}).committed);
}

// Transactions of one batch are judged in order, each by itself, after the earlier ones.
TEST_P(RecordsTest, TransactionsOfABatchSeeEachOther) {
  const std::vector<Transaction> batch = {{{{"a", 0}}, {{"a", "first"}}},
                                          {{{"a", 0}}, {{"a", "second"}}},
                                          {{{"a", std::nullopt}}, {{"b", "third"}}},
                                          {{}, {{"a", std::nullopt}}}};
  const auto results = records_.commit(batch).value();
  ASSERT_EQ(results.size(), 4u);
  EXPECT_TRUE(results[0].committed);
  EXPECT_FALSE(results[1].committed);
  ASSERT_EQ(results[1].found.size(), 1u);
  EXPECT_EQ(results[1].found[0].value, "first");
  EXPECT_TRUE(results[2].committed);
  EXPECT_TRUE(results[3].committed);
  EXPECT_EQ(records_.read("a").value(), std::nullopt);
  EXPECT_EQ(records_.read("b").value()->value, "third");
  EXPECT_TRUE(records_.commit({}).value().empty());
}

// A scan returns exactly the records of its prefix, in the order of bytes, also at the upper end.
TEST_P(RecordsTest, ScansByPrefix) {
  for (const char* key : {"a", "a/1", "a/10", "a/2", "b", "a0", "\xFF", "\xFF\xFF", "\xFFx"}) {
    commit(put(key, key));
  }
  const auto keys = [&](std::string_view prefix) {
    std::vector<std::string> found;
    const auto records = records_.scan(prefix).value();
    for (const auto& record : records) found.push_back(record.key);
    return found;
  };
  EXPECT_EQ(keys("a/"), (std::vector<std::string>{"a/1", "a/10", "a/2"}));
  EXPECT_EQ(keys("\xFF"), (std::vector<std::string>{"\xFF", "\xFFx", "\xFF\xFF"}));
  EXPECT_EQ(keys("").size(), 9u);
  EXPECT_TRUE(keys("zz").empty());
}

// Pages put together are the scan, whatever their size; a page goes on where the last one ended,
// whether or not that record is still there.
TEST_P(RecordsTest, ScansInPages) {
  for (const char* key : {"a", "a/", "a/1", "a/10", "a/2", "a/20", "b", "a0", "\xFF", "\xFF\xFF"}) {
    commit(put(key, key));
  }
  for (const std::string prefix : {"a/", "", "\xFF", "zz"}) {
    for (const std::size_t limit : {1u, 2u, 3u, 100u}) {
      std::vector<Record> all;
      for (std::string after;;) {
        const auto page = records_.scan_page(prefix, after, limit).value();
        ASSERT_LE(page.size(), limit);
        all.insert(all.end(), page.begin(), page.end());
        if (page.size() < limit) break;
        after = page.back().key;
      }
      EXPECT_EQ(all, records_.scan(prefix).value()) << prefix << " by " << limit;
    }
  }
  commit({.conditions = {}, .writes = {{"a/10", std::nullopt}}});
  const auto page = records_.scan_page("a/", "a/10", 1).value();
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page.front().key, "a/2");
}

// Wrong arguments are named as such and change nothing.
TEST_P(RecordsTest, RefusesKeysThatAreEmptyOrTooLong) {
  for (const auto& key : {std::string(), std::string(1025, 'k')}) {
    const std::vector<Transaction> batch = {put("good", "1"), put(key, "1")};
    const auto result = records_.commit(batch);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, StorageError::Code::misuse);
  }
  EXPECT_EQ(records_.read("good").value(), std::nullopt);
}

// What one node commits the others see at once; the two stores of a set are apart.
TEST_P(RecordsTest, IsSharedByNodesAndApartFromAgreement) {
  auto other = place_.storage("b");
  commit(put("a", "1"));
  EXPECT_EQ(other.names->read("a").value()->value, "1");
  EXPECT_EQ(other.agreement->read("a").value(), std::nullopt);
  Transaction renewal = put("lease/a", "1");
  renewal.durable = false;
  EXPECT_TRUE(storage_.agreement->commit({&renewal, 1}).value()[0].committed);
  EXPECT_EQ(other.agreement->read("lease/a").value()->value, "1");
  EXPECT_EQ(other.names->read("lease/a").value(), std::nullopt);
}

// Random batches give, answer by answer, what a map with a counter gives.
TEST_P(RecordsTest, AgreesWithAMap) {
  std::mt19937 random(20240611);  // NOLINT: the same run every time
  const auto below = [&](unsigned bound) { return static_cast<unsigned>(random()) % bound; };
  std::map<std::string, Record> model;
  std::uint64_t last = 0;
  const auto key = [&] { return "key" + std::to_string(below(6)); };
  for (int round = 0; round < 150; ++round) {
    std::vector<Transaction> batch(1 + below(4));
    for (auto& transaction : batch) {
      transaction.durable = below(2) == 0;
      for (unsigned i = below(3); i > 0; --i) {
        const auto name = key();
        const auto known = model.find(name);
        std::optional<std::uint64_t> version;
        if (below(4) != 0) version = known == model.end() ? 0 : known->second.version;
        transaction.conditions.push_back({name, version});
      }
      for (unsigned i = below(4); i > 0; --i) {
        std::optional<Bytes> value;
        if (below(4) != 0) value = std::to_string(random());
        transaction.writes.push_back({key(), value});
      }
    }
    const auto results = records_.commit(batch).value();
    ASSERT_EQ(results.size(), batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      bool hold = true;
      for (const auto& [name, version] : batch[i].conditions) {
        const auto found = model.find(name);
        const auto now = found == model.end() ? 0 : found->second.version;
        hold = hold && (version ? *version == now : now != 0);
      }
      ASSERT_EQ(results[i].committed, hold) << "round " << round << ", transaction " << i;
      if (!hold) continue;
      ASSERT_EQ(results[i].versions.size(), batch[i].writes.size());
      for (std::size_t w = 0; w < batch[i].writes.size(); ++w) {
        const auto& [name, value] = batch[i].writes[w];
        const auto version = results[i].versions[w];
        if (!value) {
          EXPECT_EQ(version, 0u);
          model.erase(name);
          continue;
        }
        ASSERT_GT(version, last);
        last = version;
        model.insert_or_assign(name, Record{name, version, *value});
      }
    }
    std::vector<Record> expected;
    for (const auto& [name, record] : model) expected.push_back(record);
    ASSERT_EQ(records_.scan("key").value(), expected) << "round " << round;
  }
}

// Threads of several nodes that count in one record by compare-and-set lose no increment.
TEST_P(RecordsTest, CompareAndSetLosesNothing) {
  commit(put("count", "0"));
  constexpr int increments = 25;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (const char* node : {"b", "c", "d"}) {
    threads.emplace_back([&, node] {
      auto mine = place_.storage(node);
      for (int done = 0; done < increments;) {
        const auto now = mine.names->read("count");
        if (!now || !*now) {
          ++failures;
          return;
        }
        Transaction next{{{"count", (*now)->version}},
                         {{"count", std::to_string(std::stoi((*now)->value) + 1)}}};
        const auto result = mine.names->commit({&next, 1});
        if (!result) {
          ++failures;
          return;
        }
        if (result->front().committed) ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(records_.read("count").value()->value, std::to_string(3 * increments));
}

}  // namespace
}  // namespace coterie::test
