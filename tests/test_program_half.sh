#!/bin/sh
# Runs the program as a user does, with device.storage = half: the key and its help, training, what a run in one storage is in
# the other, memory as it was predicted. test_program_half.sh PATH/TO/clave
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
data=$folder/data
small_data "$data"
small="data.path=$data data.validation=100 train.epochs=2 device.select=$select report.samples=0"

expect 0 "explain" "$clave" explain device.storage
says "explain" "half"
refused 2 "device.storage" "no such storage" "$clave" train ini/smoke.ini device.storage=double

# Training in half is training: near the run in float, and not the same.
for storage in float half; do
    # shellcheck disable=SC2086
    expect 0 "train, $storage" "$clave" train ini/smoke.ini $small device.storage=$storage --out "$folder/$storage" --json
    cp "$out" "$folder/$storage.json"
done
cat "$folder/float.json" "$folder/half.json" | tr -d '\n' | sed 's/}{/},{/; s/^/[/; s/$/]/' >"$out"
holds "half beside float" 'abs(o[1]["test"]["loss"] / o[0]["test"]["loss"] - 1) < 0.02'
cmp -s "$folder/float/last.safetensors" "$folder/half/last.safetensors" && complain "half trained to the weights of float"
grep -q "storage = half" "$folder/half/resolved.ini" || complain "resolved.ini does not say half"
# shellcheck disable=SC2086
expect 0 "train again" "$clave" train "$folder/half/resolved.ini" --out "$folder/again"
cmp -s "$folder/half/last.safetensors" "$folder/again/last.safetensors" || complain "a run in half does not repeat to the bit"

# Weights are floats whatever activations were: either storage evaluates and goes on with them.
for storage in float half; do
    expect 0 "eval in the other storage" "$clave" eval "$folder/$storage" --json
    cp "$out" "$folder/own.json"
    other=half
    [ $storage = half ] && other=float
    expect 0 "eval in the other storage" "$clave" eval "$folder/$storage" device.storage=$other --json
    cat "$folder/own.json" "$out" | tr -d '\n' | sed 's/}{/},{/; s/^/[/; s/$/]/' >"$folder/both.json"
    cp "$folder/both.json" "$out"
    holds "eval in the other storage" 'o[0] != o[1] and abs(o[0]["measures"]["loss"] / o[1]["measures"]["loss"] - 1) < 0.001'
    expect 0 "resume in the other storage" "$clave" train "$folder/$storage" --resume train.epochs=3 device.storage=$other
    grep -q "storage = $other" "$folder/$storage/resolved.ini" || complain "the resumed run does not say its storage"
done

# What a step takes is known before it runs, and is linear in the batch; in blocks each has gradients of its own as well, and
# how many blocks there are depends on the device.
bytes_of() { # COMMAND BATCH STORAGE ...
    command=$1 batch=$2 storage=$3
    shift 3
    # shellcheck disable=SC2086
    expect 0 "$command" "$clave" "$command" ini/smoke.ini $small train.batch=$batch device.storage=$storage "$@" --json
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["device_bytes"])' "$out"
}
predicted=$(bytes_of summary 64 half) measured=$(bytes_of bench 64 half --seconds 0.1)
[ "$predicted" = "$measured" ] || complain "summary says $predicted bytes, bench has $measured"
whole=plan.fuse_chains=false
once=$(bytes_of summary 64 half $whole) twice=$(bytes_of summary 128 half $whole) thrice=$(bytes_of summary 192 half $whole)
full=$(bytes_of summary 192 float $whole)
checks=$((checks + 2))
python3 -c 'import sys; a, b, c, f = map(int, sys.argv[1:]); sys.exit(not abs((c - b) - (b - a)) <= 0.02 * (b - a) or c >= f)' \
    "$once" "$twice" "$thrice" "$full" || complain "bytes of batches of 64, 128, 192: $once, $twice, $thrice; float $full"

finish
