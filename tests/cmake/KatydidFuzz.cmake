# Fuzz targets: every tests/fuzz/fuzz_<name>.c has one LLVMFuzzerTestOneInput.
#
# Always: corpus_<name>, an ordinary test that feeds it each file of tests/fuzz/corpus/<name>/, so that what a fuzzer once
# found stays found. With -DKATYDID_FUZZ=ON (clang): also the fuzzer itself, build/fuzz/fuzz_<name>.

# The room whose library a target needs; one line per target.
set(KD_FUZZ_ROOMS "spec:coordinator" "metric_line:coordinator" "frame:bus" "checkpoint:trainer")

function(kd_fuzz_room name result)
  foreach(row ${KD_FUZZ_ROOMS})
    string(REPLACE ":" ";" row ${row})
    list(GET row 0 target)
    list(GET row 1 room)
    if(target STREQUAL name)
      set(${result} ${room} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "tests/fuzz/fuzz_${name}.c: add \"${name}:ROOM\" to KD_FUZZ_ROOMS in tests/cmake/KatydidFuzz.cmake")
endfunction()

function(kd_fuzz_corpus_test name room)
  add_executable(corpus_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c
    ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus_main.c)
  kd_flags(corpus_${name})
  target_link_libraries(corpus_${name} PRIVATE kd_${room})
  set_target_properties(corpus_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME corpus_${name} COMMAND corpus_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  kd_test_settings(corpus_${name} fuzz 120)
endfunction()

function(kd_fuzzer name room)
  add_executable(fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c)
  kd_flags(fuzz_${name})
  target_link_libraries(fuzz_${name} PRIVATE kd_${room} -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()

function(kd_fuzz_targets)
  if(KATYDID_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "KATYDID_FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang in a folder of its own")
  endif()
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
  foreach(file ${files})
    get_filename_component(name ${file} NAME_WE)
    string(REGEX REPLACE "^fuzz_" "" name ${name})
    kd_fuzz_room(${name} room)
    if(TARGET kd_${room})
      kd_fuzz_corpus_test(${name} ${room})
      if(KATYDID_FUZZ)
        kd_fuzzer(${name} ${room})
      endif()
    endif()
  endforeach()
endfunction()
