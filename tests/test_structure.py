#!/usr/bin/env python3
"""The house's rules that a compiler does not check: test_structure.py ROOT

- includes point down: cli, search, experiment, {model, data, report, analysis}, backend, graph, base;
- only src/backend/opencl includes CL/cl.h, CLBlast and OpenCL headers;
- every public header compiles alone, as C11 and as C++;
- no function of the program or library is longer than 80 lines;
- src/README.md names every folder of src.
"""
import pathlib
import re
import shutil
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
failures = []

# What each folder may include beside itself and the public headers.
below = {
    "base": [],
    "graph": ["base"],
    "backend": ["base", "graph"],
    "data": ["base"],
    "report": ["base"],
    "analysis": ["base", "graph", "backend"],
    "model": ["base", "graph"],
    "experiment": ["base", "graph", "backend", "model", "data", "report", "analysis"],
    "search": ["base", "graph", "backend", "model", "data", "report", "experiment"],
    "cli": ["base", "model", "experiment", "search"],
}

include = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.MULTILINE)

for path in sorted((root / "src").rglob("*.[ch]")):
    parts = path.relative_to(root / "src").parts
    for name in include.findall(path.read_text(encoding="utf-8")):
        first = name.split("/")[0]
        if first in below and first != parts[0] and first not in below[parts[0]]:
            failures.append(f"{path}: {parts[0]} may not include {name}")
        if first == "CL" or name == "clblast_c.h":
            if parts[:2] != ("backend", "opencl"):
                failures.append(f"{path}: only src/backend/opencl may include {name}")

compiler = shutil.which("clang") or shutil.which("gcc")
for header in sorted((root / "include" / "clave").glob("*.h")):
    for language, standard in (("c", "c11"), ("c++", "c++17")):
        command = [compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I",
                   str(root / "include"), "-include", str(header), "/dev/null"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and "cannot execute" not in done.stderr:
            failures.append(f"{header} does not compile alone as {standard}: {done.stderr.splitlines()[:2]}")

# clang-format puts a function's braces in the first column.
for path in sorted((root / "src").rglob("*.c")):
    start = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start > 80:
                failures.append(f"{path}:{start}: a function of {number - start} lines")
            start = None

guide = (root / "src" / "README.md").read_text(encoding="utf-8")
for folder in sorted(p for p in (root / "src").rglob("*") if p.is_dir()):
    name = str(folder.relative_to(root / "src"))
    if f"`{name}/`" not in guide:
        failures.append(f"src/README.md does not name `{name}/`")

print("\n".join(failures) or "the structure stands")
sys.exit(bool(failures))
