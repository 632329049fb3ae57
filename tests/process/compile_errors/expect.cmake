# Run as a script: the source must fail to compile, with exactly one line `error:`, and the message
# must hold the text behind `// expect: ` in the source's first line.
file(READ ${SOURCE} text)
string(REGEX MATCH "^// expect: ([^\n]*)" line "${text}")
set(expected "${CMAKE_MATCH_1}")
execute_process(
  COMMAND ${COMPILER} -std=c++23 -fsyntax-only -I${ROOT} -I${ROOT}/include ${SOURCE}
  RESULT_VARIABLE result ERROR_VARIABLE messages)
if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, but should not")
endif()
string(REGEX MATCHALL "[^\n]*error:[^\n]*" errors "${messages}")
list(LENGTH errors count)
string(FIND "${messages}" "${expected}" found)
if(NOT count EQUAL 1 OR found EQUAL -1)
  message(FATAL_ERROR "expected one error line with\n  ${expected}\nfound ${count}:\n${messages}")
endif()
