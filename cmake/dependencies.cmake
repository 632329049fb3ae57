# The libraries that coterie links, found in one place: the build includes this file, and so does
# the installed package, so that a user's program links what the archive needs. All of them are
# Debian 12 packages; those that are headers only need no line here.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS context)  # Boost::context
find_package(spdlog REQUIRED)                         # spdlog::spdlog
find_package(PkgConfig REQUIRED)

# coterie_pkg(libpq [REQUIRED]): the target PkgConfig::libpq, once for the whole tree.
macro(coterie_pkg name)
  if(NOT TARGET PkgConfig::${name})
    pkg_check_modules(${name} ${ARGN} IMPORTED_TARGET GLOBAL ${name})
  endif()
endmacro()
coterie_pkg(libzmq REQUIRED)
coterie_pkg(sqlite3 REQUIRED)
coterie_pkg(libpq)  # optional: without it the journal has no PostgreSQL engine
