#!/usr/bin/env python3
"""Re-create vendor/ from Cargo.lock and prune it. Called by `./dev vendor`; see CONTRIBUTING.md.

What it owns: the recipe by which the committed vendor/ came to be. Run twice it writes the same
bytes, so `git status` after it is the check that nobody edited a vendored crate by hand.
What it refuses to touch: crates without a registry checksum, which are our own [patch] copies
(vendor/PATCHES.md).

Pruning keeps the tree small without breaking `--locked --offline`:
* a crate that no supported target compiles keeps its manifest and licences and gets an empty
  library (Cargo.lock names it, so it must exist);
* a compiled crate loses its tests, benches, examples and fuzz targets, and ring its prebuilt
  Windows objects, so that no object code is left in the tree.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib

TARGETS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
]
DROP_DIRS = {"tests", "benches", "examples", "test-data", ".github", "fuzz"}
DROP_SUFFIXES = {"ring": (".o", ".asm")}
LICENCES = ("LICENSE", "LICENCE", "COPYING")


def compiled_crates():
    """(name, "vX.Y.Z") of every crate that some supported target builds."""
    used = set()
    for target in TARGETS:
        out = subprocess.run(
            ["cargo", "tree", "--offline", "--locked", "--all-features", "-e", "normal,build,dev",
             "--target", target, "--prefix", "none", "-f", "{p}"],
            check=True, capture_output=True, text=True).stdout
        used |= {tuple(line.split()[:2]) for line in out.splitlines() if line.strip()}
    return used


def remove(path):
    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def make_stub(path, text, manifest):
    """Leave manifest, licences and an empty library."""
    for name in os.listdir(path):
        if name != "Cargo.toml" and not name.upper().startswith(LICENCES):
            remove(os.path.join(path, name))
    lib = os.path.join(path, manifest.get("lib", {}).get("path", "src/lib.rs"))
    os.makedirs(os.path.dirname(lib), exist_ok=True)
    open(lib, "w").close()
    kept, skipping = [], False
    for line in text.splitlines():
        if line.startswith("["):
            table = line.split("]")[0].strip("[")
            skipping = table in ("example", "test", "bench", "bin") or "dev-dependencies" in line
        if not skipping and not line.startswith("build ="):
            kept.append(line)
    with open(os.path.join(path, "Cargo.toml"), "w") as out:
        out.write("\n".join(kept) + "\n")


def recompute_checksums(path, package_sum, drop_suffixes):
    files = {}
    for base, _, names in os.walk(path):
        for name in names:
            full = os.path.join(base, name)
            if name.endswith(drop_suffixes):
                os.remove(full)
            elif name != ".cargo-checksum.json":
                with open(full, "rb") as f:
                    files[os.path.relpath(full, path)] = hashlib.sha256(f.read()).hexdigest()
    with open(os.path.join(path, ".cargo-checksum.json"), "w") as out:
        json.dump({"files": files, "package": package_sum}, out, sort_keys=True, separators=(",", ":"))


def prune(root):
    used = compiled_crates()
    for directory in sorted(os.listdir(root)):
        path = os.path.join(root, directory)
        if not os.path.isdir(path):
            continue  # vendor/PATCHES.md
        with open(os.path.join(path, ".cargo-checksum.json")) as f:
            checksum = json.load(f)
        if "package" not in checksum:
            continue  # our own [patch] crate
        with open(os.path.join(path, "Cargo.toml")) as f:
            text = f.read()
        manifest = tomllib.loads(text)
        name, version = manifest["package"]["name"], "v" + manifest["package"]["version"]
        if (name, version) in used:
            for sub in DROP_DIRS & set(os.listdir(path)):
                if os.path.isdir(os.path.join(path, sub)):
                    remove(os.path.join(path, sub))
        else:
            make_stub(path, text, manifest)
        recompute_checksums(path, checksum["package"], DROP_SUFFIXES.get(name, ("\0",)))


def main():
    """`vendor.py` fetches and prunes in place; `vendor.py --prune DIR` only prunes."""
    if len(sys.argv) == 3 and sys.argv[1] == "--prune":
        prune(sys.argv[2])
        return
    # The committed source replacement points at vendor/ itself, so fetching runs with a
    # configuration directory of its own that does not have it. `cargo vendor` also removes what
    # is no crate. Both come back even when the registry cannot be reached.
    with tempfile.TemporaryDirectory() as aside:
        kept = [path for path in (".cargo/config.toml", "vendor/PATCHES.md") if os.path.exists(path)]
        for path in kept:
            shutil.copy2(path, os.path.join(aside, os.path.basename(path)))
        try:
            os.remove(".cargo/config.toml")
            subprocess.run(["cargo", "vendor", "--locked", "vendor"], check=True,
                           stdout=subprocess.DEVNULL)
        finally:
            for path in kept:
                shutil.copy2(os.path.join(aside, os.path.basename(path)), path)
    prune("vendor")


main()
