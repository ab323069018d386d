#!/usr/bin/env python3
"""Writes training.h: the losses of the first 20 steps that PyTorch takes with the networks of ini/autoencoder.ini and ini/vae.ini.

Run by hand from the source root in any environment with torch and numpy: python3 tests/golden/training.py. Weights start as clave
draws them (Philox streams by name, the bounds of torch.nn), images come in the order of the file, 128 a step, without dropout;
the vae's normals are those of clave's streams. All arithmetic is in double precision, so that what is left is clave's rounding.
"""
import gzip
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

SEED, BATCH, STEPS = 7, 128, 20
STREAM_GRAPH = 4096
MASK = 0xFFFFFFFF


def philox(c0, c1, c2, c3):
    """Philox 4x32-10 (Salmon et al., SC 2011) under the key (SEED, 0), over arrays of counters: four arrays of words."""
    c = [np.asarray(x, np.uint64) & MASK for x in np.broadcast_arrays(c0, c1, c2, c3)]
    k = [SEED, 0]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [b >> np.uint64(32) ^ c[1] ^ np.uint64(k[0]), b & np.uint64(MASK),
             a >> np.uint64(32) ^ c[3] ^ np.uint64(k[1]), a & np.uint64(MASK)]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def murmur3(text):
    """The low word of MurmurHash3 x64_128 with seed 0 of a text of at most 31 bytes."""
    data, m = text.encode(), (1 << 64) - 1
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    rotate = lambda x, by: (x << by | x >> (64 - by)) & m
    mix1 = lambda k: rotate(k * c1 & m, 31) * c2 & m
    mix2 = lambda k: rotate(k * c2 & m, 33) * c1 & m

    def finish(k):
        k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & m
        k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & m
        return k ^ k >> 33
    word = lambda part: int.from_bytes(part, "little")
    h1 = h2 = 0
    rest = data
    if len(data) >= 16:
        h1 = (rotate(h1 ^ mix1(word(data[:8])), 27) + h2) * 5 + 0x52DCE729 & m
        h2 = (rotate(h2 ^ mix2(word(data[8:16])), 31) + h1) * 5 + 0x38495AB5 & m
        rest = data[16:]
    if len(rest) > 8:
        h2 ^= mix2(word(rest[8:]))
    if rest:
        h1 ^= mix1(word(rest[:8]))
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = h1 + h2 & m
    h2 = h2 + h1 & m
    h1, h2 = finish(h1), finish(h2)
    return h1 + h2 & m


def initial(name, shape, fan_in):
    """U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)) in float, from the stream that the name gives: src/model/init.c."""
    count, stream = math.prod(shape), 0x80000000 | murmur3(name) & MASK
    words = np.stack(philox(np.arange((count + 3) // 4), 0, 0, stream), 1).reshape(-1)[:count]
    uniform = (words >> np.uint64(8)).astype(np.float32) * np.float32(2**-24)
    values = (np.float32(2) * uniform - np.float32(1)) * np.float32(1 / math.sqrt(fan_in))
    return torch.tensor(values.astype(np.float64).reshape(shape), requires_grad=True)


def normals(step, features, stream):
    """[image][feature]: Box & Muller of the words of {image, feature >> 2, step, stream}; features at most 2."""
    word = philox(np.arange(BATCH), 0, step, stream)
    radius = np.sqrt(-2 * np.log(((word[0] >> np.uint64(8)).astype(np.float64) + 1) / 2**24))
    angle = 2 * math.pi * (word[1] >> np.uint64(8)).astype(np.float64) / 2**24
    return torch.tensor(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)[:, :features])


class Network:
    def __init__(self):
        self.params = {}

    def weights(self, name, shape):
        fan_in = math.prod(shape[1:])
        for part, of in ((".weight", shape), (".bias", None)):
            if name + part not in self.params:
                of = of or [shape[1] if name.startswith("up") else shape[0]]
                self.params[name + part] = initial(name + part, of, fan_in)
        return self.params[name + ".weight"], self.params[name + ".bias"]

    def conv(self, x, name, channels, kernel, pad):
        w, b = self.weights(name, [channels, x.shape[1], kernel, kernel])
        return F.relu(F.conv2d(x, w, b, stride=2, padding=pad))

    def up(self, x, name, channels, kernel, pad, out_pad=0):
        w, b = self.weights(name, [x.shape[1], channels, kernel, kernel])
        return F.conv_transpose2d(x, w, b, stride=2, padding=pad, output_padding=out_pad)

    def linear(self, x, name, units):
        return F.linear(x.flatten(1), *self.weights(name, [units, math.prod(x.shape[1:])]))


def autoencoder(net, x, step):
    h = net.conv(net.conv(net.conv(x, "conv1", 8, 3, 1), "conv2", 16, 3, 1), "conv3", 64, 3, 0)
    code = net.linear(F.relu(net.linear(h, "fc1", 64)), "code", 2)
    h = F.relu(net.linear(F.relu(net.linear(code, "fc2", 64)), "fc3", 576)).reshape(-1, 64, 3, 3)
    h = F.relu(net.up(F.relu(net.up(h, "up1", 16, 3, 0)), "up2", 8, 3, 1, 1))
    return ((torch.sigmoid(net.up(h, "up3", 1, 3, 1, 1)) - x) ** 2).mean()


def vae(net, x, step):
    h = net.conv(net.conv(x, "conv1", 64, 4, 1), "conv2", 128, 4, 1)
    mu, logvar = net.linear(h, "code.mu", 2), net.linear(h, "code.logvar", 2)
    z = mu + torch.exp(logvar / 2) * normals(step, 2, STREAM_GRAPH + 1)  # the row of dropout has the stream before
    h = F.relu(net.linear(z, "fc", 6272)).reshape(-1, 128, 7, 7)
    logits = net.up(F.relu(net.up(h, "up1", 64, 4, 1)), "up2", 1, 4, 1)
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    return bce - 0.5 * (1 + logvar - mu**2 - torch.exp(logvar)).sum() / len(x)


def images():
    raw = gzip.open("assets/mnist/train-images-idx3-ubyte.gz").read(16 + 784 * BATCH * STEPS)[16:]
    bytes_ = np.frombuffer(raw, np.uint8).reshape(STEPS, BATCH, 1, 28, 28)
    return torch.tensor((bytes_.astype(np.float32) / np.float32(255)).astype(np.float64))


def losses(network, l2):
    net, optimizer, made = Network(), None, []
    for step, x in enumerate(images()):
        loss = network(net, x, step)
        if optimizer is None:
            optimizer = torch.optim.Adam(net.params.values(), lr=1e-3, weight_decay=l2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        made.append(loss.item())
    return made


def table(name, values):
    rows = ",\n".join("    " + ", ".join(f"{v:.12g}" for v in values[i:i + 5]) for i in range(0, len(values), 5))
    return f"static const double {name}[] = {{\n{rows}}};\n"


text = ("/* Losses of PyTorch's first steps, the mean over the images of each batch; written by training.py. */\n"
        + table("golden_autoencoder", losses(autoencoder, 1e-5)) + table("golden_vae", losses(vae, 1e-5)))
pathlib.Path(__file__).with_name("training.h").write_text(text, encoding="utf-8")
