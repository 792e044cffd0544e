#!/bin/sh
# Native tests under ASan and UBSan, then every function of the module under valgrind.
# Usage: sanitize.sh VENV [pytest arguments]. Needs a sanitizing g++ or clang++; valgrind is skipped, and
# said to be, where it is not installed.
set -eu
venv=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
out=build/sanitize
python=$("$venv/bin/python" -c 'import sys; print(sys._base_executable)')
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

cmake -S . -B "$out/cmake" -DLEAKSCAN_SANITIZE=ON -DPython_EXECUTABLE="$python" -DSKBUILD_SOABI=abi3 \
    -DCMAKE_MODULE_PATH="$site/scikit_build_core/resources/find_python" >/dev/null
cmake --build "$out/cmake" -j 2 | grep -E 'error|warning' || true
# The editable install would be found first: site-packages comes in as a plain folder, without its hooks.
rm -rf "$out/path"
mkdir -p "$out/path"
cp -r analyzer/leakscan "$out/path/leakscan"
rm -f "$out/path/leakscan"/_native*.so
cp "$out/cmake"/_native*.so "$out/path/leakscan/"
export PYTHONPATH="$PWD/$out/path:$PWD/tests:$site"
export PYTHONDONTWRITEBYTECODE=1

compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[^=]*=//p' "$out/cmake/CMakeCache.txt")
asan=$("$compiler" -print-file-name=libasan.so)
ubsan=$("$compiler" -print-file-name=libubsan.so)
if [ $# -eq 0 ]; then
    set -- tests/record/test_births*.py tests/record/test_native_doors.py tests/record/test_walk_*.py \
        tests/capture/process/test_guard.py tests/capture/process/test_guard_limits.py \
        tests/analysis/graph/test_kernels_*.py \
        tests/heap/test_format.py tests/heap/test_reader.py tests/heap/test_v8.py tests/heap/test_v8_series.py
fi
echo "== ASan and UBSan: $*"
# CPython itself leaves memory at exit, hence no leak check; the interpreter's blocks come from malloc,
# where ASan sees them. Under it every process needs more memory than is promised. The observed thread's stack is read from outside: no use-after-return check.
LD_PRELOAD="$asan $ubsan" PYTHONMALLOC=malloc SANITIZED=1 \
    ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1:handle_segv=0:verify_asan_link_order=0 \
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    "$python" -m pytest -q -p no:cacheprovider "$@" \
    --deselect tests/capture/process/test_guard.py::test_a_program_that_the_kernel_kills_has_left_its_answer \
    --deselect tests/record/test_walk_extremes.py::test_the_child_needs_at_most_32_bytes_for_each_object

if ! command -v valgrind >/dev/null; then
    echo "== valgrind: not installed, skipped"
    exit 0
fi
echo "== valgrind: every function of the module, the walk in the forked child included"
cmake -S . -B "$out/plain" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPython_EXECUTABLE="$python" \
    -DCMAKE_MODULE_PATH="$site/scikit_build_core/resources/find_python" >/dev/null 2>&1
cmake --build "$out/plain" -j 2 | grep -E 'error|warning' || true
cp "$out/plain"/_native*.so "$out/path/leakscan/"
rm -rf "$out/valgrind"
mkdir -p "$out/valgrind"
for calls in good "1 ${VALGRIND_CALLS:-400}"; do
    # Undefined values are not asked about: the walk reads padding and words of no object on purpose,
    # and CPython alone gives hundreds.
    # Not what glibc frees at the end: the child has given its memory back by then.
    PYTHONMALLOC=malloc valgrind --run-libc-freeres=no --leak-check=no --undef-value-errors=no --num-callers=30 \
        --suppressions=tools/valgrind.supp --log-file="$out/valgrind/%p.log" \
        "$python" tests/doors.py $calls </dev/null >/dev/null
done
errors=0
for log in "$out"/valgrind/*.log; do
    if grep -q 'ERROR SUMMARY: [1-9]' "$log" && grep -q 'analyzer/native\|_native' "$log"; then
        errors=1
        head -80 "$log"
    fi
done
echo "$(ls "$out/valgrind" | wc -l) processes, errors in leakscan: $errors"
exit $errors
