#!/usr/bin/env python3
"""Ratios of whole processes, from paired runs: A B A B ..., medians of A/B.

    cargo build --release --benches
    python3 benches/ratios.py DATA [--runs 7] [--only WORD]

DATA is a folder with combined.log, upstream.log, json.log, error.log, quiet.log and combined.log.gz (any that is
missing is passed over). Every file is read once first, so that it lies in the page cache as reading leaves it.
CPU is user + system time of the finished process; peers that are not installed are passed over.
"""
import argparse, glob, os, shlex, shutil, statistics, subprocess, sys, time


def run(words):
    start = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit(f"{words}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def pair(name, a, b, runs):
    run(a), run(b)
    rows = [(run(a), run(b)) for _ in range(runs)]
    median = lambda f: statistics.median(map(f, rows))
    cpu, wall = median(lambda r: r[0][0] / r[1][0]), median(lambda r: r[0][1] / r[1][1])
    print(f"| {name} | {cpu:.2f} | {wall:.2f} | {median(lambda r: r[0][0]):.3f} | {median(lambda r: r[1][0]):.3f} "
          f"| {median(lambda r: r[0][2]):.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))
    tool = os.path.join(target, "release", "downtime")
    benches = [f for f in glob.glob(os.path.join(target, "release", "deps", "floor-*")) if os.access(f, os.X_OK)]
    floor = max(benches, key=os.path.getmtime)
    path = lambda name: os.path.join(args.data, name)
    report = lambda *files: [tool, "--threads", "2", "--format", "json", *files]
    newlines = lambda *files: [floor, "newlines", "2", *files]
    duck = ("import duckdb;duckdb.sql(\"SET threads=2\");print(duckdb.sql(\"select time_bucket(interval '1 minute', "
            "strptime(t,'[%d/%b/%Y:%H:%M:%S')) m, s//100, count(*) from read_csv('{f}', delim=' ', quote='\\\"', header=false, "
            "all_varchar=true, ignore_errors=true, null_padding=true, columns={{'a':'varchar','b':'varchar','c':'varchar',"
            "'t':'varchar','z':'varchar','r':'varchar','st':'varchar','n':'varchar','f':'varchar','u':'varchar'}}) , "
            "lateral (select try_cast(st as int) s) group by all\").fetchall()[:1])")
    awk = r'{ t = substr($4, 2, 17); s = substr($9, 1, 1); n[t s]++ } END { for (k in n) print k, n[k] }'
    f = path("combined.log")
    rows = [
        ("combined, full report / newlines", [f], report(f), newlines(f)),
        ("combined / wc -l", [f], report(f), ["wc", "-l", f]),
        ("combined / rg -c", [f], report(f), ["rg", "-c", '" 50[0-9] ', f]),
        ("mawk / combined", [f], ["mawk", awk, f], report(f)),
        ("DuckDB / combined", [f], [sys.executable, "-c", duck.format(f=f)], report(f)),
        ("regex + rayon by line / combined", [f], [floor, "regex", "2", f], report(f)),
        ("rhit / combined", [f], ["rhit", "--silent-load", "--color", "no", f], report(f)),
    ]
    for name in ("upstream", "json", "error", "quiet"):
        rows.append((f"{name} / newlines", [path(f"{name}.log")], report(path(f"{name}.log")), newlines(path(f"{name}.log"))))
    gz = path("combined.log.gz")
    rows.append(("gz / gzip -dc", [gz], report(gz), ["gzip", "-dc", gz]))
    rows.append(("one gz / two gz on two cores (wall)", [gz, path("second.log.gz")], report(gz), report(gz, path("second.log.gz"))))
    print("| A / B | CPU A/B | wall A/B | CPU A s | CPU B s | peak A MiB |\n|---|---|---|---|---|---|")
    for name, files, a, b in rows:
        words = [w[0] for w in (a, b)]
        if args.only not in name or not all(map(os.path.exists, files)) or not all(map(shutil.which, words)):
            continue
        for file in files:
            with open(file, "rb") as handle:
                while handle.read(1 << 20):
                    pass
        pair(name, a, b, args.runs)


main()
