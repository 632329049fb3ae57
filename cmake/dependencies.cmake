# The libraries that coterie links, found in one place: the build includes this file, and so does
# the installed package, so that a user's program links what the archive needs. All of them are
# Debian 12 packages; those that are headers only need no line here.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)                        # Threads::Threads
find_package(Boost 1.74 REQUIRED COMPONENTS context)  # Boost::context
find_package(spdlog REQUIRED)                         # spdlog::spdlog
find_package(SQLite3 REQUIRED)                        # SQLite::SQLite3
find_package(tomlplusplus REQUIRED)                   # tomlplusplus::tomlplusplus
find_package(PkgConfig REQUIRED)
if(NOT TARGET PkgConfig::libzmq)
  pkg_check_modules(libzmq REQUIRED IMPORTED_TARGET GLOBAL libzmq)  # PkgConfig::libzmq
endif()
# Optional: the journal's PostgreSQL engine is built where libpq is found.
file(GLOB postgres_engine ${CMAKE_CURRENT_LIST_DIR}/../journal/postgres_*.hpp)
if(postgres_engine OR COTERIE_HAS_POSTGRES)
  find_package(PostgreSQL QUIET)                      # PostgreSQL::PostgreSQL
endif()
