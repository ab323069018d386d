#!/bin/sh
# clave search end to end, as a user runs it: test_program_search.sh CLAVE. Each check prints what it saw when it fails.
. "$(dirname "$0")/program.sh"

# sql STUDY STATEMENT: what the study's file says; a reader beside clave's own
sql() {
    python3 - "$1/study.sqlite" "$2" <<'PYTHON'
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1], timeout=60).execute(sys.argv[2]): print(*row)
PYTHON
}

# The first images of MNIST as a data set of their own.
data=$folder/mnist
small_data "$data"

ini=$folder/tiny.ini
cat >"$ini" <<INI
[experiment]
name = tiny
[params]
width = 8
[data]
path = $data
validation = 100
[encoder]
a = linear units=\$width act=relu
b = linear units=2
[decoder]
c = linear units=784 act=sigmoid
d = reshape channels=1 height=28 width=28
[device]
select = $select
[search]
method = asha
trials = 9
min_epochs = 1
max_epochs = 9
first = 16, 1e-3
[space]
params.width = 8, 16
train.lr = log 1e-4..1e-1
INI

# Usage and configuration.
expect 0 "search --help" "$clave" search --help
says "search --help" "usage: clave search"
expect 0 "check" "$clave" check "$ini"
refused 2 "1 error" "check of a bad space" "$clave" check "$ini" space.params.widht=8,16
says "check" "did you mean 'width'?"
refused 2 "conv3" "a size that does not follow" "$clave" check ini/search.ini params.flat=576
grep -qF "with params.conv3=32" "$err" || complain "a size that does not follow: the value is not named"
refused 2 "is no value of params.width" "first that is not in the space" "$clave" check "$ini" search.first=17,1e-3
refused 2 "there is nothing to search" "no space" "$clave" search ini/smoke.ini --out "$folder/none"
[ -e "$folder/none" ] && complain "a search that was refused left a folder"
refused 2 "did you mean 'units'?" "bad argument" "$clave" search "$ini" space.encoder.a.unit=1,2 --out "$folder/none"
refused 2 "is no search's folder" "list of no search" "$clave" search "$data" --list
refused 2 "is no search's folder" "resume of no search" "$clave" search "$data" --resume
refused 2 "do not go together" "list and best" "$clave" search "$data" --list --best
refused 2 "--resume" "folder without an option" "$clave" search "$data"
refused 3 "train-images" "no data" "$clave" search "$ini" data.path="$folder" data.validation=0 early_stopping.monitor=train.loss --out "$folder/nodata"

# A search, and what it leaves. One process: the same again, trial by trial.
one=$folder/one
expect 0 "search" "$clave" search "$ini" --out "$one"
[ "$(tail -n 1 "$out")" = "$one" ] || complain "search: the folder is not the last line"
says "search" "first: trial 1"
says "search" "an hour"
[ "$(grep -c '^trial ' "$err")" -eq "$(sql "$one" 'SELECT count(*) FROM result')" ] || complain "search: not a line a result"
for name in study.sqlite study.ini ranking.csv trials/0001/last.safetensors trials/0009/metrics.csv; do exists "$one/$name"; done
for name in trials progress parameters parallel importance; do is_png "$one/figures/$name.png"; exists "$one/figures/$name.svg"; done
[ -e "$one/trials/0001/report.html" ] && complain "a trial drew a report"
[ "$(wc -l <"$one/ranking.csv")" -eq 10 ] || complain "ranking.csv has not a row a trial"
[ "$(sql "$one" "SELECT epochs FROM trial WHERE number = 1")" = 9 ] || complain "the first point was not trained to the end"
expect 0 "the same search" "$clave" search "$one/study.ini" --out "$folder/again"
cut -d , -f 1-7,9- "$one/ranking.csv" >"$folder/a" && cut -d , -f 1-7,9- "$folder/again/ranking.csv" >"$folder/b"
cmp -s "$folder/a" "$folder/b" || complain "the same search found something else"
cmp -s "$one/trials/0005/last.safetensors" "$folder/again/trials/0005/last.safetensors" || complain "trial 5 has other weights"
expect 0 "list" "$clave" search "$one" --list
says "list" "rank  trial"
expect 0 "list --json" "$clave" search "$one" --list --json
python3 - "$out" "$one/ranking.csv" <<'PYTHON' || complain "list --json and ranking.csv differ"
import csv, json, sys
listed, rows = json.load(open(sys.argv[1])), list(csv.DictReader(open(sys.argv[2])))
assert len(listed["trials"]) == len(rows) == 9 and set(listed["importance"]) == {"params.width", "train.lr"}
for trial, row in zip(listed["trials"], rows):
    assert str(trial["trial"]) == row["trial"] and trial["set"]["train.lr"] == row["train.lr"]
    assert abs(trial["value"] - float(row["val.loss"])) < 1e-7
