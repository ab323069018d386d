#!/usr/bin/env python3
"""Turns kernel files into one C table, { name, text }: embed.py OUTPUT INPUT...

String literals longer than 65,535 bytes are beyond C11's promise, so each text is an array of bytes.
"""
import pathlib
import sys

output, inputs = sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]]
with open(output, "w", encoding="ascii") as out:
    out.write('#include "backend/opencl/kernels.h"\n\n')
    for i, path in enumerate(inputs):
        text = path.read_bytes() + b"\0"
        rows = (", ".join(str(b) for b in text[at:at + 24]) for at in range(0, len(text), 24))
        out.write(f"static const unsigned char text{i}[] = {{\n    " + ",\n    ".join(rows) + "};\n")
    out.write("\nconst clv_kernel_file clv_kernel_files[] = {\n")
    for i, path in enumerate(inputs):
        out.write(f'    {{"{path.name}", (const char *)text{i}}},\n')
    out.write(f"}};\nconst int clv_kernel_file_count = {len(inputs)};\n")
