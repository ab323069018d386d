#!/bin/sh
# The tuner as a user has it: what it prints, what a run then uses, a candidate that took the process with it. In a cache of its
# own. test_program_tune.sh CLAVE
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"

export XDG_CACHE_HOME="$folder/cache"
small_data "$folder/mnist" 300 100
cat >"$folder/small.ini" <<INI
[experiment]
name = small
[data]
path = $folder/mnist
validation = 100
[encoder]
conv1 = conv channels=3 kernel=4 stride=4 act=relu
code = linear units=2
[decoder]
fc = linear units=147
grid = reshape channels=3 height=7 width=7
up1 = deconv channels=1 kernel=4 stride=4
[train]
epochs = 1
batch = 50
[device]
select = $select
[report]
reconstructions = 0
samples = 0
manifold = 0
latent = 0
INI
tuned() { cat "$XDG_CACHE_HOME"/clave/kernels/*.tuned 2>/dev/null; }

# ---- a process that is killed while a candidate runs ----

"$clave" tune "$folder/small.ini" --seconds 300 >"$out" 2>"$err" &
pid=$!
checks=$((checks + 1))
crashed=
while kill -0 "$pid" 2>/dev/null; do # stopped, so that its last line stays the last
    kill -STOP "$pid" 2>/dev/null || break
    last=$(tuned | tail -n 1)
    case $last in try\ *) crashed=${last#try }; kill -KILL "$pid"; break ;; esac
    kill -CONT "$pid"
    sleep 0.02
done
wait "$pid" 2>/dev/null
[ -n "$crashed" ] || complain "tune never wrote the candidate it was about to run"
expect 0 "tune after a crash" "$clave" tune "$folder/small.ini" --seconds 3 --json
json "tune --json"
holds "tune --json" "o['kept'] == (o['step_ms_after'] < o['step_ms_before'])"
holds "tune --json" "o['step_ms_before'] > 0 and o['step_ms_after'] > 0 and len(o['kinds']) >= 1"
holds "tune --json" "all(k['before_us'] > 0 and k['gain'] >= 0 and k['choice'].startswith('form=') for k in o['kinds'])"
[ "$(tuned | grep -cF -- "$crashed")" -eq 1 ] || complain "a candidate that crashed was tried again: $crashed"

# ---- as text, and what runs use ----

expect 0 "tune" "$clave" tune "$folder/small.ini" --seconds 1
says "tune" "us ->"
says "tune" "step "
expect 0 "train" "$clave" train "$folder/small.ini" --out "$folder/run"
exists "$folder/run/kernels.txt"
for key in $(tuned | sed -n 's/^best \([0-9a-f]*\) .*/\1/p' | sort -u); do # the last that won is the run's
    choice=$(tuned | grep "^best $key" | tail -n 1 | cut -d' ' -f3-)
    grep -qF "$key" "$folder/run/kernels.txt" || continue # of evaluation's plan alone
    grep -qF "$key $choice ;" "$folder/run/kernels.txt" || complain "the run does not use what won: $key $choice"
done
expect 0 "train by defaults" "$clave" train "$folder/small.ini" device.tune=off --out "$folder/off"
exists "$folder/off/kernels.txt"
before=$(tuned | wc -l)
expect 0 "a first training tunes" "$clave" train "$folder/small.ini" device.tune=always train.batch=20 --out "$folder/always"
[ "$(tuned | wc -l)" -gt "$before" ] || complain "device.tune = always tuned nothing"

# ---- what is refused ----

refused 2 "device.tune = off" "tune without the tuner" "$clave" tune "$folder/small.ini" device.tune=off
refused 2 "device.backend" "tune the reference" "$clave" tune "$folder/small.ini" device.backend=cpu
refused 2 "device.tune" "no such choice" "$clave" tune "$folder/small.ini" device.tune=maybe
refused 2 "a batch of 300" "a batch of more images than there are" "$clave" tune "$folder/small.ini" train.batch=300 --seconds 0
refused 2 "--seconds" "no such time" "$clave" tune "$folder/small.ini" --seconds never
expect 0 "explain" "$clave" explain device.tune
says "explain" "always"
finish
