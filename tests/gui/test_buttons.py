import pytest

from napari_atomseg.gui.widgets.buttons import told_button
from napari_atomseg.gui.widgets.forms import enable


@pytest.mark.usefixtures("qapp")
def test_a_button_says_why_it_is_disabled_and_then_what_it_does_again():
    button = told_button("Save …", "Save the average as TIFF.", "save_average")
    assert (button.text(), button.objectName(), button.toolTip()) == ("Save …", "save_average", "Save the average as TIFF.")
    enable(button, False, "There is no average yet.")
    assert button.toolTip() == "There is no average yet."
    enable(button, True, "There is no average yet.")
    assert button.toolTip() == "Save the average as TIFF."
