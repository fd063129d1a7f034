"""Builds the one compiled module; everything else about the package is in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

optimise = ["-O3", "-fno-strict-aliasing", "-Wno-unused-function"]
checked = os.environ.get("NFMASQ_CHECKED") == "1"  # bounds checks and sanitizers' debug info, for tests

setup(
    ext_modules=cythonize(
        [
            Extension(
                "nfmasq._fastpath",
                ["nfmasq/_fastpath.pyx"],
                extra_compile_args=["-O1", "-g"] if checked else optimise,
            )
        ],
        compiler_directives={
            "language_level": "3",
            "boundscheck": checked,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    )
)
