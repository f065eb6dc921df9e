"""The problems of tests/bench/search for Python programs: libkd_bench_tasks.so through ctypes."""
import ctypes
import json
import os


def open_library():
    """build/bench/libkd_bench_tasks.so (`cmake --build build --target bench`), or the folder in KATYDID_BUILD."""
    path = os.path.join(os.environ.get("KATYDID_BUILD", "build"), "bench", "libkd_bench_tasks.so")
    library = ctypes.CDLL(path)
    library.bench_open.restype = ctypes.c_void_p
    library.bench_names.restype = library.bench_describe.restype = ctypes.c_void_p
    for name in ("bench_evaluate", "bench_report", "bench_step_s"):
        getattr(library, name).restype = ctypes.c_double
    return library


class Library:
    def __init__(self):
        self.c = open_library()
        tables = os.path.join(os.environ.get("KATYDID_BUILD", "build"), "bench", "tables")
        self.c.bench_add_tables(tables.encode())

    def text(self, address):
        value = ctypes.string_at(address).decode()
        self.c.bench_free(ctypes.c_void_p(address))
        return value

    def names(self, patterns):
        return self.text(self.c.bench_names(patterns.encode())).splitlines()

    def problem(self, name, instance):
        return Problem(self, name, instance)


class Problem:
    """A point is a list of doubles as in search/space.h; inactive parameters are NaN."""

    def __init__(self, library, name, instance):
        self.library, self.name = library, name
        self.handle = ctypes.c_void_p(library.c.bench_open(name.encode(), instance))
        if not self.handle:
            raise SystemExit(f"no problem is named {name}")
        about = json.loads(library.text(library.c.bench_describe(self.handle)))
        self.optimum, self.reference, self.steps = about["optimum"], about["reference"], about["steps"]
        self.parameters = about["parameters"]
        self.row = ctypes.c_double * len(self.parameters)

    def evaluate(self, point):
        return self.library.c.bench_evaluate(self.handle, self.row(*point))

    def report(self, point, step):
        return self.library.c.bench_report(self.handle, self.row(*point), step)

    def step_s(self, point):
        return self.library.c.bench_step_s(self.handle, self.row(*point))

    def close(self):
        self.library.c.bench_close(self.handle)

    def is_active(self, parameter, point):
        condition = parameter.get("condition")
        return condition is None or point[condition["parent"]] in condition["values"]
