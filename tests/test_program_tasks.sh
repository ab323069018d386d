#!/bin/sh
# Denoising, transfer and classification end to end, as a user runs them: test_program_tasks.sh CLAVE.
. "$(dirname "$0")/program.sh"

data=$folder/mnist
small_data "$data"
small="data.path=$data data.validation=100 train.epochs=2 device.select=$select report.samples=4 report.manifold=2 report.latent=60"

# An autoencoder to start from: its figures are there, as PNG and, where they are plots, as SVG.
ae=$folder/ae
# shellcheck disable=SC2086 # $small is a list of words
expect 0 "train" "$clave" train ini/autoencoder.ini $small --out "$ae"
for name in loss lr latent pca tsne reconstructions samples manifold; do is_png "$ae/figures/$name.png"; done
for name in loss lr latent pca tsne; do exists "$ae/figures/$name.svg"; done
grep -q 'figures/tsne.png' "$ae/report.html" || complain "the report does not show tsne.png"
[ -e "$ae/figures/confusion.png" ] && complain "an autoencoder has a confusion matrix"

# Transfer: what came, what starts anew and what was left aside is told.
run=$folder/transfer
# shellcheck disable=SC2086
expect 0 "transfer" "$clave" train ini/transfer.ini $small transfer.from="$ae" --out "$run"
grep -q 'transfer: 10 tensors of .*best.safetensors; initial weights: head.weight head.bias; left aside: ' "$run/log.txt" || complain "transfer: the log does not tell what came"
says "transfer" "accuracy"
for name in loss accuracy confusion mistakes; do is_png "$run/figures/$name.png"; done
exists "$run/figures/confusion.svg"
[ -e "$run/figures/reconstructions.png" ] && complain "a classifier has reconstructions"
grep -q '"confusion"' "$run/results.json" || complain "results.json has no confusion matrix"
expect 0 "eval" "$clave" eval "$run"
says "eval" "precision"
[ "$(grep -c '^device: ' "$err")" -eq 1 ] || complain "eval of a classifier: opened the device more than once"
expect 0 "eval --json" "$clave" eval "$run" --json
holds "eval --json" "sum(sum(row) for row in o['confusion']) == 200 and len(o['classes']) == 10"
holds "eval --json" "abs(o['measures']['accuracy'] - sum(o['confusion'][i][i] for i in range(10)) / 200) < 1e-9"
expect 0 "resume of a transfer" "$clave" train "$run" --resume train.schedule=one_cycle
refused 2 "train.epochs" "a longer cycle" "$clave" train "$run" --resume train.epochs=3
# shellcheck disable=SC2086
refused 3 "missing: head.weight [10][2]" "no reset" "$clave" train ini/transfer.ini $small transfer.from="$ae" transfer.reset=none --out "$folder/none"
# shellcheck disable=SC2086
refused 3 "no-such-run" "nothing to start from" "$clave" train ini/transfer.ini $small transfer.from="$folder/no-such-run" --out "$folder/none2"
# shellcheck disable=SC2086
refused 2 "did you mean 'conv3'" "misspelt layer" "$clave" train ini/transfer.ini $small transfer.from="$ae" transfer.freeze=conf3 --out "$folder/none3"
[ -e "$folder/none3" ] && complain "misspelt layer: left a run directory"
small_data "$folder/bare" 600 200 bare
# shellcheck disable=SC2086
refused 3 "labels" "no labels" "$clave" train ini/classifier.ini $small data.path="$folder/bare" --out "$folder/none5"

# classify: digits by index and by file.
python3 - "$folder" <<'PYTHON'
import struct, sys, zlib
pixels = open(f"{sys.argv[1]}/mnist/t10k-images-idx3-ubyte", "rb").read()[16 + 5 * 784:16 + 6 * 784]
chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
rows = b"".join(b"\0" + pixels[y * 28:y * 28 + 28] for y in range(28))
open(f"{sys.argv[1]}/five.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PYTHON
expect 0 "classify" "$clave" classify "$run" 5 "$folder/five.png"
says "classify" "five.png:"
expect 0 "classify --json" "$clave" classify "$run" 5 "$folder/five.png" --json
holds "classify --json" "o['answers'][0]['probabilities'] == o['answers'][1]['probabilities']"
holds "classify --json" "abs(sum(o['answers'][0]['probabilities'].values()) - 1) < 1e-6"
refused 2 "takes images" "classify nothing" "$clave" classify "$run"
refused 3 "none.png" "classify a missing file" "$clave" classify "$run" "$folder/none.png"
refused 2 "no classifier" "classify by an autoencoder" "$clave" classify "$ae" 5
refused 2 "makes no images" "reconstruct by a classifier" "$clave" reconstruct "$run"

# compare: runs by what they were trained on.
# shellcheck disable=SC2086
expect 0 "few labels" "$clave" train ini/classifier.ini $small data.train_count=100 --out "$folder/few"
expect 0 "compare" "$clave" compare "$run" "$folder/few" --x train.images --y test.accuracy --log-x --out "$folder/compare.png"
is_png "$folder/compare.png"
expect 0 "compare --json" "$clave" compare "$run" "$folder/few" --x train.images --y test.accuracy --json
holds "compare --json" "[r['x'] for r in o['runs']] == [500, 100] and [r['by'] for r in o['runs']] == ['transfer', 'classifier']"
refused 2 "test.acuracy" "compare by nothing" "$clave" compare "$run" --y test.acuracy
refused 2 "no run directory" "compare with no run" "$clave" compare "$run" "$data"

# Denoising: another level of noise is measured by an override.
den=$folder/denoise
# shellcheck disable=SC2086
expect 0 "denoise" "$clave" train ini/denoise.ini $small --out "$den"
for name in noise reconstructions; do is_png "$den/figures/$name.png"; done
expect 0 "eval of noise" "$clave" eval "$den" data.noise_amount=0.5 --json
holds "eval of noise" "0.10 < o['measures']['noisy_mse'] < 0.13 and o['measures']['psnr'] > 0 and o['measures']['noisy_psnr'] < 10"
# shellcheck disable=SC2086
refused 2 "experiment.task" "noise elsewhere" "$clave" train ini/autoencoder.ini $small data.noise_amount=0.5 --out "$folder/none6"

# Schedules: the rate is recorded, and a cycle's last one is near nothing.
grep -q '^2,train,lr,0$' "$den/metrics.csv" || complain "metrics.csv does not have the last rate of the cycle"
finish
