"""What the tests of the command line share."""

import pytest

from napari_atomseg.cli.app import main


@pytest.fixture
def call(capsys):
    """Run the command line here; gives exit status, standard output and standard error."""

    def run(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return run
