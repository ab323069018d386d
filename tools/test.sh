#!/bin/sh
# The whole test suite: installs what is missing, then
#   gcc        a release build without warnings, every test (OpenCL tests on PoCL)
#   clang      the same sources without warnings
#   sanitize   address and undefined-behaviour sanitizers, every test
#   rusticl    the OpenCL tests on a second implementation, where it is installed
#   races      kernels with the launches of GPUs, watched by Oclgrind, where it is installed
#   kernels    every kernel file read alone by an OpenCL C 1.2 compiler
#   portability  every launch of a training step compiled for GPUs that are not there: no spills, enough multiply-adds
# Ends with "N passed, N failed, N skipped"; a part that fails to build counts as failed. Build folders are kept below build/test
# (CLAVE_TEST_DIR), so that a second run builds only what changed.
set -u
cd "$(dirname "$0")/.."
root=$(pwd)
dir=${CLAVE_TEST_DIR:-$root/build/test}
passed=0 failed=0 skipped=0

sh tools/deps.sh --test || exit 1
mkdir -p "$dir" || exit 1

# What one test knows of a device serves the next, and PoCL keeps what it compiled; the user's own cache is left alone.
export XDG_CACHE_HOME="$dir/cache"
# Tests of the cache switch it on for themselves. For the others binaries cost more than they save: asking PoCL for one compiles the kernel again.
export CLAVE_BINARIES=texts
# One implementation at a time: PoCL, so that every machine tests the same thing, and other drivers' leaks stay out.
vendors=/etc/OpenCL/vendors
[ -f $vendors/pocl.icd ] && export OCL_ICD_VENDORS=$vendors/pocl.icd
# Without intercept_tls_get_addr=0 the leak checker guesses where glibc put thread-local memory of loaded libraries, and now and then it
# crashed as it read there ("Tracer caught signal 11", 2 of 40 runs of `clave train`).
export ASAN_OPTIONS="detect_leaks=1:exitcode=99:intercept_tls_get_addr=0"
export LSAN_OPTIONS="suppressions=$root/tests/leaks.supp:print_suppressions=0"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:exitcode=99"

fail() {
    echo "FAILED: $*"
    failed=$((failed + 1))
}

# build NAME COMPILER [MESON OPTION ...]
build() {
    name=$1 compiler=$2
    shift 2
    echo "== $name: build"
    if [ ! -f "$dir/$name/build.ninja" ]; then
        CC=$compiler meson setup "$dir/$name" "$root" --werror "$@" >"$dir/$name.setup.log" 2>&1 || {
            tail -n 20 "$dir/$name.setup.log"
            return 1
        }
    fi
    ninja -C "$dir/$name" >"$dir/$name.build.log" 2>&1 || {
        grep -E 'error|warning|FAILED' "$dir/$name.build.log" | head -n 20
        return 1
    }
}

# run NAME [MESON TEST ARGUMENT ...]: counts what meson reports
run() {
    name=$1
    shift
    echo "== $name: test"
    rm -f "$dir/$name/meson-logs/$name.json"
    meson test -C "$dir/$name" --no-rebuild --num-processes 2 --print-errorlogs --logbase "$name" "$@" 2>&1 |
        grep -E '^ *[0-9]+/[0-9]+ |^(stdout|stderr|[|]|\[ +(FAILED|ERROR))' | cut -c 1-300
    count=$(python3 tools/count_tests.py "$dir/$name/meson-logs/$name.json") || { fail "$name: no test log"; return; }
    # shellcheck disable=SC2086 # three numbers
    set -- $count
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

if build gcc gcc; then run gcc; else fail "gcc build"; fi
if build clang clang; then passed=$((passed + 1)); else fail "clang build"; fi
if build sanitize clang -Db_sanitize=address,undefined -Db_lundef=false --buildtype=debugoptimized; then
    run sanitize --timeout-multiplier 4
else
    fail "sanitizer build"
fi

echo "== rusticl"
export RUSTICL_ENABLE=llvmpipe OCL_ICD_VENDORS=$vendors/rusticl.icd CLAVE_BINARIES=on # as users have it
if [ -f $vendors/rusticl.icd ] && clinfo -l 2>/dev/null | grep -q llvmpipe && [ -f "$dir/gcc/build.ninja" ]; then
    run gcc --timeout-multiplier 4 test_ops test_golden test_opencl
else
    echo "skipped: Rusticl with llvmpipe (mesa-opencl-icd) is not installed"
    skipped=$((skipped + 1))
fi

# races NAME TEST PROGRAM SEED: no two work-items touch one place without a barrier between. Oclgrind exits 0 all the same: its log says.
races() {
    log="$dir/races-$1.log" out="$dir/races-$1.txt"
    rm -f "$log"
    env -u OCL_ICD_VENDORS CLAVE_TEST_SEED="$4" CLAVE_TEST_ONLY="$2" XDG_CACHE_HOME="$dir/races" \
        oclgrind --data-races --log "$log" "$dir/gcc/tests/$3" >"$out" 2>&1
    if [ -s "$log" ]; then
        grep -E 'race|Kernel|^.At line' "$log" | head -n 4
        fail "$2: a race of work-items, see $log"
    elif ! grep -q "OK \] $2" "$out"; then
        tail -n 5 "$out"
        fail "$2 under Oclgrind"
    else
        passed=$((passed + 1))
    fi
}

echo "== races"
if command -v oclgrind >/dev/null && [ -f "$dir/gcc/build.ninja" ]; then
    races pairs test_pairs_as_others test_ops 1
    # The seed draws the device: a GPU of width 1, of width 4. (Oclgrind 21.10 cannot run the products of CPUs, which share nothing.)
    races ops test_ops_as_others test_opencl 0
    races vectors test_ops_as_others test_opencl 1
    races products test_products_of_gpus test_opencl 0
else
    echo "skipped: Oclgrind is not installed"
    skipped=$((skipped + 1))
fi

echo "== kernels"
for file in cl/*.cl; do
    if clang -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -Wall -Wextra -Wno-unused-parameter \
        -Wno-unused-function -Werror -I cl -fsyntax-only "$file"; then
        passed=$((passed + 1))
    else
        fail "$file: is not OpenCL C 1.2 that a compiler can read alone"
    fi
done

echo "== portability"
if [ -x "$dir/gcc/tests/list_launches" ]; then
    python3 tests/portability/check.py "$dir/gcc/tests/list_launches" --quick >"$dir/portability.log" 2>&1
    grep -E '^(FAILED|skipped|check.py)|passed' "$dir/portability.log" | cut -c 1-300
    # shellcheck disable=SC2046 # three numbers
    set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$dir/portability.log")
    if [ $# -eq 3 ]; then
        passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    else
        fail "portability: no result, see $dir/portability.log"
    fi
else
    fail "portability: list_launches is not built"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
