#!/usr/bin/env python3
"""Makes tests/golden/tsne.h: what scikit-learn says of the points that tests/test_analysis.c makes.

    pip install numpy scikit-learn && python3 tests/golden/tsne.py

The points are the first 2,000 test images of the shipped MNIST, each averaged over squares of 4 x 4 pixels: 49 numbers from 0 to 1.
"""
import gzip
import pathlib

import numpy
import sklearn
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

POINTS = 2000
root = pathlib.Path(__file__).resolve().parents[2]
raw = gzip.open(root / "assets/mnist/t10k-images-idx3-ubyte.gz").read()
images = numpy.frombuffer(raw, numpy.uint8, POINTS * 784, 16).reshape(POINTS, 7, 4, 7, 4)
points = (images.astype(numpy.float64).sum(axis=(2, 4)).reshape(POINTS, 49) / (16 * 255)).astype(numpy.float32)

pca = PCA(5, svd_solver="full").fit(points.astype(numpy.float64))
plane = pca.transform(points.astype(numpy.float64))[:, :2]
tsne = TSNE(method="exact", init="pca", perplexity=30, learning_rate="auto", max_iter=1000, random_state=7)
chart = tsne.fit_transform(points.astype(numpy.float64))

variances = ", ".join(f"{v:.9g}" for v in pca.explained_variance_)
ratios = ", ".join(f"{v:.9g}" for v in pca.explained_variance_ratio_)
(root / "tests/golden/tsne.h").write_text(f"""/* Made by tests/golden/tsne.py with scikit-learn {sklearn.__version__}: do not edit. */
#define GOLDEN_POINTS 2000
static const double golden_variance[5] = {{{variances}}};
static const double golden_ratio[5] = {{{ratios}}};
static const double golden_plane_trust = {trustworthiness(points, plane, n_neighbors=5):.9g}; /* of the first two components */
static const double golden_kl = {tsne.kl_divergence_:.9g};         /* nats, after 1,000 iterations */
static const double golden_trust = {trustworthiness(points, chart, n_neighbors=5):.9g};
""")
