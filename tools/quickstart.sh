#!/bin/sh
# From a fresh clone to a trained VAE with pictures: installs what is missing, builds, trains ini/vae.ini on the shipped MNIST.
#   sh tools/quickstart.sh [EPOCHS]    (default 3)
set -eu
cd "$(dirname "$0")/.."
epochs=${1:-3}

sh tools/deps.sh
[ -f build/build.ninja ] || meson setup build
ninja -C build clave

echo "quickstart: training ini/vae.ini for $epochs epochs (Ctrl-C saves and stops)"
build/clave train ini/vae.ini train.epochs="$epochs" >build/quickstart.out
run=$(tail -n 1 build/quickstart.out)
echo "quickstart: the run is in $run, the pictures are:"
ls "$run"/figures/*.png
echo "quickstart: open $run/report.html, or train it to the end: build/clave train ini/vae.ini"
