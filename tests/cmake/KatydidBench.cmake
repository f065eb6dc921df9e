# Benchmarks: every tests/bench/bench_<name>.c is one program, build/bench/bench_<name>; none is a test. Built by
# `cmake --build build --target bench`, run and printed as a table by tests/bench/run.sh.

# The room whose library a benchmark needs, where it is not the coordinator's; one line per benchmark.
set(KD_BENCH_ROOMS "ask:search" "judge:search" "checkpoint:trainer")

function(kd_bench_room name result)
  set(${result} coordinator PARENT_SCOPE)
  foreach(row ${KD_BENCH_ROOMS})
    if(row MATCHES "^${name}:(.*)$")
      set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# That the commands still run, every case once: what they say is looked at by nobody. On the sim's device, too, where there is one.
function(kd_bench_rates_test command label)
  add_test(NAME bench_${command} COMMAND katydid-bench ${command} --quick)
  kd_test_settings(bench_${command} ${label} 120)
  if(TARGET katydid_cuda_sim AND NOT command STREQUAL step)
    add_test(NAME bench_${command}_sim COMMAND ${CMAKE_COMMAND} -E env
      KATYDID_CUDA_PLUGIN=$<TARGET_FILE:katydid_cuda_sim> KATYDID_NCCL=$<TARGET_FILE:nccl_standin>
      $<TARGET_FILE:katydid-bench> ${command} --quick --device cuda)
    kd_test_settings(bench_${command}_sim ${label} 300)
  endif()
endfunction()

# In a precision of 16 bits values count as half of what floats do (layernorm's statistics and weights stay floats), and the device is
# one that has it, or says that it has not.
function(kd_bench_precision_tests)
  add_test(NAME bench_ops_list_bf16 COMMAND katydid-bench ops --list --precision bf16 activation)
  set_tests_properties(bench_ops_list_bf16 PROPERTIES PASS_REGULAR_EXPRESSION "12582912 gelu +50.332 MB")
  add_test(NAME bench_ops_list_fp32 COMMAND katydid-bench ops --list activation)
  set_tests_properties(bench_ops_list_fp32 PROPERTIES PASS_REGULAR_EXPRESSION "12582912 gelu +100.663 MB")
  add_test(NAME bench_ops_precision_of_cpu COMMAND katydid-bench ops --quick --precision bf16)
  set_tests_properties(bench_ops_precision_of_cpu PROPERTIES PASS_REGULAR_EXPRESSION "katydid-bench ops: .*bf16")
  add_test(NAME bench_ops_precision_unknown COMMAND katydid-bench ops --list --precision fp8)
  set_tests_properties(bench_ops_precision_unknown PROPERTIES
    PASS_REGULAR_EXPRESSION "--precision is .fp8.; there are: fp32 tf32 bf16 fp16")
  foreach(name list_bf16 list_fp32 precision_of_cpu precision_unknown)
    kd_test_settings(bench_ops_${name} kernels 60)
  endforeach()
  if(TARGET katydid_cuda_sim)
    add_test(NAME bench_ops_sim_bf16 COMMAND ${CMAKE_COMMAND} -E env KATYDID_SIM_ARCHITECTURE=80
      KATYDID_CUDA_PLUGIN=$<TARGET_FILE:katydid_cuda_sim> $<TARGET_FILE:katydid-bench>
      ops --quick --device cuda --precision bf16)
    kd_test_settings(bench_ops_sim_bf16 kernels 300)
  endif()
endfunction()

# What says how fast ops, steps and sums over ranks are; without the trainer it says that it is not there.
function(kd_bench_rates)
  if(NOT TARGET kd_trainer)
    target_sources(katydid-bench PRIVATE ${CMAKE_SOURCE_DIR}/tests/bench/without_trainer.c)
    return()
  endif()
  kd_room(bench_rates tests/bench/rates LIBS kd_bench_search kd_trainer)
  target_link_libraries(katydid-bench PRIVATE kd_bench_rates)
  kd_bench_rates_test(ops kernels)
  kd_bench_precision_tests()
  kd_bench_rates_test(step trainer)
  kd_bench_rates_test(allreduce trainer)
endfunction()

# katydid-bench, and the library of its subcommand `search`, which the tests/search/test_bench_*.c hold. libkd_bench_tasks.so
# is how programs in other languages evaluate the same problems.
function(kd_bench_katydid)
  kd_room(bench_search tests/bench/search LIBS kd_search)
  target_compile_definitions(kd_bench_search PRIVATE KD_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    KD_BENCH_TABLES="${CMAKE_BINARY_DIR}/bench/tables")
  add_executable(katydid-bench ${CMAKE_SOURCE_DIR}/tests/bench/katydid_bench.c)
  kd_flags(katydid-bench)
  target_link_libraries(katydid-bench PRIVATE kd_bench_search)
  kd_bench_rates()
  add_library(kd_bench_tasks SHARED EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/bench/search/shared/tasks.c)
  kd_flags(kd_bench_tasks)
  target_link_libraries(kd_bench_tasks PRIVATE kd_bench_search)
  set_target_properties(kd_bench_tasks PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  add_dependencies(bench katydid-bench kd_bench_tasks)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/search/test_bench_*.c)
  foreach(test ${tests})
    get_filename_component(name ${test} NAME_WE)
    target_link_libraries(${name} PRIVATE kd_bench_search)
  endforeach()
endfunction()

function(kd_bench_programs)
  add_custom_target(bench)
  kd_bench_katydid()
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