values = [t["value"] for t in listed["trials"]]
assert values == sorted(values)
PYTHON
"$clave" search "$one" --best >"$folder/best.ini" 2>"$err" || complain "best"
expect 0 "train of the best" "$clave" train "$folder/best.ini" report.samples=0 --out "$folder/best"
python3 - "$folder/best/results.json" "$one/ranking.csv" <<'PYTHON' || complain "the best configuration trains to another loss"
import csv, json, sys
best = next(csv.DictReader(open(sys.argv[2])))
loss = json.load(open(sys.argv[1]))["val"]["loss"]
assert best["epochs"] == best["best_epoch"] == "9" and abs(loss - float(best["val.loss"])) < 1e-7, (loss, best)
PYTHON
expect 0 "eval of a trial" "$clave" eval "$one/trials/0001"

# Going on.
refused 2 "holds a study already" "second search in one folder" "$clave" search "$ini" --out "$one"
refused 2 "began with [space] params.width = 8, 16, not with" "another space" "$clave" search "$ini" space.params.width=8,16,32 --out "$one" --resume
refused 2 "only search.trials, search.parallel, [device] and [report] may change" "another plan" "$clave" search "$one" --resume search.max_epochs=10
expect 0 "more trials" "$clave" search "$one" --resume search.trials=11 search.parallel=2 --json
python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))["trials"]) == 11' "$out" || complain "more trials: not 11 in the JSON"
[ "$(sql "$one" 'SELECT count(*) FROM trial WHERE state = "done"')" = 11 ] || complain "more trials: not 11"

# A study's paths are full ones: it is gone on with from other folders.
mkdir "$folder/from" && cp "$one/trials/0001/best.safetensors" "$folder/from/"
(cd "$folder" && "$clave" search "$ini" data.path=mnist transfer.from=from/best.safetensors search.method=random search.trials=1 search.max_epochs=1 search.first=none space.params.width=16 --out moved) >"$out" 2>"$err" </dev/null
for row in "path = $data" "from = $folder/from/best.safetensors"; do grep -qxF "$row" "$folder/moved/study.ini" || complain "study.ini has no '$row'"; done

# A trial killed between its configuration and its first checkpoint begins anew.
mkdir -p "$folder/begun/trials/0001" && echo "[train]" >"$folder/begun/trials/0001/resolved.ini"
expect 0 "a trial that had only begun" "$clave" search "$ini" search.method=random search.trials=1 search.max_epochs=1 search.first=none --out "$folder/begun"
[ "$(sql "$folder/begun" 'SELECT group_concat(state) FROM trial')" = done ] || complain "a trial that had only begun: is not done"
grep -q '^epochs = 1$' "$folder/begun/trials/0001/resolved.ini" || complain "a trial that had only begun: has the old configuration"

# The same numbers written otherwise are the same study; others are not.
expect 0 "the same numbers" "$clave" search "$folder/begun" --resume search.first=none "space.train.lr=log 0.0001..0.1"
expect 2 "other numbers" "$clave" search "$folder/begun" --resume "space.train.lr=log 0.0001..0.2"

# Other methods.
for method in grid random tpe; do
    expect 0 "$method" "$clave" search "$ini" search.method=$method search.trials=0 search.startup=2 space.train.lr=1e-3,1e-2 search.max_epochs=1 --out "$folder/$method"
    [ "$(sql "$folder/$method" 'SELECT count(DISTINCT a.value || b.value) FROM setting a JOIN setting b ON a.trial = b.trial AND a.position = 0 AND b.position = 1')" = 4 ] || complain "$method: not each point once"
