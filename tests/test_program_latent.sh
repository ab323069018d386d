#!/bin/sh
# clave latent end to end: test_program_latent.sh CLAVE. Each check prints what it saw when it fails.
. "$(dirname "$0")/program.sh"

# What latent.npy and latent.csv hold, read as the manual of numpy.lib.format says: check_files FOLDER COUNT DIMS LABELLED
check_files() {
    checks=$((checks + 1))
    python3 - "$@" >"$out" 2>&1 <<'PYTHON' || complain "latent.npy and latent.csv of $1"
import ast, csv, struct, sys
folder, count, dims, labelled = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "labelled"
raw = open(f"{folder}/latent.npy", "rb").read()
assert raw[:8] == b"\x93NUMPY\x01\x00", raw[:8]
length = struct.unpack("<H", raw[8:10])[0]
assert (10 + length) % 64 == 0 and raw[9 + length:10 + length] == b"\n"
head = ast.literal_eval(raw[10:10 + length].decode("ascii"))
assert head == {"descr": [("code", "<f4", (dims,)), ("label", "<i4")], "fortran_order": False, "shape": (count,)}, head
records = list(struct.iter_unpack(f"<{dims}fi", raw[10 + length:]))
rows = list(csv.DictReader(open(f"{folder}/latent.csv")))
assert len(records) == len(rows) == count
for record, row in zip(records, rows):
    assert record[-1] == (int(row["label"]) if row["label"] else -1) and (row["label"] != "") == labelled
    for k in range(dims):
        assert struct.pack("<f", float(row[f"code{k}"])) == struct.pack("<f", record[k])
if labelled:
    from gzip import open as unzip
    labels = unzip("assets/mnist/t10k-labels-idx1-ubyte.gz").read()[8:]
    assert all(labels[int(row["index"])] == int(row["label"]) for row in rows)
    assert len({row["index"] for row in rows}) == count
PYTHON
}

data=$folder/mnist
small_data "$data" 300 200
small="data.path=$data data.validation=100 train.epochs=2 device.select=$select report.samples=0 report.manifold=0"
run=$folder/run
# shellcheck disable=SC2086 # $small is a list of words
expect 0 "train" "$clave" train ini/smoke.ini $small --out "$run"

expect 0 "latent --help" "$clave" latent --help
says "latent --help" "usage: clave latent"
expect 0 "latent" "$clave" latent "$run" --iterations 60
for name in latent pca tsne; do
    is_png "$run/latent/code/$name.png"
    grep -q "</svg>" "$run/latent/code/$name.svg" || complain "$name.svg is not whole"
done
expect 0 "latent --method" "$clave" latent "$run" --method pca,tsne --iterations 20 --out "$folder/text"
for text in "explained variance" "KL divergence" "k-NN accuracy" "trustworthiness" "gaps:"; do says "latent" "$text"; done
[ "$(tail -n 1 "$out")" = "$folder/text" ] || complain "latent: the folder is not the last line"
[ -e "$folder/text/latent.png" ] && complain "--method pca,tsne drew latent.png"
check_files "$run/latent/code" 200 2 labelled

# The same seed gives the same bytes; another one other points.
for name in a b; do expect 0 "latent --count" "$clave" latent "$run" --count 50 --iterations 60 --out "$folder/$name"; done
for file in latent.csv latent.npy latent.png tsne.svg; do
    cmp -s "$folder/a/$file" "$folder/b/$file" || complain "the same command made another $file"
done
check_files "$folder/a" 50 2 labelled
expect 0 "latent --seed" "$clave" latent "$run" --count 50 --iterations 60 --seed 99 --out "$folder/c"
cmp -s "$folder/a/latent.npy" "$folder/c/latent.npy" && complain "another seed chose the same points"

# JSON: finite numbers, and the divergence falls with the iterations.
kl() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); assert r["count"] == 200 and 0 <= r["gaps"] <= 1 and 0 < r["knn_accuracy"] < 1 and abs(sum(r["explained_variance"]) - 1) < 1e-6 and r["trustworthiness_tsne"] > 0.9; print(r["kl"])' "$out"; }
expect 0 "latent --json" "$clave" latent "$run" --iterations 300 --json --out "$folder/json"
early=$(kl) || complain "latent --json"
expect 0 "latent --json" "$clave" latent "$run" --iterations 600 --json --out "$folder/json"
late=$(kl) || complain "latent --json"
python3 -c "import sys; sys.exit(not $late < $early)" || complain "KL went from $early to $late"

# Other points than codes, other splits, no labels.
for row in input $(sed -n '/^\[encoder\]/,/^\[/s/ *=.*//p' "$run/resolved.ini"); do
    expect 0 "latent --of $row" "$clave" latent "$run" --of "$row" --iterations 20 --out "$folder/of"
