#!/bin/sh
# Generation end to end, as a user runs it: sample, interpolate, score and eval --iwae: test_program_generate.sh CLAVE.
. "$(dirname "$0")/program.sh"

# is_png_of FILE WIDTH HEIGHT
is_png_of() {
    checks=$((checks + 1))
    size=$(python3 -c 'import struct, sys
head = open(sys.argv[1], "rb").read(24)
print(*struct.unpack(">II", head[16:24]) if head[:8] == b"\x89PNG\r\n\x1a\n" else ("no", "PNG"))' "$1" 2>/dev/null)
    [ "$size" = "$2 $3" ] || complain "$1 is '$size', not a PNG of $2 x $3"
}

# Small data, a digit as a PNG file, its negative, one of another size.
small_data "$folder/mnist"
python3 - "$folder" <<'PYTHON'
import gzip, struct, sys, zlib
folder = sys.argv[1]
def png(name, pixels, side):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[y * side:(y + 1) * side] for y in range(side))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    open(f"{folder}/{name}", "wb").write(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

images = open(f"{folder}/mnist/t10k-images-idx3-ubyte", "rb").read()[16:]
png("digit.png", images[7 * 784:8 * 784], 28)
png("negative, \"quoted\".png", bytes(255 - b for b in images[7 * 784:8 * 784]), 28)
png("small.png", images[:100], 10)
PYTHON
printf 'no picture\n' >"$folder/text.png"
cat >"$folder/autoencoder.ini" <<'INI'
[experiment]
task = autoencoder
[encoder]
conv1 = conv channels=4 kernel=4 stride=2 pad=1 act=relu
conv2 = conv channels=8 kernel=4 stride=2 pad=1 act=relu
code  = linear units=2
[decoder]
fc    = linear units=392 act=relu
grid  = reshape channels=8 height=7 width=7
up1   = deconv channels=4 kernel=4 stride=2 pad=1 act=relu
up2   = deconv channels=1 kernel=4 stride=2 pad=1 act=sigmoid
INI
small="data.path=$folder/mnist data.validation=100 train.epochs=3 device.select=$select report.samples=9 report.manifold=3"
vae=$folder/vae ae=$folder/ae digit=$folder/digit.png negative="$folder/negative, \"quoted\".png"
# shellcheck disable=SC2086 # $small is a list of words
expect 0 "train a vae" "$clave" train ini/smoke.ini $small --out "$vae"
# shellcheck disable=SC2086
expect 0 "train an autoencoder" "$clave" train "$folder/autoencoder.ini" $small --out "$ae"
is_png_of "$ae/figures/samples.png" 170 170 # of the normal of its codes
is_png_of "$vae/figures/samples.png" 170 170

for command in sample interpolate score; do
    expect 0 "$command --help" "$clave" "$command" --help
    says "$command --help" "usage: clave $command RUN"
done

# The bound.
expect 0 "iwae" "$clave" eval "$vae" --iwae 5
says "iwae" "iwae_5 -"
[ "$(grep -c '^device: ' "$err")" -eq 1 ] || complain "eval --iwae: opened the device more than once"
expect 0 "iwae --json" "$clave" eval "$vae" --iwae 1,10,100 --json --split val
holds "iwae --json" 'o["measures"]["iwae_1"] < o["measures"]["iwae_10"] < o["measures"]["iwae_100"] < 0'
holds "iwae --json" 'abs(o["measures"]["iwae_1"] - o["measures"]["elbo"]) < 2'
refused 2 "as in 1,8,64" "iwae of words" "$clave" eval "$vae" --iwae many
refused 2 "as in 1,8,64" "iwae of nothing" "$clave" eval "$vae" --iwae 0
refused 2 "as in 1,8,64" "iwae with a hole" "$clave" eval "$vae" --iwae 1,,8
refused 2 "rising" "iwae that falls" "$clave" eval "$vae" --iwae 8,4
refused 2 "need a likelihood" "iwae of an autoencoder" "$clave" eval "$ae" --iwae 5

# Samples.
expect 0 "sample of an autoencoder" "$clave" sample "$ae" --count 4 --scale 1 --out "$folder/normal.png" --json
is_png_of "$folder/normal.png" 57 57
holds "sample" 'o["from"] == "normal" and o["components"] == 1 and o["codes"] == 500'
expect 0 "sample again" "$clave" sample "$ae" --count 4 --scale 1 --from normal --out "$folder/again.png"
cmp -s "$folder/normal.png" "$folder/again.png" || complain "the same seed drew other samples"
expect 0 "sample of another seed" "$clave" sample "$ae" --count 4 --scale 1 --seed 12 --out "$folder/other.png"
cmp -s "$folder/normal.png" "$folder/other.png" && complain "another seed drew the same samples"
expect 0 "sample of a mixture" "$clave" sample "$ae" --from mixture --components 3 --count 4 --out "$folder/mixture.png" --json
holds "mixture" 'o["from"] == "mixture" and o["components"] == 3'
grep -q "mixture of 3 normals" "$err" || complain "sample: the mixture is not described"
expect 0 "sample of a chosen mixture" "$clave" sample "$vae" --from mixture --count 4 --out "$folder/mixture.png" --json
holds "chosen mixture" '1 <= o["components"] <= 32'
expect 0 "sample of a prior" "$clave" sample "$vae" --count 4 --out "$folder/prior.png" --json
holds "prior" 'o == {"from": "prior", "picture": o["picture"]}'
refused 2 "no prior" "prior of an autoencoder" "$clave" sample "$ae" --from prior --out "$folder/no.png"
refused 2 "prior, normal or mixture" "sample from elsewhere" "$clave" sample "$ae" --from nowhere
refused 2 "--from mixture" "components of a normal" "$clave" sample "$ae" --from normal --components 3
refused 2 "from 1 to 256" "no components" "$clave" sample "$ae" --components 0
[ -e "$folder/no.png" ] && complain "a refused sample left a picture"

# Pictures drawn later lie beside those of training, which stay.
cp -r "$ae/figures" "$folder/figures"
for words in "sample --count 4" "sample --from mixture --components 2 --seed 3" "reconstruct --split val --count 20" "manifold --count 2" "score --top 2"; do
    # shellcheck disable=SC2086 # words
    expect 0 "$words" "$clave" ${words%% *} "$ae" ${words#* }
    is_png "$(tail -n 1 "$out")"
done
diff -r "$folder/figures" "$ae/figures" >"$out" || complain "pictures drawn later changed those of training"
for name in samples-normal-4-seed1 samples-mixture2-9-seed3 reconstructions-val-20-seed1 manifold-2 anomalies-test-2; do
    is_png "$ae/pictures/$name.png"
done

# Interpolation.
expect 0 "interpolate" "$clave" interpolate "$ae" 0 7 --out "$folder/way.png" --scale 1
says "interpolate" "$folder/way.png"
is_png "$folder/way.png"
expect 0 "interpolate one way" "$clave" interpolate "$vae" "$digit" 3 --steps 4 --path linear --out "$folder/way.png" --scale 1 --json
is_png "$folder/way.png"
holds "interpolate" '0 <= o["angle"] < 3.2 and o["straight"] is False'
expect 0 "interpolate to itself" "$clave" interpolate "$ae" "$digit" 7 --out "$folder/way.png" --path spherical --json
holds "interpolate to itself" 'o["straight"] is True and o["angle"] < 1e-3'
grep -q "spherical way is the linear one" "$err" || complain "interpolate: does not say that there is no arc"
expect 0 "interpolate beside the figures" "$clave" interpolate "$ae" 0 "$negative"
[ "$(tail -n 1 "$out")" = "$ae/pictures/interpolation-test-0-negative___quoted_-both-10.png" ] || complain "interpolate: another name"
is_png "$ae/pictures/interpolation-test-0-negative___quoted_-both-10.png"
expect 0 "interpolate to SVG" "$clave" interpolate "$ae" 0 7 --steps 3 --out "$folder/way.svg"
grep -q "</svg>" "$folder/way.svg" || complain "way.svg is not whole"
refused 2 "draw fewer images, or smaller" "a page too large" "$clave" interpolate "$ae" 0 7 --steps 100 --scale 16 --out "$folder/large.png"
[ -e "$folder/large.png" ] && complain "a page too large was left"
refused 2 "two images" "one end" "$clave" interpolate "$ae" 0
refused 2 "it has 200" "no such index" "$clave" interpolate "$ae" 0 200
refused 2 "no split" "no such split" "$clave" interpolate "$ae" 0 1 --split tset
refused 2 "linear, spherical or both" "no such way" "$clave" interpolate "$ae" 0 1 --path curved
refused 2 "from 2 to 100" "one step" "$clave" interpolate "$ae" 0 1 --steps 1
refused 3 "none.png" "missing image" "$clave" interpolate "$ae" 0 "$folder/none.png"
refused 3 "text.png" "no image" "$clave" interpolate "$ae" 0 "$folder/text.png"
refused 3 "small.png" "small image" "$clave" interpolate "$ae" 0 "$folder/small.png"
refused 2 "no run directory" "no run" "$clave" interpolate "$folder/mnist" 0 1

# Scores.
expect 0 "score a split" "$clave" score "$ae" --top 3 --csv "$folder/scores.csv" --scale 1
[ "$(grep -c '^ ' "$out")" -eq 4 ] || complain "score: not three rows and a head"
is_png "$ae/pictures/anomalies-test-3.png"
[ "$(tail -n 1 "$out")" = "$ae/pictures/anomalies-test-3.png" ] || complain "score: the picture is not the last line"
[ "$(wc -l <"$folder/scores.csv")" -eq 201 ] || complain "scores.csv has not 201 lines"
[ "$(head -n 1 "$folder/scores.csv")" = "rank,image,label,mse,percentile" ] || complain "scores.csv has another head"
expect 0 "score --json" "$clave" score "$vae" --split val --json
holds "score --json" 'o["measure"] == "negative_elbo" and o["images"] == 100 and len(o["ranked"]) == 10'
holds "score --json" 'all(a["label"] in "0123456789" for a in o["ranked"])'
holds "score --json" 'all(a["score"] >= b["score"] and "kl" in a for a, b in zip(o["ranked"], o["ranked"][1:]))'
expect 0 "score images" "$clave" score "$ae" "$digit" 7 "$negative" --json --csv "$folder/named.csv"
holds "score images" 'o["ranked"][0]["image"].endswith("\"quoted\".png") and o["ranked"][0]["percentile"] == 100'
holds "score images" 'abs(o["ranked"][1]["score"] - o["ranked"][2]["score"]) < 1e-6 and "picture" not in o'
python3 -c 'import csv, sys; rows = list(csv.reader(open(sys.argv[1]))); sys.exit(not (len(rows) == 4 and rows[1][1] == sys.argv[2]))' "$folder/named.csv" "$negative" || complain "named.csv does not quote a name"
seven=$(python3 -c 'import sys; print(open(sys.argv[1], "rb").read()[8 + 7])' "$folder/mnist/t10k-labels-idx1-ubyte")
holds "label of an index" "[r.get('label') for r in o['ranked'] if r['image'] == '7'] == ['$seven']"
holds "no label of a file" '[r.get("label") for r in o["ranked"] if r["image"] != "7"] == [None, None]'
grep -q "^[123],7,$seven," "$folder/named.csv" || complain "named.csv: no label of an index"
expect 0 "score an index" "$clave" score "$ae" 7
grep -Eq "^ +1 +7 +$seven " "$out" || complain "score: no label beside an index"
expect 0 "score and draw images" "$clave" score "$ae" "$digit" 7 "$negative" --out "$folder/named.png" --scale 1
is_png "$folder/named.png"
refused 3 "text.png" "score of no image" "$clave" score "$ae" "$digit" "$folder/text.png"
refused 2 "it has 200" "score of no index" "$clave" score "$ae" 1000
refused 2 "--top takes" "no rows" "$clave" score "$ae" --top 0
refused 1 "nowhere" "a table nowhere" "$clave" score "$ae" --csv "$folder/nowhere/scores.csv"

finish
