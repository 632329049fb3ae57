# The libraries that coterie links, found in one place: the build includes this file, and so does
# the installed package, so that a user's program links what the archive needs. All of them are
# Debian 12 packages; those that are headers only need no line here.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)                        # Threads::Threads
find_package(Boost 1.74 REQUIRED COMPONENTS context)  # Boost::context
find_package(spdlog REQUIRED)                         # spdlog::spdlog
find_package(SQLite3 REQUIRED)                        # SQLite::SQLite3
find_package(PkgConfig REQUIRED)
if(NOT TARGET PkgConfig::libzmq)
  pkg_check_modules(libzmq REQUIRED IMPORTED_TARGET GLOBAL libzmq)  # PkgConfig::libzmq
endif()
# Optional: without it the journal has no PostgreSQL engine.
find_package(PostgreSQL QUIET)                        # PostgreSQL::PostgreSQL
