# kernels/cuda twice: by nvcc into the plugin libkatydid_cuda.so, where there is a CUDA toolkit, and by the C++ compiler with the
# shim of tests/cuda/ into the `sim` device of test programs, where there is a C++ compiler. Neither is needed for the rest.
#
# nvcc is called by commands of our own: CMake's CUDA language tries compilers for seconds at every configuration, and knows
# only the toolkits that are older than itself.

set(KATYDID_CUDA AUTO CACHE STRING "Build the CUDA plugin: ON, OFF, or AUTO where nvcc is found")
set(KATYDID_CUDA_ARCHITECTURES "" CACHE STRING "Of GPUs, \"70;80\"; empty: all that the toolkit and katydid know")

function(kd_find_nvcc)
  find_program(KD_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin PATHS /usr/local/cuda/bin /opt/cuda/bin)
  if(NOT KD_NVCC)
    return()
  endif()
  execute_process(COMMAND ${KD_NVCC} --version OUTPUT_VARIABLE version)
  string(REGEX MATCH "release ([0-9]+)\\.([0-9]+)" version "${version}")
  set(KD_CUDA_MAJOR ${CMAKE_MATCH_1} PARENT_SCOPE)
  # Also where nvcc is a link, or a script of a distribution.
  execute_process(COMMAND ${KD_NVCC} -dryrun -x cu -c /dev/null OUTPUT_VARIABLE top ERROR_VARIABLE top)
  string(REGEX MATCH "TOP=([^\n]*)" top "${top}")
  get_filename_component(top "${CMAKE_MATCH_1}" REALPATH)
  set(KD_CUDA_HOME ${top} PARENT_SCOPE)
endfunction()

# Whether nvcc and what belongs to it make an object of a small file: a C++ compiler that is too new for it, or half a toolkit,
# must not break a build that only took what was there. Asked once a build folder.
function(kd_try_nvcc)
  if(DEFINED CACHE{KD_NVCC_WORKS} OR NOT KD_NVCC)
    return()
  endif()
  find_library(KD_CUDART cudart_static HINTS ${KD_CUDA_HOME}/lib64 ${KD_CUDA_HOME}/targets/x86_64-linux/lib
    ${KD_CUDA_HOME}/targets/sbsa-linux/lib)
  file(WRITE ${CMAKE_BINARY_DIR}/cuda/try.cu "#include <cuda_runtime.h>\n__global__ void try_it() {}\n")
  execute_process(COMMAND ${KD_NVCC} -std=c++20 -c ${CMAKE_BINARY_DIR}/cuda/try.cu -o ${CMAKE_BINARY_DIR}/cuda/try.o
    RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT KD_CUDART)
    set(said "no libcudart_static.a below ${KD_CUDA_HOME}")
  endif()
  if(status EQUAL 0 AND KD_CUDART)
    set(KD_NVCC_WORKS ON CACHE INTERNAL "nvcc compiles")
  else()
    set(KD_NVCC_WORKS OFF CACHE INTERNAL "nvcc compiles")
    set(KD_NVCC_SAID "${said}" CACHE INTERNAL "why not")
  endif()
endfunction()

# ON without nvcc is an error; a build with sanitizers or for fuzzers tests kernels in the shim, and leaves the plugin out.
function(kd_cuda_is_wanted result)
  set(${result} OFF PARENT_SCOPE)
  if(KATYDID_CUDA STREQUAL "OFF" OR KATYDID_SANITIZE OR KATYDID_FUZZ)
    return()
  endif()
  kd_try_nvcc()
  if(KD_NVCC AND KD_NVCC_WORKS)
    set(${result} ON PARENT_SCOPE)
  elseif(NOT KATYDID_CUDA STREQUAL "AUTO" AND NOT KD_NVCC)
    message(FATAL_ERROR "KATYDID_CUDA=${KATYDID_CUDA}, but there is no nvcc in PATH, CUDA_HOME/bin or /usr/local/cuda/bin: "
      "install NVIDIA's CUDA toolkit 12 or later, or configure with -DKATYDID_CUDA=OFF")
  elseif(NOT KATYDID_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "KATYDID_CUDA=${KATYDID_CUDA}, but ${KD_NVCC} does not compile: ${KD_NVCC_SAID}\n"
      "NVCC_PREPEND_FLAGS=\"-ccbin g++-12\" chooses a C++ compiler that it knows; or configure with -DKATYDID_CUDA=OFF")
  elseif(KD_NVCC)
    message(STATUS "No CUDA plugin: ${KD_NVCC} does not compile: ${KD_NVCC_SAID}")
  endif()
endfunction()

