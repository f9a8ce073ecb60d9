"""What a user may be asked, and how it is answered: one flag, or one variable of make, each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answers:
    """What the user said: `FORM= PART= MASKS= LABEL= NORMAL= NAME=`, or the flags; '' is not said.

    `form` names the form. `part` is `file`, `folder`, `runs`, `runs:<gap>` or a pattern of the
    file name (`<part>_<shot>`). `masks` is where the mask of an image lies
    (`{folder}/{stem}_mask.png`), or `none`. `label` names the column of labels in a table, or
    `<file>:<column>`. `normal` names the normal class, or several by commas, or is `unlisted`: the
    images that nothing labels are the normal ones. `name` names the line.
    """

    form: str = ""
    part: str = ""
    masks: str = ""
    label: str = ""
    normal: str = ""
    name: str = ""


UNLISTED = "unlisted"


def asks(flag: str, *values: str) -> str:
    """How a question is answered, as a make variable and as a flag.

    >>> asks("form", "coco", "yolo")
    'say FORM=coco or FORM=yolo (pipelines.adopt: --form)'
    """
    choices = " or ".join(f"{flag.upper()}={value}" for value in values)
    return f"say {choices} (pipelines.adopt: --{flag})"
