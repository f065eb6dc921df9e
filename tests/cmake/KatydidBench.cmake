# Benchmarks: every tests/bench/bench_<name>.c is one program, build/bench/bench_<name>; none is a test. Built by
# `cmake --build build --target bench`, run and printed as a table by tests/bench/run.sh.

# The room whose library a benchmark needs, where it is not the coordinator's; one line per benchmark.
set(KD_BENCH_ROOMS "ask:search" "judge:search" "step:trainer" "kernels:kernels")

function(kd_bench_room name result)
  set(${result} coordinator PARENT_SCOPE)
  foreach(row ${KD_BENCH_ROOMS})
    if(row MATCHES "^${name}:(.*)$")
      set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

function(kd_bench_programs)
  add_custom_target(bench)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/bench/bench_*.c)
  foreach(file ${files})
    get_filename_component(program ${file} NAME_WE)
    string(REGEX REPLACE "^bench_" "" name ${program})
    kd_bench_room(${name} room)
    if(TARGET kd_${room})
      add_executable(${program} EXCLUDE_FROM_ALL ${file})
      kd_flags(${program})
      target_compile_definitions(${program} PRIVATE KD_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
        KD_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
      target_link_libraries(${program} PRIVATE kd_${room})
      set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
      add_dependencies(bench ${program})
    endif()
  endforeach()
endfunction()