# CUDA 13 left the V100 (70) behind. The newest one also as PTX, for GPUs that are newer still.
function(kd_cuda_architectures result)
  set(architectures ${KATYDID_CUDA_ARCHITECTURES})
  if(NOT architectures AND KD_CUDA_MAJOR GREATER_EQUAL 13)
    set(architectures 75 80 86 89 90 100)
  elseif(NOT architectures)
    set(architectures 70 75 80 86 89 90)
  endif()
  set(${result} ${architectures} PARENT_SCOPE)
endfunction()

function(kd_cuda_flags architectures result)
  set(flags -std=c++20 -O3 -lineinfo -I${CMAKE_SOURCE_DIR} -D_GNU_SOURCE -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-Wextra)
  foreach(architecture ${architectures})
    list(APPEND flags -gencode arch=compute_${architecture},code=sm_${architecture})
    set(newest ${architecture})
  endforeach()
  list(APPEND flags -gencode arch=compute_${newest},code=compute_${newest})
  if(KATYDID_DEV)
    list(APPEND flags -Werror=all-warnings)
  endif()
  set(${result} ${flags} PARENT_SCOPE)
endfunction()

# The .cu files as objects: cuda/<name>.cu.o in the build folder.
function(kd_cuda_objects result)
  kd_cuda_architectures(architectures)
  kd_cuda_flags("${architectures}" flags)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)
  set(objects "")
  foreach(source ${sources})
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_BINARY_DIR}/cuda/${name}.o)
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/cuda
      COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${KD_NVCC} ${flags} -MMD -MF ${object}.d -c ${source} -o ${object}
      COMMENT "nvcc ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  add_custom_target(kd_cuda_objects DEPENDS ${objects}) # once, for all who link them
  add_library(kd_cuda INTERFACE)
  target_link_libraries(kd_cuda INTERFACE ${KD_CUDART} stdc++ dl rt m Threads::Threads)
  message(STATUS "CUDA plugin: toolkit ${KD_CUDA_MAJOR} (${KD_NVCC}), architectures ${architectures}")
  list(JOIN architectures ", " architectures)
  set(KD_CUDA_BUILT_FOR ${architectures} PARENT_SCOPE)
  set(${result} ${objects} PARENT_SCOPE)
endfunction()