done
expect 0 "latent --of input" "$clave" latent "$run" --of input --method raw --axes 400,401 --out "$folder/input"
check_files "$folder/input" 200 784 labelled
python3 - "$folder/input" <<'PYTHON' || complain "--of input: not the images"
import csv, gzip, sys
pixels = gzip.open("assets/mnist/t10k-images-idx3-ubyte.gz").read()[16:]
for row in csv.DictReader(open(f"{sys.argv[1]}/latent.csv")):
    at = int(row["index"]) * 784
    assert all(abs(float(row[f"code{k}"]) - pixels[at + k] / 255) < 1e-6 for k in range(784))
PYTHON
expect 0 "latent --split val" "$clave" latent "$run" --split val --method raw --out "$folder/val"
small_data "$folder/bare" 300 200 bare
expect 0 "latent without labels" "$clave" latent "$run" data.path="$folder/bare" --iterations 20 --out "$folder/unlabelled"
grep -q "k-NN" "$out" && complain "k-NN accuracy without labels"
check_files "$folder/unlabelled" 200 2 bare

# A code of one dimension has no plane of its own.
sed 's/units=2 /units=1 /' ini/smoke.ini >"$folder/one.ini"
# shellcheck disable=SC2086
expect 0 "train code of 1" "$clave" train "$folder/one.ini" $small --out "$folder/one"
expect 0 "latent of 1" "$clave" latent "$folder/one" --iterations 20
is_png "$folder/one/latent/code/tsne.png"
[ -e "$folder/one/latent/code/latent.png" ] && complain "drew a plane of one dimension"
refused 2 "there is no axis 1" "raw of 1" "$clave" latent "$folder/one" --method raw
refused 2 "has one dimension" "pca of 1" "$clave" latent "$folder/one" --method pca

# Few points: t-SNE takes what perplexity they bear, and refuses what they do not.
expect 0 "20 points" "$clave" latent "$run" --count 20 --iterations 20 --out "$folder/few"
says "20 points" "perplexity 6.33"
refused 2 "perplexity 30 must be from 1 to 6.333" "perplexity" "$clave" latent "$run" --count 20 --perplexity 30 --out "$folder/few"
refused 2 "at least 4 points" "3 points" "$clave" latent "$run" --count 3 --out "$folder/few"
expect 0 "3 points raw" "$clave" latent "$run" --count 3 --method raw,pca --out "$folder/few"

# A call leaves its own files alone beside nothing of another's; a refused one leaves those that are there.
[ -e "$folder/few/tsne.png" ] && complain "3 points raw: tsne.png of 20 points stayed"
[ -e "$folder/few/latent.png" ] || complain "3 points raw: there is no latent.png"
cp -r "$folder/few" "$folder/before"
for wrong in "--method raw,pca,tsne --perplexity 5000" "--axes 0,7" "--count 3" "--method raw,umap" "--of conv9" "--split tset"; do
    # shellcheck disable=SC2086 # words
    expect 2 "latent $wrong" "$clave" latent "$run" $wrong --out "$folder/few"
    diff -r "$folder/before" "$folder/few" >"$out" || complain "latent $wrong: wrote or removed something"
    # shellcheck disable=SC2086
    expect 2 "latent $wrong" "$clave" latent "$run" $wrong --out "$folder/new"
    [ -e "$folder/new" ] && complain "latent $wrong: made a folder"
done
expect 0 "latent --of conv1" "$clave" latent "$run" --of conv1 --method pca
[ "$(tail -n 1 "$out")" = "$run/latent/conv1" ] || complain "latent --of conv1: not in a folder of its own"
is_png "$run/latent/conv1/pca.png"
is_png "$run/latent/code/tsne.png"

# Usage.
refused 2 "there is no method 'umap'" "method" "$clave" latent "$run" --method pca,umap
refused 2 "no row 'conv9'" "row" "$clave" latent "$run" --of conv9
grep -q 'there are: code, input, conv1, conv2$' "$err" || complain "row: not each name once"
refused 2 "no split 'tset'" "split" "$clave" latent "$run" --split tset
refused 2 "--axes takes two" "axes" "$clave" latent "$run" --axes 1
refused 2 "--axes takes two" "same axes" "$clave" latent "$run" --axes 1,1
refused 2 "there is no axis 7" "axis 7" "$clave" latent "$run" --axes 0,7
refused 2 "--perplexity takes a number" "perplexity" "$clave" latent "$run" --perplexity x
refused 2 "no run directory" "no run" "$clave" latent "$data"

finish
