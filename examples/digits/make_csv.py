#!/usr/bin/env python3
"""make_csv.py - writes digits.csv from the copy of the data set that scikit-learn ships (Debian: python3-sklearn).

The file is in the repository; this only says where it comes from. Run it with the interpreter that has the package:

    /usr/bin/python3 make_csv.py > digits.csv
"""
import sys

from sklearn.datasets import load_digits


def main():
    digits = load_digits()
    pixels = digits.data.astype(int)
    print(",".join([*digits.feature_names, "label"]))
    for image, label in zip(pixels, digits.target):
        print(",".join(map(str, [*image, label])))
    print(f"{len(pixels)} images", file=sys.stderr)


if __name__ == "__main__":
    main()
