// coterie_bench local|remote|mesh|cluster [--json FILE] [--only ROW,...] [--peers FOLDER] [--names
// N] [--journal JOURNAL]: prints each figure and, with --json, writes them as lines; with --only
// those whose names begin with a ROW. With --peers the programs of other systems in that folder run
// after ours. With --journal the nodes of `cluster` keep theirs there, as the key of that name says
// in a cluster's file, and not in SQLite.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/bench_line.hpp"
#include "bench/cluster.hpp"
#include "bench/remote.hpp"

int main(int count, char** arguments) {
  std::string json;
  std::string only;
  std::string what;
  std::string peers;
  coterie::bench::ClusterBench cluster{.program = COTERIE_PROGRAM,
                                       .names_program = COTERIE_NAMES_PROGRAM,
                                       .config = COTERIE_CLUSTER_FILE};
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--json") == 0 && i + 1 < count) {
      json = arguments[++i];
    } else if (std::strcmp(arguments[i], "--only") == 0 && i + 1 < count) {
      only = arguments[++i];
    } else if (std::strcmp(arguments[i], "--peers") == 0 && i + 1 < count) {
      peers = arguments[++i];
    } else if (std::strcmp(arguments[i], "--names") == 0 && i + 1 < count) {
      cluster.names = std::strtoul(arguments[++i], nullptr, 10);
    } else if (std::strcmp(arguments[i], "--journal") == 0 && i + 1 < count) {
      cluster.journal = arguments[++i];
    } else if (what.empty() && arguments[i][0] != '-') {
      what = arguments[i];
    } else {
      what = "?";
    }
  }
  if (what != "local" && what != "remote" && what != "mesh" && what != "cluster") {
    std::fprintf(stderr,
                 "usage: coterie_bench local|remote|mesh|cluster [--json FILE] [--only ROW,...] "
                 "[--peers FOLDER] [--names N] [--journal JOURNAL]\n");
    return 2;
  }
  coterie::bench::Figures figures(json, only);
  if (what == "cluster") {
    coterie::bench::measure_journal(figures);
    coterie::bench::measure_cluster(figures, cluster);
    return 0;
  }
  if (what == "mesh") {
    coterie::bench::measure_mesh(figures);
    return 0;
  }
  if (what == "remote") {
    coterie::bench::measure_remote(figures, peers);
    return 0;
  }
  coterie::bench::measure_local(figures);
  if (!peers.empty()) {
    coterie::bench::measure_erlang(figures, peers + "/erlang");
    coterie::bench::measure_caf(figures, peers + "/caf");
  }
  return 0;
}
