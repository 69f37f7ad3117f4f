"""What can go wrong in a way that the user can mend.

Every message is one sentence that names the file or layer, says what was seen, and says what to do.
"""

from __future__ import annotations


class AtomsegError(Exception):
    """A problem that the user can mend; its text is fit to be shown as it is."""


class UnreadableFileError(AtomsegError):
    """The file is missing, empty, truncated, protected or of a format that cannot be read."""


class NoImageError(AtomsegError):
    """The file was read, but holds no two-dimensional image or stack of images in real space."""


class MissingCalibrationError(AtomsegError):
    """A length in Angstrom was asked for, and the pixel size is unknown."""


class ColumnsFileError(AtomsegError):
    """A table of columns cannot be read or written."""


class AtomsegWarning(UserWarning):
    """Legal, but worth a second look."""
