"""The registered model as MLflow sees it: files of views in, one verdict per part out.

MLflow runs this file to make the model (models from code: nothing is pickled).
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel  # type: ignore[attr-defined]

from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View


class RegisteredInspector(PythonModel):
    """Verdicts for a table of views: `part_id`, and `image`, the bytes of the image file."""

    def load_context(self, context: Any) -> None:
        """Load the bundle after its hashes have been checked."""
        self.inspector = Inspector(Path(context.artifacts["bundle"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """One row per part: `part_id`, `verdict`, `label`, `cause`.

        Without type hints: MLflow would take them for a signature, and warn that they are none.
        """
        rows = []
        for part_id, views in model_input.groupby("part_id", sort=False):
            named = [
                View(str(n), bytes(image)) for n, image in enumerate(views["image"])
            ]
            part = self.inspector.inspect(named)
            rows.append([str(part_id), part.verdict, part.label, part.cause])
        return pd.DataFrame(rows, columns=["part_id", "verdict", "label", "cause"])


set_model(RegisteredInspector())
