"""The section `validate` of params.yaml."""

from inspection.dataset.expectations import Expected
from inspection.dataset.labelling import Unknown
from inspection.dataset.layouts import Layout


class ValidateParams(Layout):
    """The `validate` section: the layout of the data, what to do with strangers, what to expect."""

    unknown: Unknown = Unknown()
    """What to do with images whose name or class is unknown."""

    expected: Expected = Expected()
    """What the line expects of its data."""
