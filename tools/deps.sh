#!/bin/sh
# Installs what clave needs on Debian and Ubuntu, and only what is missing:
#   sh tools/deps.sh         to build and run
#   sh tools/deps.sh --test  also to run the test suite (PoCL and Rusticl included, whatever devices there are)
# Works as root or through sudo; asks nothing; says what it installs.
set -eu

build="gcc libc6-dev meson ninja-build pkg-config python3 ocl-icd-opencl-dev opencl-c-headers clinfo libclblast-dev libpng-dev libdeflate-dev
libinih-dev libjansson-dev libcairo2-dev liblapacke-dev libsqlite3-dev fonts-dejavu-core libcmocka-dev"
tests="clang libclang-rt-dev pocl-opencl-icd mesa-opencl-icd oclgrind"
# Compilers for GPUs that are not there (tests/portability); what apt does not offer is left out, and its targets are skipped.
portability="clang-15 libclc-15 intel-opencl-icd libigc-dev"

installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

missing() {
    for package in "$@"; do installed "$package" || printf '%s ' "$package"; done
}

offered() {
    for package in "$@"; do apt-cache show "$package" >/dev/null 2>&1 && printf '%s ' "$package"; done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else
        echo "deps: not root and there is no sudo; run as root: $*" >&2
        exit 1
    fi
}

install() {
    [ $# -gt 0 ] || return 0
    echo "deps: installing $*"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

if ! command -v apt-get >/dev/null; then
    echo "deps: this is no Debian or Ubuntu; install by hand: $build $tests" >&2
    exit 1
fi

wanted=$build
[ "${1:-}" = --test ] && wanted="$build $tests"
# shellcheck disable=SC2046,SC2086 # lists of words
install $(missing $wanted)
# shellcheck disable=SC2046,SC2086
[ "${1:-}" != --test ] || install $(missing $(offered $portability))

# PoCL makes the processor an OpenCL device; where there is another device, it is not needed.
if ! clinfo -l 2>/dev/null | grep -q Device; then
    # shellcheck disable=SC2046
    install $(missing pocl-opencl-icd)
fi
if ! clinfo -l 2>/dev/null | grep -q Device; then
    echo "deps: no OpenCL device was found even with PoCL; see what 'clinfo' says" >&2
    exit 1
fi
