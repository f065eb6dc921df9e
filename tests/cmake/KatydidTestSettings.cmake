# What every test gets: its label (ctest -L), a deadline, and an environment in which mpirun works as root and the
# sanitizers tell our leaks from those of Open MPI.

set(KD_TEST_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  KATYDID_BIN=${CMAKE_BINARY_DIR}/bin
  KATYDID_BUILD=${CMAKE_BINARY_DIR}
  KATYDID_SOURCE=${CMAKE_SOURCE_DIR})
if(KATYDID_SANITIZE OR KATYDID_FUZZ)
  list(APPEND KD_TEST_ENVIRONMENT
    LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/cmake/lsan.supp:print_suppressions=0
    UBSAN_OPTIONS=print_stacktrace=1)
endif()

# Leaks of Open MPI and hwloc are told by whole stacks, which cost ten times the allocation: only where they are loaded.
set(KD_WHOLE_STACK_LABELS launch coordinator kernels trainer e2e crash)

# kd_test_settings(name label timeout_s [SERIAL]): SERIAL = nothing else runs beside it.
function(kd_test_settings name label timeout_s)
  set(environment ${KD_TEST_ENVIRONMENT})
  if(label IN_LIST KD_WHOLE_STACK_LABELS)
    list(APPEND environment ASAN_OPTIONS=fast_unwind_on_malloc=0)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout_s}
    ENVIRONMENT "${environment}" SKIP_RETURN_CODE 77)
  if("SERIAL" IN_LIST ARGN)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# Every script of the folder that matches is one test.
function(kd_script_tests folder pattern label timeout_s)
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/${pattern})
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    add_test(NAME ${name} COMMAND ${script})
    kd_test_settings(${name} ${label} ${timeout_s} ${ARGN})
  endforeach()
endfunction()
