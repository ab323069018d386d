#!/usr/bin/env python3
"""Writes mixture.h: what scikit-learn fits to a few points, for tests/test_mixture.c.

Run by hand in any environment with scikit-learn: python3 tests/golden/mixture.py. The file is a function of this script.
Both programs iterate to the same maximum from starts of their own: the likelihood of these points has one that is clearly
the best, and twenty starts find it. Points are rounded to float first, as clave's are.
"""
import pathlib

import numpy as np
from sklearn.mixture import GaussianMixture

REGULARISATION = 1e-9

random = np.random.RandomState(5)
points = np.concatenate([
    random.multivariate_normal([0, 0, 1], [[1, 0.8, 0], [0.8, 1, 0.1], [0, 0.1, 0.5]], 60),
    random.multivariate_normal([3, 0, -1], [[0.3, 0, 0.2], [0, 2, 0], [0.2, 0, 0.6]], 50),
    random.multivariate_normal([1, 4, 0], [[0.5, -0.2, 0], [-0.2, 0.4, 0], [0, 0, 1]], 30),
]).astype(np.float32)
probes = np.array([[0, 0, 0], [3, 1, -1], [10, -10, 10]], dtype=np.float32)


def numbers(values):
    return ", ".join(repr(float(v)) for v in np.asarray(values, dtype=np.float64).ravel())


lines = [
    "/* Made by mixture.py: points, and what scikit-learn's GaussianMixture fits to them. */",
    f"enum {{ GOLDEN_POINTS = {len(points)}, GOLDEN_DIMS = {points.shape[1]}, GOLDEN_PROBES = {len(probes)} }};",
    f"static const double golden_regularisation = {REGULARISATION!r};",
    f"static const float golden_point[] = {{{', '.join(repr(float(v)) + 'f' for v in points.ravel())}}};",
    f"static const float golden_probe[] = {{{numbers(probes)}}};",
    "typedef struct golden_fit {",
    "    int components;",
    "    double weight[3], mean[3 * GOLDEN_DIMS], covariance[3 * GOLDEN_DIMS * GOLDEN_DIMS]; /* heaviest first */",
    "    double log_likelihood, bic, log_density[GOLDEN_PROBES];",
    "} golden_fit;",
    "static const golden_fit golden_fits[] = {",
]
for components in (1, 2, 3):
    fit = GaussianMixture(components, tol=1e-14, max_iter=100000, n_init=20, reg_covar=REGULARISATION, random_state=1,
                          init_params="k-means++")
    fit.fit(points.astype(np.float64))
    order = np.argsort(-fit.weights_)
    lines.append(f"    {{{components}, {{{numbers(fit.weights_[order])}}}, {{{numbers(fit.means_[order])}}}, "
                 f"{{{numbers(fit.covariances_[order])}}},")
    lines.append(f"     {fit.score(points.astype(np.float64))!r}, {fit.bic(points.astype(np.float64))!r}, "
                 f"{{{numbers(fit.score_samples(probes.astype(np.float64)))}}}}},".replace("np.float64(", "").replace(")", ""))
lines.append("};")
pathlib.Path(__file__).with_name("mixture.h").write_text("\n".join(lines) + "\n")