# The .c files of the folder that all who link its .cu files need, compiled by the C compiler.
set(KD_CUDA_C lt_library lt_plan nccl_library nccl_record nccl_watchdog)
list(TRANSFORM KD_CUDA_C REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/kernels/cuda/\\1.c")

function(kd_cuda_plugin objects)
  add_library(katydid_cuda SHARED ${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.c ${KD_CUDA_C} ${objects})
  set_target_properties(katydid_cuda PROPERTIES LINKER_LANGUAGE C LINK_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.map
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
  add_dependencies(katydid_cuda kd_cuda_objects)
  kd_flags(katydid_cuda)
  target_compile_definitions(katydid_cuda PRIVATE "KD_CUDA_ARCHITECTURES=\"${KD_CUDA_BUILT_FOR}\"")
  target_link_options(katydid_cuda PRIVATE -Wl,--no-undefined
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.map)
  target_link_libraries(katydid_cuda PRIVATE kd_base kd_cuda)
  install(TARGETS katydid_cuda DESTINATION ${CMAKE_INSTALL_LIBDIR}/katydid)
endfunction()

# test_plugin loads it; test_ops_cuda has the same objects linked in, and is skipped where there is no GPU.
function(kd_cuda_tests objects)
  add_executable(test_plugin ${CMAKE_SOURCE_DIR}/tests/cuda/test_plugin.c)
  target_compile_definitions(test_plugin PRIVATE KD_PLUGIN="$<TARGET_FILE:katydid_cuda>")
  add_dependencies(test_plugin katydid_cuda)
  add_executable(test_ops_cuda ${CMAKE_SOURCE_DIR}/tests/kernels/test_ops.c ${CMAKE_SOURCE_DIR}/tests/cuda/device_cuda.c
    ${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.c ${KD_CUDA_C} ${objects})
  set_target_properties(test_ops_cuda PROPERTIES LINKER_LANGUAGE C)
  add_dependencies(test_ops_cuda kd_cuda_objects)
  target_compile_definitions(test_ops_cuda PRIVATE "KD_CUDA_ARCHITECTURES=\"${KD_CUDA_BUILT_FOR}\"")
  foreach(name test_plugin test_ops_cuda)
    kd_flags(${name})
    target_link_libraries(${name} PRIVATE kd_kernels kd_cuda PkgConfig::cmocka)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name})
    kd_test_settings(${name} kernels 300)
  endforeach()
endfunction()

function(kd_cuda)
  kd_find_nvcc()
  kd_cuda_is_wanted(is_wanted)
  if(is_wanted)
    kd_cuda_objects(objects)
    kd_cuda_plugin("${objects}")
    if(KATYDID_TESTS)
      kd_cuda_tests("${objects}")
    endif()
  endif()
endfunction()

# ---- the sim device

# A C++ object library of the test tree; FLAGS as kd_flags, without those of C alone.
function(kd_cpp_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_include_directories(${target} SYSTEM PRIVATE ${CMAKE_SOURCE_DIR}/tests/cuda/include)
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  if(KATYDID_DEV)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  kd_sanitizer_flags(${target} PRIVATE)
endfunction()

# kd_sim: the shim and kernels/cuda as C++; with device_sim.cpp a registry of devices that has them alone.
function(kd_sim_room)
  file(GLOB shim CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cuda/*.cpp)
  list(FILTER shim EXCLUDE REGEX "/(device_sim.cpp|test_[^/]*)$")
  file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)
  set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX)
  add_library(kd_sim OBJECT ${shim} ${kernels} ${KD_CUDA_C})
  kd_cpp_flags(kd_sim)
  target_compile_definitions(kd_sim PRIVATE KD_UNFOLDED_MOST=4096 KD_ENOUGH_TILES=2) # small batches in several parts
  target_link_libraries(kd_sim PUBLIC kd_base stdc++ m dl)
  add_library(kd_sim_registry OBJECT ${CMAKE_SOURCE_DIR}/tests/cuda/device_sim.cpp)
  kd_cpp_flags(kd_sim_registry)
endfunction()

# katydid_cuda_sim: a plugin as the real one, for programs that load it (KATYDID_CUDA_PLUGIN).
function(kd_sim_plugin)
  add_library(katydid_cuda_sim SHARED ${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.c)
  kd_flags(katydid_cuda_sim)
  set_target_properties(katydid_cuda_sim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests
    LINK_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cuda/plugin_sim.map)
  target_compile_definitions(katydid_cuda_sim PRIVATE "KD_CUDA_ARCHITECTURES=\"none: the sim\"")
  target_link_options(katydid_cuda_sim PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/tests/cuda/plugin_sim.map)
  target_link_libraries(katydid_cuda_sim PRIVATE kd_sim)
endfunction()

function(kd_sim_program name)
  add_executable(${name} ${ARGN})
  kd_flags(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # Objects come before archives: the registry of the sim, and not that of kernels/device.c.
  target_link_libraries(${name} PRIVATE kd_sim_registry kd_sim kd_kernels PkgConfig::cmocka)
endfunction()

# A macro: languages are enabled where the project is.
macro(kd_find_cxx)
  if(KATYDID_TESTS AND KATYDID_TRAINER)
    include(CheckLanguage)
    # clang's own, as its sanitizers and gcc's do not go together.
    if(CMAKE_C_COMPILER_ID MATCHES "Clang" AND NOT CMAKE_CXX_COMPILER)
      string(REGEX REPLACE "clang([-0-9.]*)$" "clang++\\1" clangxx ${CMAKE_C_COMPILER})
      if(EXISTS ${clangxx})
        set(CMAKE_CXX_COMPILER ${clangxx})
      endif()
    endif()
    check_language(CXX)
    if(CMAKE_CXX_COMPILER)
      enable_language(CXX)
      set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")
    else()
      message(STATUS "No C++ compiler: the CUDA kernels are not tested (Debian and Ubuntu package g++)")
    endif()
  endif()
endmacro()

# The shim by itself; a second time with the slow way to switch stacks, for machines without assembly here.
function(kd_shim_tests)
  file(GLOB shim CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cuda/*.cpp)
  list(FILTER shim EXCLUDE REGEX "/(device_sim|control|test_[^/]*).cpp$")
  foreach(name test_shim test_shim_ucontext test_ampere test_capture)
    string(REPLACE _ucontext "" source ${name})
    add_executable(${name} ${CMAKE_SOURCE_DIR}/tests/cuda/${source}.cpp ${shim})
    kd_cpp_flags(${name})
    target_link_libraries(${name} PRIVATE PkgConfig::cmocka)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name})
    kd_test_settings(${name} kernels 120)
  endforeach()
  target_compile_definitions(test_shim_ucontext PRIVATE KD_FIBER_UCONTEXT)
endfunction()

# tests/cuda/NAME.cpp, a test of the CUDA device on the sim.
function(kd_sim_test name)
  add_executable(${name} ${CMAKE_SOURCE_DIR}/tests/cuda/${name}.cpp)
  kd_cpp_flags(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE kd_sim_registry kd_sim kd_kernels PkgConfig::cmocka)
  add_test(NAME ${name} COMMAND ${name})
  kd_test_settings(${name} kernels 120)
endfunction()

# The stand-in of NCCL, whole and without one of its calls. It finds the sim's hooks in the program that loads it.
function(kd_nccl_tests)
  foreach(name nccl_standin nccl_standin_lacking)
    add_library(${name} SHARED ${CMAKE_SOURCE_DIR}/tests/cuda/nccl_standin.c ${CMAKE_SOURCE_DIR}/tests/cuda/nccl_seats.c)
    kd_flags(${name})
    target_link_libraries(${name} PRIVATE dl)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  endforeach()
  target_compile_definitions(nccl_standin_lacking PRIVATE KD_STANDIN_LACKS_REDUCE_SCATTER)
  foreach(name test_nccl test_nccl_recorded test_nccl_ends)
    kd_sim_test(${name})
    target_compile_definitions(${name} PRIVATE KD_STANDIN="$<TARGET_FILE:nccl_standin>"
      KD_STANDIN_LACKING="$<TARGET_FILE:nccl_standin_lacking>")
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
    add_dependencies(${name} nccl_standin nccl_standin_lacking)
  endforeach()
endfunction()

# The stand-in of cuBLASLt, whole and without one of its calls; the ops that it does, all of them, small as they are.
function(kd_lt_tests)
  foreach(name lt_standin lt_standin_lacking)
    add_library(${name} SHARED ${CMAKE_SOURCE_DIR}/tests/cuda/lt_standin.c)
    kd_flags(${name})
    target_link_libraries(${name} PRIVATE dl m)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  endforeach()
  target_compile_definitions(lt_standin_lacking PRIVATE KD_STANDIN_LACKS_PREFERENCE_DESTROY)
  foreach(name test_lt test_lt_values)
    kd_sim_test(${name})
    target_compile_definitions(${name} PRIVATE KD_STANDIN="$<TARGET_FILE:lt_standin>"
      KD_STANDIN_LACKING="$<TARGET_FILE:lt_standin_lacking>")
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
    add_dependencies(${name} lt_standin lt_standin_lacking)
  endforeach()
  set_target_properties(test_ops_sim PROPERTIES ENABLE_EXPORTS ON)
  add_dependencies(test_ops_sim lt_standin)
  foreach(op matmul linear conv2d)
    add_test(NAME test_ops_lt_${op} COMMAND ${CMAKE_COMMAND} -E env KATYDID_CUBLASLT=$<TARGET_FILE:lt_standin>
      KATYDID_CUBLASLT_FROM=1 $<TARGET_FILE:test_ops_sim> ${op}*)
    kd_test_settings(test_ops_lt_${op} kernels 120)
  endforeach()
endfunction()

function(kd_sim_tests)
  if(NOT CMAKE_CXX_COMPILER_LOADED OR NOT KATYDID_TRAINER)
    return()
  endif()
  kd_shim_tests()
  kd_sim_room()
  kd_sim_plugin()
  kd_sim_program(test_ops_sim ${CMAKE_SOURCE_DIR}/tests/kernels/test_ops.c)
  kd_sim_test(test_device)
  kd_sim_test(test_attention)
  kd_sim_test(test_implicit)
  kd_nccl_tests()
  kd_lt_tests()
  if(NOT KATYDID_SANITIZE AND NOT KATYDID_FUZZ) # it is about results; a minute less
    kd_sim_program(test_barriers ${CMAKE_SOURCE_DIR}/tests/cuda/test_barriers.c)
    add_test(NAME test_barriers COMMAND test_barriers)
    kd_test_settings(test_barriers kernels 300)
    kd_script_tests(cuda test_*.sh kernels 300)
  endif()
  foreach(schedule forward reverse random:1)
    string(REPLACE ":" "_" suffix ${schedule})
    add_test(NAME test_ops_sim_${suffix}
      COMMAND ${CMAKE_COMMAND} -E env KATYDID_SIM_SCHEDULE=${schedule} $<TARGET_FILE:test_ops_sim>)
    kd_test_settings(test_ops_sim_${suffix} kernels 300)
    add_test(NAME test_ops_implicit_${suffix} COMMAND ${CMAKE_COMMAND} -E env KATYDID_SIM_SCHEDULE=${schedule}
      KATYDID_SIM_ARCHITECTURE=80 $<TARGET_FILE:test_ops_sim> conv2d*)
    kd_test_settings(test_ops_implicit_${suffix} kernels 120)
  endforeach()
  # bf16 and the kernels that only newer GPUs have.
  add_test(NAME test_ops_sim_80
    COMMAND ${CMAKE_COMMAND} -E env KATYDID_SIM_ARCHITECTURE=80 $<TARGET_FILE:test_ops_sim>)
  kd_test_settings(test_ops_sim_80 kernels 300)
endfunction()
