# `cmake --install`: one archive of all modules, the public headers, and the package that
# find_package(coterie) finds. Internal headers are not installed; public ones include none.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# linked_by(target out): the libraries outside coterie that `target` links, directly or through
# other modules.
function(linked_by target out)
  set(found)
  get_target_property(items ${target} LINK_LIBRARIES)
  foreach(item ${items})
    if(item STREQUAL "coterie_options")
      continue()
    elseif(item MATCHES "^coterie_")
      linked_by(${item} below)
      list(APPEND found ${below})
    elseif(item MATCHES "^/.*/lib([^/]+)\\.(so|a)$")
      list(APPEND found ${CMAKE_MATCH_1})  # by name: the package may go to another machine
    elseif(item)
      list(APPEND found ${item})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

set(objects)
set(libraries)
foreach(module process journal transport registry supervision node sim)
  if(TARGET coterie_${module})
    list(APPEND objects $<TARGET_OBJECTS:coterie_${module}>)
    linked_by(coterie_${module} linked)
    list(APPEND libraries ${linked})
  endif()
endforeach()
list(REMOVE_DUPLICATES libraries)

add_library(coterie_library STATIC ${objects})
add_library(coterie::coterie ALIAS coterie_library)
set_target_properties(coterie_library PROPERTIES OUTPUT_NAME coterie EXPORT_NAME coterie)
target_compile_features(coterie_library PUBLIC cxx_std_23)
target_include_directories(coterie_library PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
# PRIVATE: users link them, and get nothing else of them.
target_link_libraries(coterie_library PRIVATE ${libraries})

install(TARGETS coterie_library EXPORT coterie ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/coterie TYPE INCLUDE FILES_MATCHING PATTERN *.hpp)
if(TARGET coterie)
  install(TARGETS coterie RUNTIME)
endif()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/coterie)
install(EXPORT coterie NAMESPACE coterie:: FILE coterie-targets.cmake DESTINATION ${package})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/coterie-config.cmake.in
  ${PROJECT_BINARY_DIR}/coterie-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/coterie-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/coterie-config.cmake
  ${PROJECT_BINARY_DIR}/coterie-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/dependencies.cmake DESTINATION ${package})
