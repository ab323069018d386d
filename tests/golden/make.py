#!/usr/bin/env python3
"""Writes golden.safetensors: what PyTorch computes in double precision for the cases below, rounded to float.

Run by hand in any environment with torch and numpy: python3 tests/golden/make.py. The file is a function of this script.

A case is a recipe, steps joined by "; ", which tests/test_golden.c builds as a graph of clave. Its inputs are drawn here.
Beside each result `name` lies `name.scale`, from which the test makes its tolerance: sqrt(k) M, where M bounds the sum of
the absolute values of all terms that the result adds up, and k counts the roundings on the longest way to it. M comes from
a second evaluation of the recipe, and of its gradient, on absolute values: each step computes a pair (value, magnitude),
the magnitude with a derivative that is at least the size of every term of the value's derivative.
"""
import json
import math
import pathlib
import struct
import zlib

import numpy as np
import torch
import torch.nn.functional as F

IMAGES = 3  # a batch; no multiple of any lane width, so that there is padding
STEPS = 3  # of an optimiser
SEED, STEP = (0x2545F491, 0x4F6CDD1D), 3  # Philox key and step number, the same in test_golden.c
FUNCTION = 16  # roundings that a transcendental function counts for: OpenCL allows tanh 5 ulp, exp 3

ENCODER = "image x 2 5 7; conv conv1.weight 3 3 2 1; bias conv1.bias; act relu 0; reshape 36 1 1"
GAUSSIAN = "keep trunk; linear mu.weight 4; bias mu.bias; keep mu; take trunk; linear logvar.weight 4; bias logvar.bias; keep logvar"
DECODER = ("linear expand.weight 36; bias expand.bias; act leaky_relu 0.2; reshape 3 3 4; "
           "deconv deconv1.weight 2 3 2 1 0; bias deconv1.bias")
MODEL = "input x 4 1 1; linear weight 3; bias bias; mse t; "

CASES = {
    # Few shapes, so that a device builds few kernels. conv WEIGHT out_channels kernel stride pad; deconv ... pad out_pad
    "conv_k3": "image x 2 5 7; conv weight 3 3 2 1; mse t",
    "conv_k4": "image x 2 5 7; conv weight 3 4 2 1; mse t",
    "conv_k1": "image x 2 5 7; conv weight 3 1 1 0; mse t",
    "conv_rest": "image x 2 5 7; conv weight 3 4 2 0; mse t",  # the last row and column are in no window
    "deconv_k3": "image x 2 3 3; deconv weight 3 3 2 1 0; mse t",
    "deconv_k3_out_pad": "image x 2 3 3; deconv weight 3 3 2 1 1; mse t",
    "deconv_k4": "image x 2 3 3; deconv weight 3 4 2 1 0; mse t",
    "linear": "image x 10 1 1; linear weight 3; mse t",
    "bias": "image x 3 2 3; bias bias; mse t",
    "relu": "image x 3 2 3; act relu 0; dot r",
    "leaky_relu": "image x 3 2 3; act leaky_relu 0.01; dot r",
    "leaky_relu_steep": "image x 3 2 3; act leaky_relu 0.2; dot r",
    "sigmoid": "image x 3 2 3; act sigmoid 0; dot r",
    "tanh": "image x 3 2 3; act tanh 0; dot r",
    "dropout": "image x 3 2 3; dropout 0.25 4096; dot r",
    "mse": "image x 3 2 3; mse t",
    "bce": "image x 3 2 3; bce t",
    "bce_large": "image x 3 2 3; bce t",
    "xent": "image x 10 1 1; xent label",
    "xent_large": "image x 10 1 1; xent label",
    "kl": "image a 10 1 1; keep mu; image b 10 1 1; keep logvar; kl",
    "sample": "image a 10 1 1; keep mu; image b 10 1 1; keep logvar; sample 4097; mse t",
    "autoencoder": f"{ENCODER}; linear code.weight 4; bias code.bias; {DECODER}; act sigmoid 0; mse t",
    "vae": f"{ENCODER}; {GAUSSIAN}; sample 4098; {DECODER}; bce t; kl",
    "vae_through_mu": f"{ENCODER}; {GAUSSIAN}; take mu; {DECODER}; bce t; kl",
    # adam lr beta1 beta2 eps l2 weight_decay; sgd lr momentum l2
    "adam": MODEL + "adam 0.05 0.9 0.999 1e-8 0 0",
    "adam_l2": MODEL + "adam 0.05 0.8 0.95 1e-6 0.3 0",
    "adamw": MODEL + "adam 0.05 0.9 0.99 1e-8 0 0.5",
    "sgd": MODEL + "sgd 0.1 0 0",
    "sgd_momentum": MODEL + "sgd 0.1 0.9 0",
    "sgd_momentum_l2": MODEL + "sgd 0.1 0.9 0.2",
}


