#!/bin/sh
# The program end to end, as a user runs it: test_program.sh CLAVE. Each check prints what it saw when it fails.
. "$(dirname "$0")/program.sh"

data=$folder/mnist
small_data "$data"
small="data.path=$data data.validation=100 train.epochs=2 device.select=$select report.samples=9 report.manifold=3"

# Usage.
expect 2 "no arguments" "$clave"
expect 0 "help" "$clave" --help
says "help" "train"
for command in train eval reconstruct sample manifold summary check explain devices bench; do
    expect 0 "$command --help" "$clave" "$command" --help
    says "$command --help" "usage: clave $command"
done
refused 2 "did you mean 'train'" "misspelt command" "$clave" trian ini/smoke.ini
refused 2 "did you mean '--resume'" "misspelt option" "$clave" train ini/smoke.ini --resmue
refused 2 "no section.key=value" "two files" "$clave" train ini/smoke.ini ini/vae.ini
refused 2 "--seed takes a whole number" "seed" "$clave" sample "$folder" --seed x
refused 2 "for clave's own use" "builder of nothing" "$clave" --build-kernels

# Configuration.
for file in ini/*.ini; do
    expect 0 "check $file" "$clave" check "$file"
done
printf '[train]\nbach = 3\nlr = fast\n[encoder]\nc = conv chanels=3\n' >"$folder/bad.ini"
expect 2 "check of a bad file" "$clave" check "$folder/bad.ini"
says "check" "bad.ini:2"
says "check" "batch"
says "check" "bad.ini:3"
says "check" "bad.ini:5"
refused 2 "did you mean 'lr'" "bad override" "$clave" train ini/smoke.ini train.lrr=1
refused 2 "No such file" "missing file" "$clave" train "$folder/none.ini"
refused 2 "(and 4 more errors: clave check $folder/bad.ini lists them)" "several errors" "$clave" train "$folder/bad.ini"
refused 2 "must be a number above 0" "an article" "$clave" train ini/smoke.ini train.lr=0
expect 2 "check --json of a bad file" "$clave" check "$folder/bad.ini" --json
holds "check --json" 'len(o["errors"]) == 5 and "bad.ini:2" in o["errors"][0] and o["notes"] == []'
expect 0 "check --json" "$clave" check ini/smoke.ini --json
holds "check --json" 'o == {"file": "ini/smoke.ini", "errors": [], "notes": []}'
expect 2 "check --json of layers that do not fit" "$clave" check ini/smoke.ini encoder.conv1.kernel=90 --json
holds "check --json of layers" 'len(o["errors"]) == 1 and "conv1" in o["errors"][0]'

# What an included file sets for other tasks is passed over, noted once, and not in resolved.ini; a row of one's own is refused.
sed 's/^task = vae/task = autoencoder/; s/gaussian units/linear units/; s/^\[loss\]/[loss]\nbeta = 2/' ini/smoke.ini >"$folder/other.ini"
grep -v beta "$folder/other.ini" >"$folder/base.ini" && printf '[transfer]\nreset = conv1\nrate = 0.5\n' >>"$folder/base.ini"
printf 'include = base.ini\n[experiment]\nname = heir\n[data]\npath = %s\n' "$PWD/assets/mnist" >"$folder/heir.ini"
refused 2 "loss.beta has an effect only with experiment.task = vae" "a row of one's own" "$clave" train "$folder/other.ini"
refused 2 "transfer.rate has an effect only with a transfer.from other than none" "an override" "$clave" train ini/smoke.ini transfer.rate=0.5
expect 0 "check of an heir" "$clave" check "$folder/heir.ini"
says "check of an heir" "note: $folder/base.ini:"
says "check of an heir" "transfer.reset has no effect here"
expect 0 "check --json of an heir" "$clave" check "$folder/heir.ini" --json
holds "check of an heir" 'len(o["notes"]) == 2 and o["errors"] == []'
expect 0 "train an heir" "$clave" train "$folder/heir.ini" data.path="$data" data.validation=100 device.select="$select" train.epochs=1 --out "$folder/heir"
[ "$(grep -c 'note: .*has no effect here' "$err")" -eq 2 ] || complain "train: the notes are not told once"
expect 0 "eval of an heir" "$clave" eval "$folder/heir"
[ -z "$(tail -c 1 "$folder/heir/results.json")" ] || complain "results.json does not end with a newline"
(cd "$folder" && "$clave" train "$OLDPWD/ini/smoke.ini" data.path=nowhere device.select="$select" --out none >"$out" 2>"$err")
grep -qF "no folder nowhere, looked for in $folder" "$err" || complain "a missing data folder: not where it was looked for"

# Help says what an option means for the command.
for words in "train:the run directory, made new" "train:last checkpoint of RUN" "search:the search's folder" "search:trials of SEARCH" \
    "latent:RUN/latent/code" "latent:points, chosen by the seed" "manifold:side of the grid" "sample:report.samples" \
    "reconstruct:report.reconstructions" "compare:draw a plot" "score:of a split alone"; do
    expect 0 "help" "$clave" "${words%%:*}" --help
    says "${words%%:*} --help" "${words#*:}"
    [ "$(grep -c '^  --out ' "$out")" -eq 1 ] || complain "${words%%:*} --help: --out is not there once"
done
refused 2 "from 1 to 100" "a side too long" "$clave" manifold "$folder" --count 101
expect 0 "explain --json" "$clave" explain train.batch --json
holds "explain --json" '[k["name"] for k in o["keys"]] == ["train.batch"] and o["keys"][0]["default"] and o["layers"] == []'
expect 0 "explain --json of all" "$clave" explain --json
holds "explain --json" 'len(o["keys"]) > 60 and any(k.get("only_with") for k in o["keys"]) and len(o["layers"]) == 8'
expect 0 "explain --json of a layer" "$clave" explain layer.conv.stride --json
holds "explain --json" 'o["keys"] == [] and [a["name"] for a in o["layers"][0]["arguments"]] == ["stride"] and len(o["layers"]) == 1'
refused 2 "did you mean" "explain --json of nothing" "$clave" explain train.bach --json
expect 0 "explain" "$clave" explain train.batch
says "explain" "train.batch"
# shellcheck disable=SC2086 # $small is a list of words
expect 0 "summary" "$clave" summary ini/smoke.ini $small
says "summary" "launches"
# shellcheck disable=SC2086
expect 0 "summary --json" "$clave" summary ini/smoke.ini $small --json
json "summary"
expect 0 "devices --json" "$clave" devices --json
json "devices"
refused 4 "no-such-device" "unknown device" "$clave" train ini/smoke.ini device.select=no-such-device

# Train, and everything that takes a run.
run=$folder/run
# shellcheck disable=SC2086
expect 0 "train" "$clave" train ini/smoke.ini $small --out "$run"
[ "$(tail -n 1 "$out")" = "$run" ] || complain "train: the run directory is not the last line"
for name in resolved.ini log.txt metrics.csv best.safetensors last.safetensors results.json report.html; do exists "$run/$name"; done
for name in loss reconstructions samples manifold; do is_png "$run/figures/$name.png"; done
for name in experiment task device epochs best_epoch seconds test; do grep -q "\"$name\"" "$run/results.json" || complain "results.json lacks $name"; done
[ "$(head -n 1 "$run/metrics.csv")" = "epoch,split,metric,value" ] || complain "metrics.csv has another head"
ls "$run"/*.tmp* >/dev/null 2>&1 && complain "a temporary file was left in $run"
# shellcheck disable=SC2086
refused 2 "holds a run already" "second run in one folder" "$clave" train ini/smoke.ini $small --out "$run"
expect 0 "eval" "$clave" eval "$run"
says "eval" "loss"
expect 0 "eval --json" "$clave" eval "$run" --json --split val
json "eval"
refused 2 "no split" "eval of no split" "$clave" eval "$run" --split tset
refused 2 "no run directory" "eval of no run" "$clave" eval "$data"
for command in reconstruct sample manifold; do
    expect 0 "$command" "$clave" "$command" "$run" --count 4 --scale 1 --out "$folder/$command.png"
    is_png "$folder/$command.png"
done
expect 0 "sample again" "$clave" sample "$run" --count 4 --scale 1 --out "$folder/again.png"
cmp -s "$folder/sample.png" "$folder/again.png" || complain "the same seed drew other samples"
expect 0 "sample of another seed" "$clave" sample "$run" --count 4 --scale 1 --seed 12 --out "$folder/other.png"
cmp -s "$folder/sample.png" "$folder/other.png" && complain "another seed drew the same samples"
# A resolved configuration re-runs the experiment.
expect 0 "train resolved.ini" "$clave" train "$run/resolved.ini" --out "$folder/second"
cmp -s "$run/last.safetensors" "$folder/second/last.safetensors" || complain "resolved.ini trains to other weights"
cp "$run/results.json" "$folder/before.json"
expect 0 "resume of a finished run" "$clave" train "$run" --resume
grep -v _seconds "$folder/before.json" >"$folder/a" && grep -v _seconds "$run/results.json" >"$folder/b"
cmp -s "$folder/a" "$folder/b" || complain "resuming a finished run changed its results"
refused 2 "trained 2 already" "fewer epochs" "$clave" train "$run" --resume train.epochs=1
refused 2 "train.lr is" "another rate" "$clave" train "$run" --resume train.lr=0.5
expect 0 "more epochs" "$clave" train "$run" --resume train.epochs=3 report.samples=0 --json
json "train"
grep -q '"epochs": 3' "$run/results.json" || complain "results.json does not say 3 epochs"
[ -e "$run/figures/samples.png" ] && complain "samples.png of the old weights stayed"
refused 2 "--count" "sample of none" "$clave" sample "$run"
(cd / && "$clave" eval "$run" >"$out" 2>"$err") || complain "eval from another folder"

# An interrupt saves a checkpoint; the resumed run ends as one never stopped.
# shellcheck disable=SC2086
expect 0 "whole run" "$clave" train ini/smoke.ini $small train.epochs=40 report.samples=0 --out "$folder/whole"
# shellcheck disable=SC2086
"$clave" train ini/smoke.ini $small train.epochs=40 report.samples=0 --out "$folder/cut" >"$out" 2>"$err" &
pid=$!
while kill -0 $pid 2>/dev/null && ! grep -q ^epoch "$folder/cut/log.txt" 2>/dev/null; do sleep 0.02; done
kill -INT $pid 2>/dev/null
wait $pid
got=$?
checks=$((checks + 1))
case $got in
130) grep -qF -- "--resume" "$err" || complain "interrupt: the message does not say how to go on"
     expect 0 "resume" "$clave" train "$folder/cut" --resume ;;
0) complain "interrupt: the run ended before the signal came" ;;
*) complain "interrupt: exit code $got" ;;
esac
cmp -s "$folder/whole/last.safetensors" "$folder/cut/last.safetensors" || complain "an interrupted and resumed run has other weights"

# A killed run goes on, even one killed before its first epoch ended.
# shellcheck disable=SC2086
"$clave" train ini/smoke.ini $small train.epochs=40 report.samples=0 --out "$folder/killed" >"$out" 2>"$err" &
pid=$!
while kill -0 $pid 2>/dev/null && ! [ -f "$folder/killed/last.safetensors" ]; do sleep 0.02; done
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
expect 0 "resume after a kill" "$clave" train "$folder/killed" --resume
cmp -s "$folder/whole/last.safetensors" "$folder/killed/last.safetensors" || complain "a killed and resumed run has other weights"

# Divergence.
# shellcheck disable=SC2086
refused 5 "at step" "divergence" "$clave" train ini/smoke.ini $small train.optimizer=sgd train.lr=1e30 --out "$folder/nan"

# Data that are not what they claim: one line with the file's name, exit code 3, no run directory.
spoil() {
    rm -rf "$folder/spoilt" && cp -r "$data" "$folder/spoilt"
    file=$folder/spoilt/train-images-idx3-ubyte
}
bad_data() {
    # shellcheck disable=SC2086
    refused 3 "train-images-idx3-ubyte" "$1" "$clave" train ini/smoke.ini $small data.path="$folder/spoilt" --out "$folder/refused"
    [ -e "$folder/refused" ] && complain "$1: left a run directory"
}
spoil && rm "$file" && bad_data "missing file"
spoil && : >"$file" && bad_data "empty file"
spoil && head -c 9 "$data/train-images-idx3-ubyte" >"$file" && bad_data "truncated head"
spoil && head -c 100000 "$data/train-images-idx3-ubyte" >"$file" && bad_data "truncated file"
spoil && echo more >>"$file" && bad_data "file too long"
spoil && head -c 5000 /dev/urandom >"$file" && bad_data "random file"
spoil && gzip "$file" && head -c 20000 "$file.gz" >"$file.cut" && mv "$file.cut" "$file.gz" && bad_data "truncated gzip"
spoil && rm "$file" && { printf '\037\213\010\000'; head -c 5000 /dev/urandom; } >"$file.gz" && bad_data "random gzip"
spoil && rm "$file" && : | gzip >"$file.gz" && bad_data "empty gzip"
spoil && gzip "$file" && expect 0 "gzip" "$clave" train ini/smoke.ini data.path="$folder/spoilt" data.validation=100 train.epochs=1 device.select="$select" --out "$folder/gzip"

# A run whose weights were spoilt.
cp -r "$run" "$folder/broken" && head -c 100 "$run/best.safetensors" >"$folder/broken/best.safetensors"
refused 3 "best.safetensors" "truncated weights" "$clave" eval "$folder/broken"

expect 0 "bench --json" "$clave" bench ini/smoke.ini device.select="$select" --seconds 0.5 --json
json "bench"
for name in images_per_second gflops peak_gflops peak_share step_ms least_ms least_share launches device_bytes first_step_seconds; do says "bench" "\"$name\""; done

expect 0 "bench --roofline --json" "$clave" bench ini/vae.ini --roofline --json
json "bench --roofline"
holds "bench --roofline" 'len(o["devices"]) >= 10 and all(d["images_per_second"] > 0 for d in o["devices"])'
holds "bench --roofline: a step is no shorter than any of its limits" \
    'all(d["step_ms"] >= 0.999 * max(d["arithmetic_ms"], d["memory_ms"], d["launch_ms"]) for d in o["devices"])'
expect 0 "bench --inference" "$clave" bench ini/smoke.ini --inference --seconds 0 --json
json "bench --inference"
holds "bench --inference: less work than a step" 'o["images_per_second"] > 0 and 0 < o["launches"] < 12'
refused 2 "--inference" "bench --roofline --inference" "$clave" bench ini/smoke.ini --roofline --inference
refused 2 "--trace" "bench --roofline --trace" "$clave" bench ini/vae.ini --roofline --trace
expect 0 "bench --scaling" "$clave" bench ini/smoke.ini device.backend=cpu train.batch=4 --scaling size --at 27,28,32,36 --seconds 0 --out "$folder/scaling.png"
for word in "size" "27  skipped" "of trend" "cliffs" "$folder/scaling.png"; do says "bench --scaling" "$word"; done
is_png "$folder/scaling.png"
expect 0 "bench --scaling --json" "$clave" bench ini/smoke.ini device.select="$select" --scaling batch --at 128 --seconds 0 --json
json "bench --scaling"
holds "bench --scaling" '[p["value"] for p in o["points"]] == [128] and all(p["what"] == "batch" and p["step_ms"] > 0 for p in o["points"])'
holds "bench --scaling: one point has no trend" 'o["points"][0]["trend"] is None and o["points"][0]["cliff"] is False and o["points"][0]["peak_share"] > 0'
for wrong in "--scaling bath" "--scaling all --at 16" "--scaling batch --at 16,x" "--scaling batch --at 32,16" "--at 16" "--scaling batch --trace" "--scaling size --out plot.txt" "--scaling size --at 27"; do
    # shellcheck disable=SC2086 # words
    refused 2 "" "bench $wrong" "$clave" bench ini/smoke.ini $wrong
done

finish
