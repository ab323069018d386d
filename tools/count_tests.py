#!/usr/bin/env python3
"""Counts meson's test log (one JSON object a line): prints "passed failed skipped"."""
import json
import sys

results = [json.loads(line)["result"] for line in open(sys.argv[1], encoding="utf-8")]
if not results:
    sys.exit("no test ran")
passed = sum(r in ("OK", "EXPECTEDFAIL") for r in results)
skipped = sum(r == "SKIP" for r in results)
print(passed, len(results) - passed - skipped, skipped)
