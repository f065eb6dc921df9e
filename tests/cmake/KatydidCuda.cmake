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

# ON without nvcc is an error; a build with sanitizers or for fuzzers tests kernels in the shim, and leaves the plugin out.
function(kd_cuda_is_wanted result)
  set(${result} OFF PARENT_SCOPE)
  if(KATYDID_CUDA STREQUAL "OFF" OR KATYDID_SANITIZE OR KATYDID_FUZZ)
    return()
  endif()
  if(NOT KD_NVCC AND NOT KATYDID_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "KATYDID_CUDA=${KATYDID_CUDA}, but there is no nvcc in PATH, CUDA_HOME/bin or /usr/local/cuda/bin: "
      "install NVIDIA's CUDA toolkit 12 or later, or configure with -DKATYDID_CUDA=OFF")
  endif()
  if(KD_NVCC)
    set(${result} ON PARENT_SCOPE)
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

function(kd_cuda_plugin)
  kd_cuda_architectures(architectures)
  kd_cuda_flags("${architectures}" flags)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)
  set(objects "")
  foreach(source ${sources})
    get_filename_component(name ${source} NAME)
    set(object ${CMAKE_BINARY_DIR}/cuda/${name}.o)
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/cuda
      COMMAND ${KD_NVCC} ${flags} -MMD -MF ${object}.d -c ${source} -o ${object}
      COMMENT "nvcc ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  add_library(katydid_cuda SHARED ${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.c ${objects})
  set_target_properties(katydid_cuda PROPERTIES LINKER_LANGUAGE C LINK_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.map
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
  kd_flags(katydid_cuda)
  list(JOIN architectures ", " text)
  target_compile_definitions(katydid_cuda PRIVATE "KD_CUDA_ARCHITECTURES=\"${text}\"")
  target_link_options(katydid_cuda PRIVATE -Wl,--no-undefined
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/kernels/cuda/plugin.map)
  find_library(KD_CUDART cudart_static HINTS ${KD_CUDA_HOME}/lib64 ${KD_CUDA_HOME}/targets/x86_64-linux/lib
    ${KD_CUDA_HOME}/targets/sbsa-linux/lib REQUIRED)
  target_link_libraries(katydid_cuda PRIVATE kd_base ${KD_CUDART} stdc++ dl rt m Threads::Threads)
  install(TARGETS katydid_cuda DESTINATION ${CMAKE_INSTALL_LIBDIR}/katydid)
  message(STATUS "CUDA plugin: toolkit ${KD_CUDA_MAJOR} (${KD_NVCC}), architectures ${architectures}")
endfunction()

function(kd_cuda)
  kd_find_nvcc()
  kd_cuda_is_wanted(is_wanted)
  if(is_wanted)
    kd_cuda_plugin()
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
  if(KATYDID_SANITIZE)
    target_compile_options(${target} PRIVATE -O1 -fsanitize=address,undefined -fno-omit-frame-pointer
      -fno-sanitize-recover=undefined)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
  if(KATYDID_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

# kd_sim: the shim and kernels/cuda as C++, which give kd_device_sim and a registry of devices with it alone.
function(kd_sim_room)
  file(GLOB shim CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cuda/*.cpp)
  list(FILTER shim EXCLUDE REGEX "/test_[^/]*$")
  file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)
  set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX)
  add_library(kd_sim OBJECT ${shim} ${kernels})
  kd_cpp_flags(kd_sim)
  target_link_libraries(kd_sim PUBLIC kd_base stdc++ m)
endfunction()

function(kd_sim_program name)
  add_executable(${name} ${ARGN})
  kd_flags(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # Objects come before archives: the registry of the sim, and not that of kernels/device.c.
  target_link_libraries(${name} PRIVATE kd_sim kd_kernels PkgConfig::cmocka)
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
  list(FILTER shim EXCLUDE REGEX "/(device_sim|not_yet).cpp$")
  foreach(name test_shim test_shim_ucontext)
    add_executable(${name} ${shim})
    kd_cpp_flags(${name})
    target_link_libraries(${name} PRIVATE PkgConfig::cmocka)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name})
    kd_test_settings(${name} kernels 120)
  endforeach()
  target_compile_definitions(test_shim_ucontext PRIVATE KD_FIBER_UCONTEXT)
endfunction()

function(kd_sim_tests)
  if(NOT CMAKE_CXX_COMPILER_LOADED OR NOT KATYDID_TRAINER)
    return()
  endif()
  kd_shim_tests()
  kd_sim_room()
  kd_sim_program(test_ops_sim ${CMAKE_SOURCE_DIR}/tests/kernels/test_ops.c)
  foreach(schedule forward reverse random:1)
    string(REPLACE ":" "_" suffix ${schedule})
    add_test(NAME test_ops_sim_${suffix}
      COMMAND ${CMAKE_COMMAND} -E env KATYDID_SIM_SCHEDULE=${schedule} $<TARGET_FILE:test_ops_sim>)
    kd_test_settings(test_ops_sim_${suffix} kernels 300)
  endforeach()
endfunction()