done

# Trials that diverge are recorded, and the search goes on.
expect 0 "divergence" "$clave" search "$ini" train.optimizer=sgd search.method=grid search.trials=0 search.max_epochs=1 search.first=none space.train.lr=1e-3,1e30 --out "$folder/nan"
[ "$(sql "$folder/nan" 'SELECT count(*) FROM trial WHERE state = "failed" AND error LIKE "%at step%"')" = 2 ] || complain "divergence: not two failed trials"
grep -q 'failed.*at step' "$err" || complain "divergence: no line says so"

# A trial's kernels come from the cache when one of the same shape was compiled before, by whichever process.
export CLAVE_BINARIES=on # and below: PoCL needs room in files to build one
cache=$folder/cache
mkdir "$cache"
expect 0 "cold cache" env XDG_CACHE_HOME="$cache" "$clave" search "$ini" search.method=random search.trials=2 search.parallel=2 search.max_epochs=1 search.first=none space.params.width=16 --out "$folder/cold"
find "$cache" -name '*.bin' -exec ls -i {} + | sort >"$folder/before"
[ -s "$folder/before" ] || complain "cold cache: nothing was cached"
expect 0 "warm cache" env XDG_CACHE_HOME="$cache" "$clave" search "$folder/cold" --resume search.trials=5
find "$cache" -name '*.bin' -exec ls -i {} + | sort >"$folder/after"
cmp -s "$folder/before" "$folder/after" || complain "warm cache: kernels were compiled again"

# By itself a search keeps none; what was verified is.
mkdir "$folder/none"
expect 0 "none kept" env -u CLAVE_BINARIES XDG_CACHE_HOME="$folder/none" "$clave" search "$ini" search.method=random search.trials=1 search.parallel=1 search.max_epochs=1 search.first=none space.params.width=16 --out "$folder/once"
[ -n "$(find "$folder/none" -name '*.verified')" ] || complain "none kept: no cache was used"
[ -z "$(find "$folder/none" -name '*.bin' -o -name '*.cl' -o -name bundles)" ] || complain "none kept: programs were kept"

