"""bench.py - what the benchmarks that drive the whole product share: a folder of their own, a run whose memory is
measured, rows of the table.

KATYDID_BIN is the folder of the built programs; bench/run.sh sets it."""
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ.get("KATYDID_BIN", "build/bin")).resolve()
SOURCE = pathlib.Path(__file__).resolve().parents[2]


def row(what, value, unit, bar=""):
    """One line of the table; bar is what the product is meant to reach, for the reader to compare."""
    print(f"{what:<62} {value:>12,.4g} {unit:<10} {bar}".rstrip(), flush=True)


def median(values):
    return statistics.median(values) if values else float("nan")


class Bench:
    """with Bench() as bench: a temporary folder that is the current one, with its own database."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kd-bench."))
        self.old = os.getcwd()
        os.chdir(self.folder)
        for name in ("tmp", "run"):
            os.mkdir(name, 0o700)
        self.env = dict(os.environ, KATYDID_DB=str(self.folder / "b.db"), TMPDIR=str(self.folder / "tmp"),
                        XDG_RUNTIME_DIR=str(self.folder / "run"), PATH=f"{BIN}:{os.environ['PATH']}",
                        OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        return self

    def __exit__(self, *_):
        os.chdir(self.old)
        shutil.rmtree(self.folder)

    def spec(self, text):
        pathlib.Path("bench.yaml").write_text(text)

    def run(self, *more, accept=(0,), limit_s=float("inf")):
        """Runs the spec to its end; returns (seconds, peak memory of the coordinator in MiB). TimeoutError: it was ended."""
        start = time.monotonic()
        with open("log", "wb") as log:
            child = subprocess.Popen(["katydid", "run", "bench.yaml", *more], stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log, env=self.env)
            peak = 0
            while child.poll() is None:
                peak = max(peak, peak_memory(child.pid))
                time.sleep(0.01)
                if time.monotonic() - start > limit_s:
                    child.terminate()
                    child.wait()
                    raise TimeoutError(f"katydid run was not done within {limit_s:.0f} s")
        if child.returncode not in accept:
            sys.exit(f"katydid run: exit {child.returncode}\n" + pathlib.Path("log").read_text()[-2000:])
        return time.monotonic() - start, peak

    def query(self, sql):
        with sqlite3.connect(f"file:{self.env['KATYDID_DB']}?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()


def peak_memory(pid):
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    return 0
