"""One program per DVC stage. Paths come from the command line; `dvc.yaml` is where they stand."""

import sys

from inspection.processes import die_with_parent
from inspection.processors import hold_to_avx2

# `python -m stages.train` imports this package, while its own name is still "-m", before the stage
# with its libraries. These take seconds, in which a killed `dvc repro` would leave an orphan; and
# they choose their code by the processor when they are imported.
if sys.argv[:1] == ["-m"]:
    die_with_parent()
    hold_to_avx2()
