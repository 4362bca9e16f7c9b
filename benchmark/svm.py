"""The SVM solver against scikit-learn's liblinear and libsvm: times of the same work at equal thread counts."""

import argparse
import importlib
import os

WORK = {
    "voc": "the grid of VOC's size: 20 classes, 10 Cs, 5 folds and the whole",
    "cub": "the grid of CUB's size: 200 classes",
    "digits": "the grid on features of the digits, EfficientNet-Lite0",
    "single": "one fit at C = 1, warm",
    "cold": "the first fit of a fresh process",
    "views": "VOC's size times 16 views, 10 Cs, no folds",
    "ovo": "102 classes, one against one: one C, and 5 Cs in 5 folds",
    "big": "1.28M rows, 1,000 classes, 5 Cs, on a GPU; with --device cpu, peak memory over the number of rows",
}


def confine(threads: int) -> None:
    """Give this process so many cores and threads, before any library counts them."""
    os.environ.pop("OPENBLAS_CORETYPE", None)  # slows NumPy and scikit-learn on some processors
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.epilog = "\n".join(f"{name:8}{what}" for name, what in WORK.items())
    parser.add_argument("what", choices=[*WORK, "stream"], metavar="|".join(WORK))
    parser.add_argument("--loss", choices=("hinge", "squared_hinge"), default="hinge")
    parser.add_argument("--threads", type=int, default=1, help="of each contestant")
    parser.add_argument("--fits", type=int, help="fits of each peer, spread evenly over Cs, classes and folds")
    parser.add_argument("--classes", type=int, help="the first so many classes alone, for all contestants")
    parser.add_argument("--every", type=int, default=1, help="for views: every so many-th C alone, for all contestants")
    parser.add_argument("--rounds", type=int, default=3, help="for single and cold")
    parser.add_argument("--rows", type=int, help="for big")
    parser.add_argument("--dims", type=int, help="for big")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="for big")
    parser.add_argument("--input", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    confine(options.threads)
    module = {"voc": "svm_grid", "cub": "svm_grid", "digits": "svm_grid", "views": "svm_grid"}
    module |= {"ovo": "svm_ovo", "big": "svm_big", "stream": "svm_big"}
    work = getattr(importlib.import_module(module.get(options.what, "svm_fits")), options.what)
    if options.what != "stream":
        from machine import machine

        print(f"{machine()}; {options.threads} threads each\n")
    work(options)


if __name__ == "__main__":
    main()
