#include "tests/house/tables.hpp"

namespace coterie::house {

std::span<const Module> modules() {
  static const std::vector<Module> table = {
      {"process", {}},
      {"transport", {"process"}},
      {"registry", {"process"}},
      {"journal", {"process"}},
      {"supervision", {"process", "journal"}},
      {"node", {"process", "transport", "registry", "journal", "supervision"}},
      {"sim", {"process", "transport", "registry", "journal", "supervision", "node"}},
  };
  return table;
}

std::span<const PublicHeader> public_headers() {
  static const std::vector<PublicHeader> table = {
      {"agent.hpp", "process"},
      {"alias.hpp", "process"},
      {"application.hpp", "node"},
      {"application_env.hpp", "node"},
      {"attach.hpp", "process"},
      {"bytes.hpp", "process"},
      {"call.hpp", "process"},
      {"call_error.hpp", "process"},
      {"child_spec.hpp", "supervision"},
      {"cluster_child.hpp", "supervision"},
      {"command_line.hpp", "node"},
      {"consumer_supervisor.hpp", "supervision"},
      {"coterie.hpp", "node"},
      {"detail/*", "process"},
      {"distributed_application.hpp", "node"},
      {"dynamic_supervisor.hpp", "supervision"},
      {"erpc.hpp", "process"},
      {"exit_reason.hpp", "process"},
      {"failover.hpp", "sim"},
      {"gen_server.hpp", "process"},
      {"gen_event.hpp", "supervision"},
      {"gen_stage.hpp", "process"},
      {"gen_statem.hpp", "process"},
      {"global.hpp", "registry"},
      {"json.hpp", "process"},
      {"journal.hpp", "journal"},
      {"journal_error.hpp", "process"},
      {"journalled.hpp", "journal"},
      {"kind.hpp", "supervision"},
      {"log.hpp", "process"},
      {"main.hpp", "node"},
      {"name_monitor.hpp", "registry"},
      {"nearest_word.hpp", "process"},
      {"node.hpp", "node"},
      {"nodes.hpp", "process"},
      {"pack*", "process"},
      {"partition_supervisor.hpp", "supervision"},
      {"pid.hpp", "process"},
      {"process.hpp", "process"},
      {"process_groups.hpp", "registry"},
      {"program.hpp", "node"},
      {"reflect.hpp", "process"},
      {"registry.hpp", "registry"},
      {"registry_value.hpp", "registry"},
      {"remote_start.hpp", "supervision"},
      {"request_window.hpp", "process"},
      {"requests.hpp", "process"},
      {"server_ref.hpp", "process"},
      {"stage_options.hpp", "process"},
      {"supervisor.hpp", "supervision"},
      {"sys.hpp", "process"},
      {"task.hpp", "process"},
      {"task_supervisor.hpp", "supervision"},
      {"term.hpp", "process"},
      {"time.hpp", "process"},
      {"timer.hpp", "process"},
      {"via_registry.hpp", "process"},
      {"workload.hpp", "node"},
      {"workload_model.hpp", "node"},
  };
  return table;
}

std::span<const Library> libraries() {
  static const std::vector<Library> table = {
      {"zmq", {"transport/"}},
      {"sqlite3", {"journal/", "examples/database/"}},
      {"libpq", {"journal/"}},
      {"postgresql/", {}},
      {"spdlog/", {"process/log.cpp"}},
      {"fmt/", {}},
      {"CLI/", {"node/", "sim/"}},
      {"toml++/", {"node/", "sim/"}},
      {"toml.hpp", {}},
      {"msgpack", {"include/coterie/"}},
      {"boost/", {"process/"}},
      {"nlohmann/", {"process/", "node/", "sim/", "examples/"}},
      {"benchmark/", {}},
      {"gtest/", {}},
      {"gmock/", {}},
      {"rapidcheck", {}},
  };
  return table;
}

std::span<const Reach> reaches() {
  static const std::vector<Reach> table = {
      {"clock",
       {"steady_clock::now", "system_clock::now", "high_resolution_clock::now", "utc_clock::now",
        "file_clock::now", "clock_gettime", "clock_nanosleep", "gettimeofday", "std::time",
        "::time", "std::clock", "localtime", "localtime_r", "__rdtsc"},
       {"sys/time.h", "sys/timerfd.h", "x86intrin.h"}},
      {"thread",
       {"std::thread", "std::jthread", "std::this_thread", "std::async", "pthread_create",
        "std::condition_variable", "std::condition_variable_any", "std::counting_semaphore",
        "std::binary_semaphore", "usleep", "nanosleep", "::sleep", "sched_yield"},
       {"thread", "pthread.h", "condition_variable", "semaphore", "latch", "barrier", "future",
        "stop_token", "linux/futex.h", "sched.h"}},
      {"thread_local", {"thread_local"}, {}},
      {"socket",
       {"::socket", "::connect", "::bind", "::listen", "::accept", "::recv", "::send", "::poll",
        "getaddrinfo", "socketpair", "epoll_wait", "eventfd"},
       {"sys/socket.h", "netdb.h", "arpa/inet.h", "netinet/in.h", "netinet/tcp.h", "sys/un.h",
        "poll.h", "sys/epoll.h", "sys/eventfd.h", "ifaddrs.h", "sys/select.h", "sys/signalfd.h"}},
      {"file",
       {"::open", "::openat", "::read", "::write", "::close", "::fsync", "fdatasync", "fopen",
        "::unlink", "::rename", "::mkdir", "mkdtemp", "mkstemp", "flock", "std::ifstream",
        "std::ofstream", "std::fstream", "std::remove", "std::rename"},
       {"fstream", "filesystem", "fcntl.h", "sys/stat.h", "sys/file.h", "sys/statvfs.h",
        "dirent.h"}},
      {"memory", {"::mmap", "::munmap", "::mprotect", "::madvise"}, {"sys/mman.h"}},
      {"environment", {"getenv", "secure_getenv", "setenv", "putenv", "environ"}, {}},
      {"random",
       {"std::rand", "rand", "srand", "drand48", "random_device", "getrandom", "getentropy",
        "arc4random"},
       {"random", "sys/random.h"}},
      {"program",
       {"fork",        "vfork",       "execv",     "execvp", "execve",      "execl",
        "posix_spawn", "waitpid",     "waitid",    "::kill", "std::signal", "std::raise",
        "sigaction",   "std::system", "std::exit", "::exit", "_exit",       "std::quick_exit",
        "prctl",       "gethostname", "getpid"},
       {"sys/wait.h", "spawn.h", "signal.h", "csignal", "sys/prctl.h", "sys/resource.h"}},
      {"console",
       {"std::cout", "std::cerr", "std::clog", "std::cin", "std::printf", "printf", "fprintf",
        "std::puts", "puts", "fputs", "fputc", "putchar", "stderr", "stdout", "perror"},
       {"iostream"}},
  };
  return table;
}

std::span<const Implementation> implementations() {
  static const std::vector<Implementation> table = {
      {"process/system_clock", {"clock"}, "the real Clock"},
      {"process/system_random", {"random"}, "the real Random"},
      {"process/thread_",
       {"thread", "program", "console"},
       "the real Executor: threads, what they wait with, the signals they block"},
      {"process/fiber", {"memory", "thread_local"}, "stacks of fibers and their guard pages"},
      {"process/throw_trace", {"thread_local"}, "where this thread's last exception came from"},
      {"process/slab", {"memory"}, "the table of processes, in huge pages"},
      {"process/huge_pages", {"memory"}, "big buffers, in huge pages"},
      {"process/worker", {"thread_local"}, "the one ambient state: the worker of this thread"},
      {"process/message_slots", {"thread_local"}, "free memory for messages, a thread's own"},
      {"process/give_way", {"thread_local"}, "whether what runs on this thread may give way"},
      {"process/misuse.", {"console"}, "misuse of the runtime ends the program with a line"},
      {"process/process.",
       {"thread_local", "console"},
       "the process of this thread; misuse of the API ends the program with a line"},
      {"process/spin_lock.hpp", {"thread"}, "gives up the processor while it spins"},
      {"journal/sqlite", {"file", "thread"}, "the real Storage on one host"},
      {"journal/fair_mutex", {"thread"}, "waits in order for the one connection of a file"},
      {"journal/open_storage", {"file"}, "makes the directory of the SQLite files"},
      {"journal/postgres", {"socket"}, "the real Storage over several hosts"},
      {"registry/voter_disk", {"file"}, "the real VoterDisk"},
      {"transport/zmq", {"socket", "thread", "file"}, "the real Distribution's sockets"},
      {"transport/zmq_lookout", {"clock"}, "the alarm of what waits for frames"},
      {"transport/resolve", {"socket"}, "addresses of peers"},
      {"node/guardian", {"program", "file", "socket"}, "the parent of the node's program"},
      {"node/state_directory", {"file", "program"}, "incarnation counter and its lock"},
      {"node/file_descriptor", {"file"}, "closes what it owns"},
      {"node/child_process",
       {"program", "file", "socket", "environment"},
       "starts the node's program and waits for it"},
      {"node/death_reports", {"program"}, "forks the reporter of a death"},
      {"node/pid_file", {"file"}, "tells scripts which processes are the node's"},
      {"node/shared_page", {"memory", "file"}, "what the guardian reads of a dead child"},
      {"node/signal_source", {"program", "thread", "socket", "file"}, "SIGTERM, SIGINT, SIGCHLD"},
      {"node/signals", {"thread", "socket", "file"}, "SIGTERM and SIGINT of a node"},
      {"node/config", {"file"}, "reads the cluster file"},
      {"node/key_file", {"file"}, "reads and makes private keys"},
      {"node/local_",
       {"program", "file", "socket", "thread"},
       "real nodes on this machine, for the demo and failover tests"},
      {"node/fault_page", {"memory", "file"}, "what a failover test does inside of its nodes"},
      {"node/faulty_outside", {"thread", "program"}, "slow disks, and names that kill"},
      {"node/interruption", {"socket"}, "waits that Ctrl-C ends"},
      {"node/run_directory", {"file"}, "where a run's nodes keep everything"},
      {"node/workload_file", {"file"}, "reads files of commands"},
      {"node/reserved_ports", {"socket"}, "ports of a cluster of its own"},
      {"node/command", {"console", "file", "program"}, "the command line"},
      {"node/terminal", {"console"}, "progress bars and colours"},
      {"node/address", {"socket"}, "whether an own address resolves"},
      {"sim/failover_plan", {"file"}, "reads the scenario file"},
      {"sim/failover_command",
       {"console", "file"},
       "the command line: signals, directory, verdict"},
      {"sim/simulate_command", {"console", "file"}, "the command line: seeds, verdict"},
      {"sim/demo", {"file"}, "./run demo"},
      {"examples/", {"console"}, "programs print"},
      {"examples/database/", {"file"}, "count the descriptors that they have open"},
  };
  return table;
}

std::span<const LongFile> long_files() {
  static const std::vector<LongFile> table = {
      {"registry/store_names_change.cpp", 430, "one state machine; a split is due"},
  };
  return table;
}

std::span<const std::string_view> forbidden_name_parts() {
  static constexpr std::string_view words[] = {"Manager", "Helper",  "Util",
                                               "Utils",   "Utility", "Impl"};
  return words;
}

std::span<const std::string_view> allowed_type_names() {
  static constexpr std::string_view names[] = {
      "SessionManager",  // the name that the seed example has
  };
  return names;
}

}  // namespace coterie::house