# Two searches on one study, a worker killed in the middle of a trial: the others take it over from its checkpoint. Then all of
# them killed, and gone on with.
shared=$folder/shared
long="search.method=random search.trials=6 search.parallel=2 search.max_epochs=60 search.first=none space.params.width=16 early_stopping.patience=0"
# shellcheck disable=SC2086 # a list of words
"$clave" search "$ini" $long --out "$shared" >"$folder/first.out" 2>"$folder/first.err" </dev/null &
first=$!
while kill -0 $first 2>/dev/null && [ "$(sql "$shared" 'SELECT count(*) FROM trial' 2>/dev/null || echo 0)" -lt 2 ] 2>/dev/null; do sleep 0.05; done
"$clave" search "$shared" --resume search.parallel=2 >"$folder/second.out" 2>"$folder/second.err" </dev/null &
second=$!
# workers_of PID: its children
workers_of() { ps -o pid= --ppid "$1" 2>/dev/null | tr -d ' '; }
while kill -0 $first 2>/dev/null && ! grep -q '^9,' "$shared"/trials/0001/metrics.csv 2>/dev/null; do sleep 0.02; done
victim=$(workers_of $first | head -n 1)
checks=$((checks + 1))
[ -n "$victim" ] && kill -KILL "$victim" || complain "no worker to kill"
sleep 0.3
kill -STOP $first $second 2>/dev/null # or they start new workers for those that are killed before them
for pid in $(workers_of $first) $(workers_of $second) $first $second; do kill -KILL "$pid" 2>/dev/null; done
wait $first $second 2>/dev/null
expect 0 "list of a killed search" "$clave" search "$shared" --list
says "list of a killed search" "stopped"
expect 0 "resume after kills" "$clave" search "$shared" --resume
[ "$(sql "$shared" 'SELECT count(*), sum(state = "done"), sum(epochs = 60) FROM trial')" = "6 6 6" ] || complain "kills: not six trials, each done: $(sql "$shared" 'SELECT * FROM trial')"
[ "$(sql "$shared" 'SELECT count(*), count(DISTINCT trial) FROM result')" = "6 6" ] || complain "kills: a trial was run twice"
grep -lq '^resuming' "$shared"/trials/*/log.txt || complain "kills: no trial was resumed"
# shellcheck disable=SC2086
expect 0 "the same, undisturbed" "$clave" search "$ini" $long --out "$folder/undisturbed"
for n in 1 2 3 4 5 6; do
    cmp -s "$shared/trials/000$n/last.safetensors" "$folder/undisturbed/trials/000$n/last.safetensors" || complain "kills: trial $n has other weights than undisturbed"
done

# An interrupt ends all workers; the search goes on to the end.
# shellcheck disable=SC2086
"$clave" search "$ini" $long --out "$folder/cut" >"$out" 2>"$err" </dev/null &
pid=$!
while kill -0 $pid 2>/dev/null && ! [ -f "$folder/cut/trials/0001/metrics.csv" ]; do sleep 0.02; done
children=$(workers_of $pid)
kill -INT $pid
wait $pid
got=$?
checks=$((checks + 1))
[ "$got" -eq 130 ] || complain "interrupt: exit code $got"
grep -qF -- "--resume" "$err" || complain "interrupt: the message does not say how to go on"
for child in $children; do kill -0 "$child" 2>/dev/null && complain "interrupt: worker $child lives on"; done
expect 0 "resume after an interrupt" "$clave" search "$folder/cut" --resume
cmp -s "$folder/cut/trials/0001/last.safetensors" "$folder/undisturbed/trials/0001/last.safetensors" || complain "interrupt: trial 1 has other weights"

# No room: a limit on the size of files stands for a full disk. Nothing is half-written, one line says what to do, and then it goes on.
# limited BLOCKS COMMAND...: no file grows beyond so many blocks of 512 bytes
limited() {
    # shellcheck disable=SC2016 # for the inner shell
    sh -c 'ulimit -f "$1"; shift; exec "$@"' sh "$@"
}
few="search.method=random search.trials=2 search.max_epochs=2 search.first=none space.params.width=16"
# shellcheck disable=SC2086 # a list of words
refused 1 "begin again" "no room for a study" limited 8 "$clave" search "$ini" $few --out "$folder/room"
refused 3 "could not begin" "a study that could not begin" "$clave" search "$folder/room" --resume
# shellcheck disable=SC2086
refused 1 "then go on by: clave search $folder/room --resume" "no room for a trial" limited 200 "$clave" search "$ini" $few --out "$folder/room"
grep -qF "last.safetensors: File too large; allow larger files (ulimit -f)" "$err" || complain "no room for a trial: the message says $(cat "$err")"
[ -z "$(find "$folder/room" -name '*.tmp*' -o -name '*-journal')" ] || complain "no room for a trial: something is left half-written"
expect 0 "list where there was no room" "$clave" search "$folder/room" --list
expect 0 "resume where there is room" "$clave" search "$folder/room" --resume
[ "$(sql "$folder/room" 'SELECT count(*), sum(state = "done"), sum(epochs = 2) FROM trial')" = "2 2 2" ] || complain "no room: the trials are not done"
refused 1 "ulimit -f" "no room for a run" limited 200 "$clave" train "$ini" params.width=16 train.epochs=1 --out "$folder/tight"
[ -z "$(find "$folder/tight" -name '*.tmp*' -o -name '*.safetensors')" ] || complain "no room for a run: something is left half-written"
expect 0 "the same with room" "$clave" train "$ini" params.width=16 train.epochs=1 --out "$folder/tight"

# A study that is none any more.
cp -r "$one" "$folder/damaged" && head -c 5000 /dev/urandom >"$folder/damaged/study.sqlite"
for option in --list --best --resume; do refused 3 "study.sqlite" "damaged study $option" "$clave" search "$folder/damaged" $option; done
: >"$folder/damaged/study.sqlite"
refused 3 "study.sqlite" "empty study" "$clave" search "$folder/damaged" --list

finish
