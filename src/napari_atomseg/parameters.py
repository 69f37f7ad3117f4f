"""Parameter classes that options are made of, by name.

Apart from the workflows, so that the help of a command loads none of the libraries that they calculate with.
"""

from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.analysis.params import MeasureParams
from napari_atomseg.analysis.sequences.params import SequenceParams
from napari_atomseg.comparison.params import CompareParams
from napari_atomseg.imaging.convolution import ConvolutionParams
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.inference.params import NetworkParams, RestorationParams
from napari_atomseg.localise.detection.params import ClassicalParams
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.registration.params import AlignParams
from napari_atomseg.simulation.pair_set_params import PairSetParams
from napari_atomseg.simulation.params import SimulationParams, StemParams, TemParams
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.synthesis.metal_recipe import FccMetal
from napari_atomseg.synthesis.params import SynthesisParams
from napari_atomseg.training.classifier.params import ClassifierTrainParams
from napari_atomseg.training.params import TrainParams

__all__ = [
    "AlignParams",
    "ClassicalParams",
    "ClassifierTrainParams",
    "CompareParams",
    "ConvolutionParams",
    "CorrectionParams",
    "CutParams",
    "DetectorParams",
    "FccMetal",
    "IntensityParams",
    "MeasureParams",
    "MultisliceParams",
    "NetworkParams",
    "PairSetParams",
    "RefineParams",
    "RestorationParams",
    "SequenceParams",
    "SimulationParams",
    "StemParams",
    "SynthesisParams",
    "TemParams",
    "TrainParams",
]
