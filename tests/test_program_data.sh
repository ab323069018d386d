#!/bin/sh
# Data sets end to end, as a user meets them: test_program_data.sh CLAVE. Folders of PNG images and IDX files of other names are trained
# on; every folder that is not what it claims is refused in one line with the file's name.
. "$(dirname "$0")/program.sh"

# A tiny model of 16x16 images of 3 channels; a run takes a second.
cat >"$folder/tiny.ini" <<'INI'
[experiment]
task = autoencoder
[params]
channels = 3
[data]
validation = 4
[encoder]
conv = conv channels=4 kernel=4 stride=4 act=relu
code = linear units=4
[decoder]
fc   = linear units=64 act=relu
grid = reshape channels=4 height=4 width=4
up   = deconv channels=$channels kernel=4 stride=4 act=sigmoid
[train]
epochs = 2
batch = 8
[report]
reconstructions = 4
scale = 1
INI

# Pictures of one colour, 16 x 16: red ones and blue ones; some are grey, of 12 x 16, or of a palette.
python3 - "$folder" <<'PYTHON'
import pathlib, struct, sys, zlib
root = pathlib.Path(sys.argv[1])

def png(path, pixel, height=16, width=16):
    kind = 0 if len(pixel) == 1 else 2
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = (b"\0" + bytes(pixel) * width) * height
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))

for i in range(20):
    png(root / f"rgb/red/{i}.png", (200 + i, 10, 20))
    png(root / f"rgb/blue/{i}.png", (0, 30, 190 + i))
    png(root / f"grey/dark/{i}.png", (30 + i,))
    png(root / f"grey/light/{i}.png", (200 + i,))
    for split in "train", "test":
        png(root / f"divided/{split}/red/{i}.png", (200 + i, 0, 0))
        png(root / f"divided/{split}/blue/{i}.png", (0, 0, 200 + i))
    png(root / f"mixed/red/{i}.png", (200 + i, 10, 20), 12 + i, 16)
    png(root / f"mixed/grey/{i}.png", (100 + i,), 16, 30)
