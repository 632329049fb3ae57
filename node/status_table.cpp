#include "node/status_table.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

namespace coterie {
namespace {

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell, two blanks between them, none at the end of a line.
std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] + 2 - row[i].size(), ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

/// "12s", "3m12s", "2h05m", "3d04h".
std::string age_text(std::int64_t ms) {
  const long long seconds = std::max<std::int64_t>(ms, 0) / 1000;
  const auto two = [](long long a, char unit, long long b, char smaller) {
    std::string low = std::to_string(b);
    if (low.size() < 2) low.insert(0, "0");
    return std::to_string(a) + unit + low + smaller;
  };
  if (seconds < 60) return std::to_string(seconds) + 's';
  if (seconds < 3600) return two(seconds / 60, 'm', seconds % 60, 's');
  if (seconds < 86'400) return two(seconds / 3600, 'h', seconds / 60 % 60, 'm');
  return two(seconds / 86'400, 'd', seconds / 3600 % 24, 'h');
}

std::string time_text(WallTime at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(at - day));
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

std::uint64_t running_names(const NodeStatus& status) {
  std::uint64_t sum = 0;
  for (const KindStatus& kind : status.kinds) sum += kind.running;
  return sum;
}

std::uint64_t restarts(const NodeStatus& status) {
  std::uint64_t sum = 0;
  for (const KindStatus& kind : status.kinds) sum += kind.restarts;
  return sum;
}

/// "3#9f2c41d0..." as far as people need it.
std::string short_text(const Incarnation& incarnation) {
  const std::string text = to_string(incarnation);
  return text.substr(0, text.find('#') + 7);
}

std::string node_table(const ClusterView& view, WallTime now) {
  std::vector<Row> rows{{"NODE", "STATE", "INCARNATION", "VIEW", "LEASE", "UP SINCE", "UP", "NAMES",
                         "RESTARTS", "PROCESSES", "CRASHES", "QUEUED", "GUARDIAN", "PID"}};
  for (const NodeAnswer& node : view.nodes) {
    if (!node.status) {
      rows.push_back({node.name, "unreachable"});
      continue;
    }
    const NodeStatus& s = *node.status;
    rows.push_back({node.name, s.state, short_text(s.incarnation), std::to_string(s.view),
                    std::to_string(s.lease_left_ms) + "ms",
                    time_text(now - std::chrono::milliseconds(s.uptime_ms)), age_text(s.uptime_ms),
                    std::to_string(running_names(s)), std::to_string(restarts(s)),
                    std::to_string(s.processes), std::to_string(s.crashes),
                    std::to_string(s.messages_queued), s.guardian ? "yes" : "no",
                    std::to_string(s.os_pid)});
  }
  return aligned(rows);
}

std::string kind_table(const ClusterView& view) {
  std::vector<Row> rows{{"KIND", "NODE", "RUNNING", "STARTING", "WAITING", "FAILED", "QUARANTINED",
                         "RESTARTS", "TAKEN OVER", "LAST ERROR"}};
  std::map<std::pair<std::string, std::string>, Row> sorted;
  for (const NodeAnswer& node : view.nodes) {
    if (!node.status) continue;
    for (const KindStatus& k : node.status->kinds) {
      sorted[{k.kind, node.name}] = {k.kind,
                                     node.name,
                                     std::to_string(k.running),
                                     std::to_string(k.starting),
                                     std::to_string(k.waiting),
                                     std::to_string(k.failed),
                                     std::to_string(k.quarantined),
                                     std::to_string(k.restarts),
                                     std::to_string(k.claimed),
                                     k.last_error.empty() ? "-" : k.last_error};
    }
  }
  for (auto& [key, row] : sorted) rows.push_back(std::move(row));
  return rows.size() > 1 ? '\n' + aligned(rows) : "";
}

std::string mailbox_table(const ClusterView& view) {
  struct Depth {
    std::uint64_t messages;
    std::string process, node;
  };
  std::vector<Depth> depths;
  for (const NodeAnswer& node : view.nodes) {
    if (!node.status) continue;
    for (const MailboxStatus& box : node.status->fullest) {
      if (box.messages > 0) depths.push_back({box.messages, box.process, node.name});
    }
  }
  if (depths.empty()) return "";
  std::ranges::stable_sort(depths, std::greater{}, &Depth::messages);
  constexpr std::size_t shown_max = 10;
  if (depths.size() > shown_max) depths.resize(shown_max);
  std::vector<Row> rows{{"FULLEST MAILBOXES", "NODE", "MESSAGES"}};
  for (const Depth& depth : depths) {
    rows.push_back({depth.process, depth.node, std::to_string(depth.messages)});
  }
  return '\n' + aligned(rows);
}

bool has_member(const NodeStatus& status, const std::string& name, const Incarnation& run) {
  return std::ranges::any_of(status.members, [&](const MemberStatus& member) {
    return member.name == name && member.incarnation == run;
  });
}

/// Whether the nodes that answer are in one view that has them all, and what speaks against it.
bool judge_views(ClusterView& view) {
  std::map<std::uint64_t, std::string> holders;  // of each view number
  bool whole = true;
  for (const NodeAnswer& node : view.nodes) {
    if (!node.status) continue;
    std::string& names = holders[node.status->view];
    names += (names.empty() ? "" : ", ") + node.name;
  }
  if (holders.size() > 1) {
    whole = false;
    std::string line = "the nodes are in different views:";
    for (const auto& [number, names] : holders) {
      line += ' ' + std::to_string(number) + " (" + names + ')';
    }
    view.problems.push_back(std::move(line));
  }
  for (const NodeAnswer& node : view.nodes) {
    if (!node.status) continue;
    std::string without;
    for (const NodeAnswer& other : view.nodes) {
      if (!other.status || has_member(*other.status, node.name, node.status->incarnation)) continue;
      without += (without.empty() ? "" : ", ") + other.name;
    }
    if (without.empty()) continue;
    whole = false;
    view.problems.push_back("node " + node.name + " is not in the view of " + without);
  }
  return whole;
}

void judge_node(const NodeAnswer& node, std::vector<std::string>& problems) {
  const NodeStatus& status = *node.status;
  const std::string who = "node " + node.name;
  if (status.state != "active") problems.push_back(who + " is " + status.state);
  if (!status.guardian) {
    problems.push_back(who +
                       " has no guardian: nobody starts it again, and its death is seen by "
                       "its lease only");
  }
  for (const MemberStatus& member : status.members) {
    if (member.draining && member.name == node.name) problems.push_back(who + " is leaving");
    if (member.connected || member.name == node.name) continue;
    problems.push_back(who + " is not connected with " + member.name +
                       (member.link.empty() ? "" : ": " + member.link));
  }
  if (status.security.refused > 0) {
    problems.push_back(who + " has refused " + std::to_string(status.security.refused) +
                       " connections, the last one: " + status.security.last_refusal);
  }
  if (status.abandoned_fibers > 0) {
    problems.push_back(who + " has abandoned " + std::to_string(status.abandoned_fibers) +
                       " callbacks that no kill could end");
  }
}

}  // namespace

ClusterView judge_cluster(std::string cluster, std::vector<NodeAnswer> nodes) {
  ClusterView view{std::move(cluster), true, {}, std::move(nodes)};
  struct Lost {
    std::uint64_t failed = 0, quarantined = 0, unreadable = 0;
  };
  std::map<std::string, Lost> lost;
  for (const NodeAnswer& node : view.nodes) {
    if (!node.status) {
      view.healthy = false;
      view.problems.push_back("node " + node.name + " is unreachable: " + node.error);
      continue;
    }
    view.healthy = view.healthy && node.status->state == "active";
    judge_node(node, view.problems);
    if (node.status->vote == "waits") {
      view.problems.push_back("node " + node.name +
                              " is a voter with an empty disk and does not vote: it waits for the "
                              "other voters, or for `coterie voter admit " +
                              node.name + "`");
    }
    for (const KindStatus& kind : node.status->kinds) {
      Lost& of = lost[kind.kind];  // each instance counts the whole cluster's
      of.failed = std::max(of.failed, kind.failed);
      of.quarantined = std::max(of.quarantined, kind.quarantined);
      of.unreadable = std::max(of.unreadable, kind.unreadable);
    }
  }
  view.healthy = judge_views(view) && view.healthy;
  for (const auto& [kind, counts] : lost) {
    if (counts.failed > 0) {
      view.problems.push_back(kind + ": " + std::to_string(counts.failed) +
                              " names have failed for good");
    }
    if (counts.quarantined > 0) {
      view.problems.push_back(kind + ": " + std::to_string(counts.quarantined) +
                              " names are quarantined, each took two nodes down");
    }
    if (counts.unreadable > 0) {
      view.problems.push_back(kind + ": " + std::to_string(counts.unreadable) +
                              " names are not started, their rows are damaged: see the log");
    }
  }
  return view;
}

std::string status_table(const ClusterView& view, WallTime now) {
  const auto active = std::ranges::count_if(view.nodes, [](const NodeAnswer& node) {
    return node.status && node.status->state == "active";
  });
  std::string text = "cluster " + view.cluster + ": " + std::to_string(active) + " of " +
                     std::to_string(view.nodes.size()) + " nodes active\n\n";
  text += node_table(view, now) + kind_table(view) + mailbox_table(view);
  if (!view.problems.empty()) text += '\n';
  for (const std::string& problem : view.problems) text += "! " + problem + '\n';
  return text;
}

}  // namespace coterie
