# What the test_program scripts share; each sources it with the program's path as its first argument, and ends with `finish`.
# Sets clave, folder (its own, removed at the end), out, err, select (the device). Each check prints what it saw when it fails.
# shellcheck shell=sh disable=SC2034 # variables for whoever sources this
set -u
clave=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") # some checks leave this folder
folder=$(mktemp -d "${TMPDIR:-/tmp}/clave-program-XXXXXX")
trap 'rm -rf "$folder"' EXIT
out=$folder/stdout err=$folder/stderr
select=${CLAVE_TEST_DEVICE:-auto}
failures=0 checks=0

"$clave" devices >"$out" 2>"$err"
case $? in
0) ;;
4) echo "no OpenCL device"; exit 77 ;;
*) cat "$err"; exit 1 ;;
esac

complain() {
    failures=$((failures + 1))
    echo "FAILED: $*"
    sed 's/^/  stdout: /' "$out" | head -n 5
    sed 's/^/  stderr: /' "$err" | head -n 5
}

# expect STATUS WHAT COMMAND...: runs it, and checks its exit code
expect() {
    status=$1 what=$2
    shift 2
    checks=$((checks + 1))
    "$@" >"$out" 2>"$err" </dev/null
    got=$?
    [ "$got" -eq "$status" ] || complain "$what: exit code $got, not $status"
}

# refused STATUS PART WHAT COMMAND...: one line on standard error that holds PART
refused() {
    status=$1 part=$2 what=$3
    shift 3
    expect "$status" "$what" "$@"
    grep -qF -- "$part" "$err" || complain "$what: the message does not say '$part'"
    [ "$(grep -c '^clave: ' "$err")" -eq 1 ] || complain "$what: not exactly one line of error"
}

says() { grep -qF -- "$2" "$out" || complain "$1: standard output does not say '$2'"; }
exists() { [ -s "$1" ] || complain "$1 is missing or empty"; }
is_png() { [ "$(head -c 8 "$1" 2>/dev/null | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || complain "$1 is no PNG"; }
json() { python3 -m json.tool <"$out" >/dev/null 2>&1 || complain "$1: standard output is no JSON"; }

# holds WHAT EXPRESSION: a Python expression of the JSON object `o` on standard output
holds() {
    checks=$((checks + 1))
    python3 -c 'import json, sys; o = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$out" "$2" 2>/dev/null ||
        complain "$1: not '$2'"
}

# small_data FOLDER [TRAIN TEST [bare]]: the first images of the shipped MNIST as a data set; bare: without labels
small_data() {
    mkdir -p "$1"
    python3 - "$1" "${2:-600}" "${3:-200}" "${4:-labels}" <<'PYTHON'
import gzip, struct, sys
folder, train, test, labels = sys.argv[1:]
for prefix, count in (("train", int(train)), ("t10k", int(test))):
    for name, size, head in (("images-idx3-ubyte", 784, struct.pack(">IIII", 0x803, count, 28, 28)), ("labels-idx1-ubyte", 1, struct.pack(">II", 0x801, count))):
        if size == 1 and labels == "bare":
            continue
        raw = gzip.open(f"assets/mnist/{prefix}-{name}.gz").read()
        skip = 16 if size > 1 else 8
        open(f"{folder}/{prefix}-{name}", "wb").write(head + raw[skip:skip + size * count])
PYTHON
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
}