images = bytes(range(256)) * 30
for prefix, count in ("fashion-train", 30), ("fashion-test", 20):
    folder = root / "idx"
    folder.mkdir(exist_ok=True)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, count, 16, 16) + images[:256 * count])
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + bytes(range(10)) * (count // 10))
PYTHON

# trains NAME ARGUMENT...: a run in $folder/NAME, its figures there
trains() {
    name=$1
    shift
    expect 0 "train on $name" "$clave" train "$folder/tiny.ini" device.select="$select" "$@" --out "$folder/run-$name"
    is_png "$folder/run-$name/figures/reconstructions.png"
}

# pixels_of FILE EXPRESSION: a Python expression of the picture's pixels `p`, each (r, g, b)
pixels_of() {
    checks=$((checks + 1))
    python3 - "$@" >"$out" 2>"$err" <<'PYTHON' || complain "$1: not '$2'"
import struct, sys, zlib
data = open(sys.argv[1], "rb").read()
width, height = struct.unpack(">II", data[16:24])
assert data[24:26] == bytes((8, 2))  # 8 bits, RGB
at, body = 8, b""
while at < len(data):
    size, name = struct.unpack(">I4s", data[at:at + 8])
    body += data[at + 8:at + 8 + size] if name == b"IDAT" else b""
    at += size + 12
raw, stride = zlib.decompress(body), width * 3 + 1
row, p = bytearray(stride - 1), []
for y in range(height):
    line, kind = raw[y * stride + 1:(y + 1) * stride], raw[y * stride]
    above, row = row, bytearray(stride - 1)
    for i, value in enumerate(line):
        a, b, c = row[i - 3] if i > 2 else 0, above[i], above[i - 3] if i > 2 else 0
        q = a + b - c
        paeth = min((abs(q - a), 0, a), (abs(q - b), 1, b), (abs(q - c), 2, c))[2]
        row[i] = (value + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
    p += [tuple(row[k:k + 3]) for k in range(0, len(row), 3)]
sys.exit(not eval(sys.argv[2]))
PYTHON
}

trains rgb data.path="$folder/rgb"
expect 0 "eval" "$clave" eval "$folder/run-rgb" --json
expect 0 "reconstruct" "$clave" reconstruct "$folder/run-rgb" --count 4 --scale 1 --out "$folder/reconstructions.png"
# The originals come out of the reader, the device and the picture's writer as they were: red is red and blue is blue.
# Each of the four has 16 x 16 pixels, drawn as four each.
pixels_of "$folder/reconstructions.png" 'sum((r in range(200, 220) and (g, b) == (10, 20)) or (r == 0 and g == 30 and b in range(190, 210)) for r, g, b in p) >= 3600'
expect 0 "train the resolved configuration" "$clave" train "$folder/run-rgb/resolved.ini" --out "$folder/run-again"
cmp -s "$folder/run-rgb/last.safetensors" "$folder/run-again/last.safetensors" || complain "resolved.ini trains to other weights"
trains grey data.path="$folder/grey" params.channels=1
pixels_of "$folder/run-grey/figures/reconstructions.png" 'all(r == g == b for r, g, b in p)'
trains divided data.path="$folder/divided"
trains mixed data.path="$folder/mixed" data.size=16 data.channels=3
trains coloured data.path="$folder/grey" data.channels=3
trains greyed data.path="$folder/rgb" data.channels=1 params.channels=1
trains idx data.path="$folder/idx" params.channels=1
trains named data.path="$folder/idx" params.channels=1 data.train_images=fashion-test-images-idx3-ubyte data.test_images="$folder/idx/fashion-train-images-idx3-ubyte"
expect 0 "check" "$clave" check "$folder/tiny.ini" data.path="$folder/rgb"
expect 0 "summary" "$clave" summary "$folder/tiny.ini" device.select="$select" data.path="$folder/rgb"
touch "$folder/rgb/red/.hidden"
trains hidden data.path="$folder/rgb"
grep -qF "$folder/rgb/red/.hidden" "$folder/run-hidden/log.txt" || complain "log.txt does not name the hidden file that was left out"

# refused STATUS PART WHAT ARGUMENT...: by train, in one line that holds PART; no run directory is left
refused() {
    status=$1 part=$2 what=$3
    shift 3
    expect "$status" "$what" "$clave" train "$folder/tiny.ini" device.select="$select" data.path="$folder/bad" "$@" --out "$folder/refused"
    grep -qF -- "$part" "$err" || complain "$what: the message does not say '$part'"
    [ "$(grep -c '^clave: ' "$err")" -eq 1 ] || complain "$what: not exactly one line of error"
    [ -e "$folder/refused" ] && complain "$what: left a run directory"
}
spoil() { rm -rf "$folder/bad" && cp -r "$folder/rgb" "$folder/bad"; }
file=$folder/bad/red/7.png

spoil && echo text >"$file" && refused 3 "$file is no PNG file" "text called .png"
spoil && : >"$file" && refused 3 "$file is empty" "empty file"
spoil && head -c 60 "$folder/rgb/red/7.png" >"$file" && refused 3 "$file" "truncated file"
spoil && { head -c 50 "$folder/rgb/red/7.png"; printf x; tail -c +52 "$folder/rgb/red/7.png"; } >"$file" && refused 3 "$file" "damaged file"
spoil && head -c 3000 /dev/urandom >"$file" && refused 3 "$file" "random file"
spoil && cp "$folder/grey/dark/0.png" "$file" && refused 3 "$file is grey" "grey among colours"
spoil && cp "$folder/mixed/red/0.png" "$file" && refused 3 "$file is 12x16" "another size"
spoil && ln -sf 7.png "$file" && refused 3 "$file" "link to itself"
spoil && rm "$file" && mkdir "$file" && refused 3 "$file is a folder" "folder called .png"
spoil && echo notes >"$folder/bad/red/notes.txt" && refused 3 "red/notes.txt is no PNG file" "other files"
spoil && mkdir "$folder/bad/green" && refused 3 "$folder/bad/green holds no PNG images" "empty class"
spoil && ln -s . "$folder/bad/red/loop" && refused 3 "red/loop is a folder" "folder within a class"
rm -rf "$folder/bad" && mkdir "$folder/bad" && refused 3 "$folder/bad" "empty folder"
rm -rf "$folder/bad" && refused 3 "no folder $folder/bad" "no folder"
echo x >"$folder/bad" && refused 3 "$folder/bad is no folder" "file in the folder's place"
rm -rf "$folder/bad" && cp -r "$folder/divided" "$folder/bad" && rm -r "$folder/bad/test/red" && refused 3 "has no folder 'red'" "class without test images"
rm -rf "$folder/bad" && cp -r "$folder/divided" "$folder/bad" && rm -r "$folder/bad/test" && refused 3 "no test/" "no test/"
spoil && refused 2 "data.validation = 32" "more validation than images" data.validation=32
spoil && refused 2 "data.size = 16x" "no size" data.size=16x
spoil && refused 2 "data.size = 5000" "size too large" data.size=5000
spoil && refused 2 "data.channels = 2" "two channels" data.channels=2
spoil && refused 2 "data.test = 1.5" "no number of images" data.test=1.5
spoil && refused 3 "data.test = 20 leaves none" "all images held out" data.test=20
spoil && refused 3 "nothing: No such file" "no such IDX file" data.train_images=nothing
spoil && refused 2 "up" "a network for other images" data.size=20

finish
