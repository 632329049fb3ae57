# How this tree is compiled: build types, sanitizers, ccache. The root includes it before it adds
# any target.

if(NOT CMAKE_BUILD_TYPE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or Sanitize" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  # No -DNDEBUG: assertions stay on in release. -g1 keeps names and lines for back traces at a
  # fraction of the size and link time of -g.
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
  set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1")
endif()

set(COTERIE_SANITIZE "" CACHE STRING "address (with undefined), thread, or empty")
set_property(CACHE COTERIE_SANITIZE PROPERTY STRINGS "" address thread)
if(COTERIE_SANITIZE STREQUAL "address")
  # Undefined behaviour traps, and AddressSanitizer reports the trap with its line: the other
  # runtime's reports go to standard error only, where those of a test's nodes are not looked for.
  set(sanitizers -fsanitize=address,undefined -fsanitize-undefined-trap-on-error)
elseif(COTERIE_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread)
elseif(COTERIE_SANITIZE)
  message(FATAL_ERROR "COTERIE_SANITIZE is '${COTERIE_SANITIZE}'; use address, thread or nothing")
endif()
# Seconds after which ctest takes a test to hang; it is no limit of how long one may take.
set(COTERIE_TEST_TIMEOUT 300)
if(COTERIE_SANITIZE)
  set(COTERIE_TEST_TIMEOUT 1200)
  add_compile_options(${sanitizers} -fno-omit-frame-pointer)
  add_link_options(${sanitizers})
  # Tests run under this script: the report of any process that they start is a failure.
  set(CMAKE_CROSSCOMPILING_EMULATOR
    ${PROJECT_SOURCE_DIR}/tests/house/sanitized.sh ${COTERIE_SANITIZE})
endif()

if(PROJECT_IS_TOP_LEVEL)
  # -rdynamic: stack traces of crash reports name functions of the program itself.
  set(CMAKE_ENABLE_EXPORTS ON)
endif()

find_program(COTERIE_CCACHE ccache)
if(COTERIE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${COTERIE_CCACHE})
endif()
