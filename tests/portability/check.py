#!/usr/bin/env python3
"""Kernels for GPUs that are not there: check.py LIST_LAUNCHES [--quick] [--markdown] [--target NAME ...]

Compiles each distinct launch that a training step of ini/vae.ini, ini/autoencoder.ini and ini/denoise.ini, and t-SNE, has on each target, with the
tiles the launch table gives a GPU of its properties, and prints what the compiler says of it:

    regs   registers of a work-item (VGPRs; NVIDIA's registers; Intel: of 32 bytes, a hardware thread's, where reported)
    spill  bytes of registers spilled to memory
    local  bytes of local memory of a group
    waves  that a scheduler holds at a time: AMD, as LLVM says; NVIDIA, from registers and local memory; Intel, its threads
    fma    multiply-adds among all instructions of the hot loop

The hot loop is the innermost one (no backward branch lies inside it) with the most fused multiply-adds. Every machine instruction
between its first label and its backward branch counts once, loads, waits, address arithmetic and the branch included; AMD's packed
(v_pk_) and dual ones, which do two operations, count as two, whether these are multiply-adds or not. A multiply-add is v_fma, v_fmac,
v_pk_fma of f32 on AMD; FFMA of NVIDIA's machine code where nvdisasm is installed, fma.rn.f32 of PTX where it is not; mad and mac of
floats on Intel.

Fails where a kernel does not compile or spills, and where the hot loop of a large product, one with at least a tenth of its file's
multiply-adds, has less than 70 % of them. --quick: other kernels than large products on one target of each maker alone. Targets whose compiler is missing are skipped. Ends with "N passed, N failed, N skipped".
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WANTED = ("ini/vae.ini", "ini/autoencoder.ini", "ini/denoise.ini", "tsne")
LEAST_SHARE, LARGE = 0.70, 0.1
PTXAS = shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"

# name: maker, compute units, work-items in lockstep (0: its driver does not say), bytes of local memory a group, a device of it
TARGETS = {
    "gfx906": ("amd", 60, 64, 65536, "Radeon VII"),
    "gfx90a": ("amd", 110, 64, 65536, "Instinct MI250X, one die"),
    "gfx1030": ("amd", 30, 32, 65536, "Radeon RX 6800"),
    "gfx1100": ("amd", 48, 32, 65536, "Radeon RX 7900 XTX"),
    "sm_70": ("nvidia", 80, 32, 49152, "V100"),
    "sm_80": ("nvidia", 108, 32, 49152, "A100"),
    "sm_90": ("nvidia", 132, 32, 49152, "H100"),
    "skl": ("intel", 24, 0, 65536, "Skylake, HD 530"),
    "tgllp": ("intel", 96, 0, 65536, "Tiger Lake, Xe"),
    "dg2": ("intel", 512, 0, 65536, "Arc A770"),
}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def one_kernel(file, kernel):
    """The file without its other kernels, as src/backend/opencl/program.c hands it to a driver; a joint launch's text is whole."""
    if os.path.isabs(file):
        return pathlib.Path(file).read_text(encoding="utf-8")
    kept, skip = [], False
    for line in (ROOT / "cl" / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("kernel void ") and not line.startswith(f"kernel void {kernel}("):
            skip = True
        if not skip:
            kept.append(line)
        if line == "}":
            skip = False
    return "\n".join(kept) + "\n"


def operations(line):
    """An instruction on two pairs of operands is its two operations."""
    if "v_dual_" in line:
        return line.split("::")
    return [line, line] if "v_pk_" in line else [line]


def hot_loop(lines, label, branch, is_fma):
    """lines: labels and instructions of one kernel. (FMAs, instructions) of its innermost loop with the most FMAs."""
    place, loops, instructions = {}, [], []
    for line in lines:
        found = label(line)
        if found:
            place[found] = len(instructions)
            continue
        instructions.append(line)
        to = branch(line)
        if to in place:
            loops.append((place[to], len(instructions)))
    inner = [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]
    bodies = [[op for line in instructions[a:b] for op in operations(line)] for a, b in inner]
    counts = [(sum(map(is_fma, body)), len(body)) for body in bodies]
    return max(counts, default=(0, 0), key=lambda c: (c[0], -c[1]))


def group1(pattern):
    compiled = re.compile(pattern)

    def find(line):
        found = compiled.search(line)
        return found.group(1) if found else None

    return find


def matches(pattern):
    compiled = re.compile(pattern)
    return lambda line: bool(compiled.search(line))


def instructions_of(text, start, end, instruction, label):
    """The lines between two patterns that are labels or instructions, without comments."""
    inside, lines = False, []
    for line in text.splitlines():
        line = re.split(r"//|;\s|;$" if ";" in end else r"//", line)[0].rstrip() if end else line
        if not inside:
            inside = bool(re.search(start, line))
        elif re.search(end, line):
            break
        elif label(line) or instruction(line):
            lines.append(line)
    return lines


# ---- AMD: clang alone says everything ----

CLANG = ["-x", "cl", "-cl-std=CL1.2", "-O3", "-w", "-Xclang", "-finclude-default-header", "-I", str(ROOT / "cl"), "-S"]


def with_library(name):
    return ["-Xclang", "-mlink-builtin-bitcode", "-Xclang", f"/usr/lib/clc/{name}"]


def amd(target, launch, source, folder):
    out = folder / "k.s"
    code, log = run(["clang-15", "-target", "amdgcn-amd-amdhsa", f"-mcpu={target}", "-nogpulib", *with_library("amdgcn--amdhsa.bc"),
                     *CLANG, *launch.defines, "-Rpass-analysis=kernel-resource-usage", "-o", str(out), str(source)])
    if code:
        raise RuntimeError(log)

    def said(what):
        return int(re.search(rf"remark:\s+{re.escape(what)}: (\d+)", log).group(1))

    label = group1(r"^(\.LBB\w+):")
    body = []
    for line in out.read_text(encoding="utf-8").split(f"\n{launch.kernel}:", 1)[1].splitlines():
        line = line.split(";")[0].rstrip()
        if line.startswith(".Lfunc_end"):
            break
        if label(line) or re.match(r"\t[sv]_|\t(global|flat|ds|buffer|scratch|lds)_", line):
            body.append(line)
    fma, all_ = hot_loop(body, label, group1(r"\ts_c?branch\w*\s+(\.LBB\w+)"), matches(r"v_(dual_)?(pk_)?(fma|fmac|mad|mac)\w*_f32"))
    spills = said("SGPRs Spill") + said("VGPRs Spill")
    return {"regs": said("VGPRs"), "spill": max(said("ScratchSize [bytes/lane]"), 4 * spills), "local": said("LDS Size [bytes/block]"),
            "waves": said("Occupancy [waves/SIMD]"), "fma": fma, "all": all_}


# ---- NVIDIA: clang to PTX, ptxas to machine code ----

REGISTERS, WARPS, SHARED = 65536, 64, {"sm_70": 98304, "sm_80": 167936, "sm_90": 233472}  # of a multiprocessor


def warps_a_scheduler(target, items, registers, local):
    """The CUDA occupancy rules: registers go to warps in units of 256, local memory to groups; four schedulers."""
    warps = -(-items // 32)
    groups = [32, WARPS // warps, REGISTERS // (-(-registers * 32 // 256) * 256) // warps]
    if local:
        groups.append(SHARED[target] // local)
    return min(groups) * warps / 4


def nvidia(target, launch, source, folder):
    ptx, cubin = folder / "k.ptx", folder / "k.cubin"
    code, log = run(["clang-15", "-target", "nvptx64-nvidia-nvcl", "-Xclang", "-target-cpu", "-Xclang", "sm_80" if target == "sm_90" else target,
                     *with_library("nvptx64--nvidiacl.bc"), *CLANG, *launch.defines, "-o", str(ptx), str(source)])
    if code:
        raise RuntimeError(log)
    text = ptx.read_text(encoding="utf-8")
    if target == "sm_90":  # clang 15 knows no sm_90; PTX of sm_80 is valid there
        text = text.replace(".target sm_80", ".target sm_90").replace(".version 7.0", ".version 7.8").replace(".version 7.5", ".version 7.8")
        ptx.write_text(text, encoding="utf-8")
    code, log = run([PTXAS, "-v", f"-arch={target}", str(ptx), "-o", str(cubin)])
    if code:
        if "not defined for option" in log or "is not supported" in log or "unsupported" in log.lower():
            raise LookupError(f"ptxas knows no {target}")
        raise RuntimeError(log)
    numbers = {what: int(n) for n, what in re.findall(r"(\d+) bytes (spill stores|spill loads|smem)", log)}
    registers = int(re.search(r"Used (\d+) registers", log).group(1))
    local = numbers.get("smem", 0)
    label, branch, fma = group1(r"^(\$\w+):"), group1(r"\bbra(?:\.uni)?\s+(\$\w+)"), matches(r"\bfma\.rn\.f32\b")
    lines = [l for l in text.split(".entry", 1)[1].splitlines() if label(l) or re.match(r"\t(@!?%p\d+ )?[\w.]+\s.*;$|\t\w+;$", l)]
    lines = [l for l in lines if not re.match(r"\t\.(reg|param|loc|shared)", l)]
    if shutil.which("nvdisasm"):
        _, sass = run(["nvdisasm", "-c", str(cubin)])
        label, branch, fma = group1(r"^(\.L_\w+):"), group1(r"\bBRA\S*.*`\((\.L_\w+)\)"), matches(r"\bFFMA2?\b")
        lines = [l for l in sass.splitlines() if label(l) or re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+", l)]
    fmas, all_ = hot_loop(lines, label, branch, fma)
    return {"regs": registers, "spill": numbers.get("spill stores", 0) + numbers.get("spill loads", 0), "local": local,
            "waves": warps_a_scheduler(target, launch.items, registers, local), "fma": fmas, "all": all_}


# ---- Intel: ocloc ----


def intel(target, launch, source, folder):
    options = " ".join(["-cl-std=CL1.2", "-w", "-I", str(ROOT / "cl"), *launch.defines])
    code, log = run(["ocloc", "compile", "-q", "-file", str(source), "-device", target, "-options", options, "-out_dir", str(folder),
                     "-output", "k", "-output_no_suffix"])
    binary = next((p for p in (folder / "k.bin", folder / "k") if p.exists()), None)
    if code or not binary:
        raise RuntimeError(log)
    code, told = run(["ocloc", "disasm", "-file", str(binary), "-device", target, "-dump", str(folder / "dump")])
    listing = next((p for p in sorted((folder / "dump").glob("*")) if launch.kernel in p.name and p.suffix == ".asm"), None)
    if "load iga" in told:
        raise LookupError("ocloc cannot disassemble without libiga64.so (libigc-dev)")
    if not listing:
        raise RuntimeError(f"ocloc disasm left no listing: {told}")
    lines = [l.split("//")[0].rstrip() + (" scratch" if re.search(r"scratch|\bss\[", l) else "")
             for l in listing.read_text(encoding="utf-8").splitlines()]
    label = group1(r"^(L\w*):")  # spills go to the thread's scratch memory, which the listing names beside each send
    lines = [l for l in lines if label(l) or re.match(r"(\([^)]*\))?\s+[a-z]\w*(\.\w+)*\s", l)]
    fma, all_ = hot_loop(lines, label, group1(r"\b(?:jmpi|while|goto|brc|brd)\b.*?\s(L\d+)"), matches(r"^(\([^)]*\))?\s+(mad|mac)\b.*:f\b"))
    used = max([int(n) for l in lines for n in re.findall(r"\br(\d+)", l)], default=0) + 1
    simd = max([int(n) for l in lines if re.search(r"\bmad\b.*:f\b", l) for n in re.findall(r"\((\d+)\|M", l)], default=0)
    return {"regs": used, "spill": 32 * sum(l.endswith("scratch") for l in lines), "local": "", "waves": f"SIMD{simd}" if simd else "",
            "fma": fma, "all": all_}


# ---- the check ----

COMPILERS = {"amd": amd, "nvidia": nvidia, "intel": intel}


def lacks(maker):
    """What a maker's targets need and this machine has not."""
    needs = {"amd": ["clang-15", "/usr/lib/clc/amdgcn--amdhsa.bc"], "nvidia": ["clang-15", "/usr/lib/clc/nvptx64--nvidiacl.bc", PTXAS],
             "intel": ["ocloc"]}
    return [need for need in needs[maker] if not shutil.which(need) and not os.path.exists(need)]


class Launch:
    def __init__(self, line, file_of):
        fields = line.split("\t")
        self.multiply_adds, self.op, self.file, self.kernel = int(fields[0]), fields[1], fields[2], fields[3]
        self.items, self.groups, self.defines, self.of = int(fields[4]), int(fields[5]), fields[6].split(), file_of
        self.large = False

    def title(self):
        if os.path.isabs(self.file):
            parts = re.findall(r"^/\* ---- (\w+) of", pathlib.Path(self.file).read_text(encoding="utf-8"), re.M)
            return "joint: " + ", ".join(parts)
        value = dict(d[2:].split("=") for d in self.defines)
        if "IC" not in value:
            return self.kernel
        return f"{self.kernel} {value['IC']}x{value['IH']}x{value['IW']} {value['OC']}x{value['OH']}x{value['OW']} k{value['K']}"


def launches_of(lister, units, simd, local, folder):
    """Those of all files, each once, and their joint ones; large ones marked."""
    seen, launches = set(), []
    for name in WANTED:
        into = pathlib.Path(folder) / f"{pathlib.Path(name).stem}-{units}-{simd}-{local}"
        into.mkdir(exist_ok=True)
        code, text = run([lister, name, str(units), str(simd), str(local), str(into)])
        if code:
            sys.exit(f"check.py: {lister} {name}: {text.strip()}")
        mine = [Launch(line, name) for line in text.splitlines()]
        # forward, data gradient and weight gradient of a layer have the same multiply-adds: of a file, each counts by its op
        total = sum({(l.op, l.multiply_adds): l.multiply_adds for l in mine}.values())
        for launch in mine:
            launch.large = launch.kernel in ("conv_direct", "deconv_direct", "conv_weight_direct") and launch.multiply_adds >= LARGE * total
            key = (launch.kernel, launch.file if os.path.isabs(launch.file) else "", *launch.defines)
            if key not in seen:
                seen.add(key)
                launches.append(launch)
    return launches


def check(job):
    target, launch = job
    with tempfile.TemporaryDirectory(prefix="clave-portability-") as name:
        folder = pathlib.Path(name)
        source = folder / "kernel.cl"
        source.write_text(one_kernel(launch.file, launch.kernel), encoding="utf-8")
        try:
            return COMPILERS[TARGETS[target][0]](target, launch, source, folder)
        except (RuntimeError, LookupError) as error:
            return error


def share_of(found):
    return found["fma"] / found["all"] if found["all"] else 0


def fault_of(launch, found):
    if isinstance(found, RuntimeError):
        return f"does not compile: {str(found).strip()[:600]}"
    if found["spill"]:
        return f"spills {found['spill']} bytes"
    if launch.large and share_of(found) < LEAST_SHARE:
        return f"{100 * share_of(found):.0f} % multiply-adds in the hot loop, fewer than {100 * LEAST_SHARE:.0f} %"
    return None


def show(target, launch, found, markdown):
    cells = [launch.title() + (" *" if launch.large else ""), target, str(found["regs"]), str(found["spill"]), str(found["local"]),
             str(found["waves"]), f"{100 * share_of(found):.0f} % of {found['all']}" if found["fma"] else ""]
    if markdown:
        print("| " + " | ".join(cells) + " |")
    else:
        print(f"{cells[0]:<56} {cells[1]:<8} {cells[2]:>4} {cells[3]:>5} {cells[4]:>6} {cells[5]:>6}  {cells[6]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lister", help="the built program tests/list_launches")
    parser.add_argument("--quick", action="store_true", help="other kernels than large products on one target of each maker alone")
    parser.add_argument("--markdown", action="store_true", help="print the large products alone, as rows of a table")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be given again")
    args = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="clave-portability-") as folder:
        return check_all(args, folder)


def check_all(args, folder):
    passed = failed = skipped = 0
    jobs, whole = [], set()
    for target in args.target or TARGETS:
        maker, units, simd, local, _ = TARGETS[target]
        if lacks(maker):
            print(f"skipped: {target}: {', '.join(lacks(maker))} is not installed")
            skipped += 1
            continue
        all_of_them = not args.quick or maker not in whole
        whole.add(maker)
        jobs += [(target, l) for l in launches_of(args.lister, units, simd, local, folder) if l.large or all_of_them]
    print(f"{'kernel (* large product)':<56} {'target':<8} {'regs':>4} {'spill':>5} {'local':>6} {'waves':>6}  fma in the hot loop")
    unknown = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (target, launch), found in zip(jobs, pool.map(check, jobs)):
            if isinstance(found, LookupError):
                unknown.add(f"{target}: {found}")
                continue
            fault = fault_of(launch, found)
            failed, passed = failed + bool(fault), passed + (not fault)
            if not isinstance(found, RuntimeError) and (launch.large or not args.markdown):
                show(target, launch, found, args.markdown)
            if fault:
                print(f"FAILED: {launch.title()} on {target} ({' '.join(launch.defines)}): {fault}")
    for line in sorted(unknown):
        print(f"skipped: {line}")
    print(f"{passed} passed, {failed} failed, {skipped + len(unknown)} skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