def special_values(case, name, value):
    """Replaces or widens what was drawn where a case is about certain values."""
    if case in ("relu", "leaky_relu", "leaky_relu_steep") and name == "x":
        value.flat[0] = 0  # the kink: PyTorch's derivative there is the left one
    if case in ("sigmoid", "tanh") and name == "x":
        value *= 3
    if case in ("bce_large", "xent_large") and name == "x":
        value[:] = np.where(value > 0, 40, -40) + np.where(np.abs(value) < 0.5, value, 0)
    if case == "bce_large" and name == "t":
        value[:] = value > 0.5
    return value


def f32(number):
    """A number as clave takes it: attributes are floats."""
    return float(np.float32(float(number)))


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al., SC 2011)."""
    c, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & mask, a >> 32 ^ c[3] ^ k[1], a & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def words_of(shape, stream):
    """Word f & 3 of counter {n, f >> 2, step, stream} for element f of image n; [n][f] of rows of four words."""
    features = math.prod(shape[1:])
    return [[philox((n, f >> 2, STEP, stream), SEED) for f in range(features)] for n in range(shape[0])]


def normals(shape, stream):
    """Box-Muller: the normals and their radii."""
    def pair(words, f):
        a, b = words[f & 2], words[(f & 2) + 1]
        radius, angle = math.sqrt(-2 * math.log(((a >> 8) + 1) / 2**24)), 2 * math.pi * (b >> 8) / 2**24
        return radius * (math.sin(angle) if f & 1 else math.cos(angle)), radius
    pairs = [[pair(words, f) for f, words in enumerate(row)] for row in words_of(shape, stream)]
    both = torch.tensor(pairs, dtype=torch.float64).reshape(*shape, 2)
    return both[..., 0], both[..., 1]


class Pair:
    """A value and its magnitude."""
    def __init__(self, value, magnitude):
        self.v, self.m = value, magnitude


class Evaluation:
    """One walk through a recipe. `data` keeps what was drawn: a second walk finds it there."""

    def __init__(self, case, data):
        self.case, self.data = case, data
        self.rng = np.random.default_rng(zlib.crc32(case.encode()))
        self.x, self.y, self.kept, self.params = None, None, {}, {}
        self.losses, self.optimiser = None, None
        self.forward = self.backward = self.over_batch = 0  # roundings; one sum over the batch lies on any way
        for step in CASES[case].split("; "):
            name, *words = step.split()
            if name in ("dot", "mse", "bce", "xent", "kl") and self.y is None:
                self.y = self.x
            getattr(self, name)(*words)
        self.loss = Pair(self.losses.v.mean(), self.losses.m.mean())
        self.forward += IMAGES

    # Inputs.

    def draw(self, name, make):
        if name not in self.data:
            self.data[name] = special_values(self.case, name, np.asarray(make(), dtype=np.float32))
        return torch.tensor(self.data[name], dtype=torch.float64)

    def param(self, name, shape, fan_in=1):
        # Small weights keep the magnitudes of deep cases near their values, and so the tolerances tight.
        value = self.draw(name, lambda: self.rng.normal(size=shape) / fan_in)
        self.params[name] = Pair(value.requires_grad_(), value.detach().abs().requires_grad_())
        return self.params[name]

    def input(self, name, c, y, x):
        value = self.draw(name, lambda: self.rng.normal(size=(IMAGES, int(c), int(y), int(x))))
        self.x = Pair(value, value.abs())

    def image(self, name, c, y, x):
        self.x = self.param(name, (IMAGES, int(c), int(y), int(x)))

    def keep(self, name):
        self.kept[name] = self.x

    def take(self, name):
        self.x = self.kept[name]

    # Layers.

    def count(self, forward, backward, over_batch=0):
        """Roundings of a step's own result, of the gradient that it passes on, of its parameter's gradient."""
        self.forward += forward
        self.backward += backward
        self.over_batch = max(self.over_batch, over_batch)

    def product(self, function, weight):
        channels = self.x.v.shape[1]
        self.x = Pair(function(self.x.v, weight.v), function(self.x.m, weight.m))
        window = math.prod(weight.v.shape[2:])
        self.count(channels * window, self.x.v.shape[1] * window, IMAGES * math.prod(self.x.v.shape[2:]))

    def conv(self, name, out_channels, kernel, stride, pad):
        channels, k = self.x.v.shape[1], int(kernel)
        weight = self.param(name, (int(out_channels), channels, k, k), channels * k * k)
        self.product(lambda x, w: F.conv2d(x, w, stride=int(stride), padding=int(pad)), weight)

    def deconv(self, name, out_channels, kernel, stride, pad, out_pad):
        channels, k = self.x.v.shape[1], int(kernel)
        weight = self.param(name, (channels, int(out_channels), k, k), channels * k)
        options = {"stride": int(stride), "padding": int(pad), "output_padding": int(out_pad)}
        self.product(lambda x, w: F.conv_transpose2d(x, w, **options), weight)

    def linear(self, name, units):
        channels = self.x.v.shape[1]
        weight = self.param(name, (int(units), channels), channels)
        self.product(lambda x, w: F.linear(x.flatten(1), w)[..., None, None], weight)

    def bias(self, name):
        b = self.param(name, (self.x.v.shape[1],))
        self.x = Pair(self.x.v + b.v[:, None, None], self.x.m + b.m[:, None, None])
        self.count(1, 0, self.x.v[:, 0].numel())

    def reshape(self, c, y, x):
        shape = (IMAGES, int(c), int(y), int(x))
        self.x = Pair(self.x.v.reshape(shape), self.x.m.reshape(shape))

    def act(self, name, slope):
        v, m = self.x.v, self.x.m
        if name in ("relu", "leaky_relu"):
            # Linear on either side: no rounding may carry a value over the kink.
            margin = 4 * 2**-24 * math.sqrt(self.forward) * m
            assert bool(((v == 0) | (v.abs() > margin)).all()), f"{self.case}: a value lies at the kink"
            factor = torch.where(v > 0, 1.0, f32(slope)).detach()
            self.x = Pair(F.leaky_relu(v, f32(slope)), m * factor)
            self.count(1, 1)
        else:
            # An error m of x changes act by |act'| m, and act' by |act''| m; and both have their own roundings.
            function, slope, curve = {"sigmoid": (torch.sigmoid, 0.25, 0.1), "tanh": (torch.tanh, 1, 0.77)}[name]
            self.x = Pair(function(v), 1 + slope * m + curve / 2 * m * m)
            self.count(FUNCTION, FUNCTION)

    def dropout(self, rate, stream):
        words = words_of(self.x.v.shape, int(stream))
        mask = [[(four[f & 3] >> 8) / 2**24 < 1 - float(rate) for f, four in enumerate(row)] for row in words]
        factor = torch.tensor(mask, dtype=torch.float64).reshape(self.x.v.shape) / (1 - float(rate))
        self.x = Pair(self.x.v * factor, self.x.m * factor)
        self.count(1, 1)

    def sample(self, stream):
        mu, logvar = self.kept["mu"], self.kept["logvar"]
        eps, radius = normals(mu.v.shape, int(stream))
        # An error m of logvar changes the deviation by m / 2 times itself, its derivative by m / 4; eps is off by its
        # radius times the roundings of an angle of up to 2 pi.
        deviation = (logvar.v / 2).exp().detach()
        self.x = Pair(mu.v + (logvar.v / 2).exp() * eps,
                      mu.m + deviation * radius * (8 + 4 * logvar.m + logvar.m**2 / 8))
        self.count(2 * FUNCTION, 2 * FUNCTION)

    # Losses of each image; several add up.

    def add(self, value, magnitude):
        value, magnitude = value.flatten(1).sum(1), magnitude.flatten(1).sum(1)
        self.losses = Pair(value, magnitude) if self.losses is None else Pair(self.losses.v + value, self.losses.m + magnitude)
        self.count(self.x.v[0].numel() + FUNCTION, FUNCTION)

    def dot(self, name):
        r = self.draw(name, lambda: self.rng.normal(size=self.x.v.shape))
        self.add(self.x.v * r, self.x.m * r.abs())

    def mse(self, name):
        t = self.draw(name, lambda: self.rng.uniform(size=self.x.v.shape))
        features = t[0].numel()
        self.add(F.mse_loss(self.x.v, t, reduction="none") / features, (self.x.m + t.abs())**2 / features)

    def bce(self, name):
        t = self.draw(name, lambda: self.rng.uniform(size=self.x.v.shape))
        # max(s, 0) - s t + log(1 + exp(-|s|)), its derivative sigmoid(s) - t, and |sigmoid'| <= 1 / 4
        self.add(F.binary_cross_entropy_with_logits(self.x.v, t, reduction="none"), 1 + self.x.m * (1 + t) + self.x.m**2 / 8)

    def xent(self, name):
        label = self.draw(name, lambda: self.rng.integers(self.x.v.shape[1], size=(IMAGES, 1, 1, 1)))
        value = F.cross_entropy(self.x.v.flatten(1), label.long().flatten(), reduction="none")
        # softmax is off by at most twice the largest error of a logit, relative to itself
        largest = self.x.m.detach().amax(1, keepdim=True)
        self.add(value[:, None], 1 + self.x.m * (1 + 2 * largest))

    def kl(self):
        mu, logvar = self.kept["mu"], self.kept["logvar"]
        variance = logvar.v.exp().detach()
        self.add((1 + logvar.v - mu.v**2 - logvar.v.exp()) / -2,
                 (1 + logvar.m + mu.m**2 + variance * (1 + logvar.m + logvar.m**2)) / 2)

    # Optimisers.

    def adam(self, lr, beta1, beta2, eps, l2, weight_decay):
        options = {"lr": f32(lr), "betas": (f32(beta1), f32(beta2)), "eps": f32(eps)}
        if float(weight_decay):
            self.optimiser = lambda p: torch.optim.AdamW(p, weight_decay=f32(weight_decay), **options)
        else:
            self.optimiser = lambda p: torch.optim.Adam(p, weight_decay=f32(l2), **options)

    def sgd(self, lr, momentum, l2):
        self.optimiser = lambda p: torch.optim.SGD(p, lr=f32(lr), momentum=f32(momentum), weight_decay=f32(l2))

    def gradients(self):
        """Of the loss, a pair for each parameter."""
        value = torch.autograd.grad(self.loss.v, [p.v for p in self.params.values()])
        magnitude = torch.autograd.grad(self.loss.m, [p.m for p in self.params.values()])
        return {name: Pair(v, m) for name, v, m in zip(self.params, value, magnitude)}


class Train:
    """Steps of torch.optim, with the magnitude of each weight carried along."""

    def __init__(self, first):
        self.w = {name: p.v.detach().clone().requires_grad_() for name, p in first.params.items()}
        self.m = {name: w.detach().abs() for name, w in self.w.items()}
        self.momentum = {name: 0.0 for name in self.w}
        self.optimiser = first.optimiser(list(self.w.values()))

    def step(self, at, gradient):
        group = self.optimiser.param_groups[0]
        for name, w in self.w.items():
            w.grad = gradient[name].v.clone()
        self.optimiser.step()
        for name, w in self.w.items():
            g = gradient[name].m + group["weight_decay"] * self.m[name]
            if "betas" in group:
                # lr m / sqrt(v): relative errors of m and v are those of the gradients, their size over sqrt(v)
                root = (self.optimiser.state[w]["exp_avg_sq"] / (1 - group["betas"][1]**at)).sqrt()
                self.m[name] = self.m[name] + group["lr"] * (group["weight_decay"] * self.m[name] + 4 + 4 * g / root)
            else:
                self.momentum[name] = group["momentum"] * self.momentum[name] + g
                self.m[name] = self.m[name] + group["lr"] * self.momentum[name]


def results_of(case):
    """(data, results): what was drawn, and for each result its value and its scale."""
    data, results = {}, {}

    def put(name, pair, roundings):
        value, magnitude = pair.v.detach().numpy().copy(), pair.m.detach().numpy()
        assert np.isfinite(value).all() and (np.abs(value) <= magnitude * (1 + 1e-12)).all(), f"{case}/{name}"
        results[name], results[f"{name}.scale"] = value, math.sqrt(roundings) * magnitude

    e = Evaluation(case, data)
    gradient, roundings = e.gradients(), e.forward + e.backward + e.over_batch
    put("y", e.y, e.forward)
    put("losses", e.losses, e.forward)
    put("loss", Pair(e.loss.v[None], e.loss.m[None]), e.forward)
    for name, pair in gradient.items():
        put(f"d {name}", pair, roundings)
    drawn = dict(data)
    if e.optimiser:
        train = Train(e)
        for at in range(1, STEPS + 1):
            train.step(at, gradient)
            for name, w in train.w.items():
                put(f"{name} after {at}", Pair(w, train.m[name]), STEPS * roundings)
                data[name] = w.detach().numpy()
            gradient = Evaluation(case, data).gradients()
    return drawn, results


def write(path, tensors, metadata):
    """https://github.com/huggingface/safetensors, "Format"; by hand, so that equal contents make equal files."""
    header, data = {"__metadata__": metadata}, b""
    for name, value in tensors.items():
        piece = np.ascontiguousarray(value, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(1)
    tensors = {}
    for case in CASES:
        drawn, results = results_of(case)
        tensors |= {f"{case}/{name}": value for name, value in (drawn | results).items()}
    path = pathlib.Path(__file__).with_name("golden.safetensors")
    write(path, tensors, {"torch": torch.__version__, "cases": " ".join(CASES), **CASES})
    print(f"{path}: {len(CASES)} cases, {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
