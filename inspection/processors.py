"""The same numbers on each make of processor: libraries are held to what all of them can do.

numpy, torch and their libraries choose their code by the processor, and code for wider registers
rounds in another way. With AVX-512 a drawn frame differs here and there by a grey level, and a
network that learned on it by more.
"""

import os
import platform

X86_64 = ("x86_64", "AMD64")
# AVX2 is in every x86 processor for desks and servers since 2015; what came later is left out.
HELD_TO_AVX2 = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # MKL's code for AVX2 is another one on AMD's processors than on Intel's; this one is the same
    # on both, and takes twice as long for products of matrices, of which few are made here
    "MKL_CBWR": "COMPATIBLE",
    # OpenBLAS names its code by the first processor that had what it needs: Haswell brought AVX2
    "OPENBLAS_CORETYPE": "Haswell",
}


def hold_to_avx2() -> None:
    """Call before numpy or torch is imported; what a user has set stays.

    Processes that are started later inherit it. Does nothing but on x86: numpy warns of features
    that it does not know.
    """
    if platform.machine() not in X86_64:
        return
    for name, value in HELD_TO_AVX2.items():
        os.environ.setdefault(name, value)
