"""The table of contents: what can be done with a micrograph, for scripts, the command line and the window alike.

Long jobs block when called and yield their progress as ``job.steps(...)``; closing that generator stops them.
Importing this module loads no reader, network, simulator or window library.
"""

from napari_atomseg.analysis.calibrate import pixel_size_from_line, pixel_size_from_spacing
from napari_atomseg.analysis.diffractogram import Diffractogram, Spots
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.analysis.lattice.planes import DIRECTIONS, on_same_planes
from napari_atomseg.analysis.lattice_numbers import plus_minus
from napari_atomseg.analysis.measurement import Measurement
from napari_atomseg.analysis.params import MeasureParams
from napari_atomseg.analysis.sequences.params import SequenceParams
from napari_atomseg.comparison.compare import compare, match_rotation, one_frame
from napari_atomseg.comparison.lens_fit import POOR_FIT, VARIED, FittedSimulation, fit_simulation
from napari_atomseg.comparison.line_profile import line_profile
from napari_atomseg.comparison.params import CompareParams
from napari_atomseg.comparison.result import Comparison, comparison_summary
from napari_atomseg.comparison.write import comparison_files, write_comparison
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.tasks import TASKS
from napari_atomseg.imaging.convolution import ConvolutionParams
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.inference.params import NetworkParams, RestorationParams
from napari_atomseg.inference.pixel_size import estimated_size, known_pixel_size
from napari_atomseg.inference.structure_confidence import rejection_at
from napari_atomseg.localise.detection.params import ClassicalParams
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.networks.architectures import ARCHITECTURES, architecture_of, params_of
from napari_atomseg.networks.card import BEFORE, RESTORATION, STRUCTURES
from napari_atomseg.networks.catalogue import default_network, map_names, model_cards
from napari_atomseg.registration.params import AlignParams
from napari_atomseg.simulation.correction import fit_correction, read_correction, write_correction
from napari_atomseg.simulation.correction_catalogue import correction_names, corrections_that_fit, read_correction_card
from napari_atomseg.simulation.correction_pairs import (
    correction_for,
    make_pair_set,
    make_pairs,
    pair_set_cost,
    pairs_cost,
    write_pairs,
)
from napari_atomseg.simulation.cross_section_library import cross_section_library
from napari_atomseg.simulation.effects import CONVOLUTIONS, PROBES, belongs_to, has_effect
from napari_atomseg.simulation.engine import simulate, simulate_again, structure_in
from napari_atomseg.simulation.exit_waves import exit_wave_files, make_exit_waves
from napari_atomseg.simulation.field import projected_atoms
from napari_atomseg.simulation.pair_set_params import PairSetParams
from napari_atomseg.simulation.params import METHODS, SimulationParams, StemParams, TemParams, on_grid_of
from napari_atomseg.simulation.progress import SimulationProgress
from napari_atomseg.simulation.sliced import simulation_cost
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import has_thickness
from napari_atomseg.specimens.description import describe_structure, structure_summary
from napari_atomseg.specimens.direction import parse_zone_axis
from napari_atomseg.specimens.fcc import fcc_metals
from napari_atomseg.specimens.low_index_zones import low_index_zones
from napari_atomseg.specimens.structure_file import is_structure_file, read_structure
from napari_atomseg.synthesis.metal_recipe import FccMetal
from napari_atomseg.synthesis.params import SynthesisParams
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.synthesis.samples import SAMPLES, draw_sample
from napari_atomseg.training.classifier.params import ClassifierTrainParams
from napari_atomseg.training.params import TrainParams
from napari_atomseg.workflows.acquisition import AcquisitionParams, record
from napari_atomseg.workflows.choice import AUTO, CLASSICAL
from napari_atomseg.workflows.classifier import RECIPES, train_classifier
from napari_atomseg.workflows.column_edits import snap, transfer
from napari_atomseg.workflows.columns import locate, model_names, refine
from napari_atomseg.workflows.counting import counts_in, recount
from napari_atomseg.workflows.fit_residual import residual
from napari_atomseg.workflows.lattice import (
    accept_suggested,
    calibrate_by_lattice,
    estimate_lattice,
    show_frequencies,
    straighten_rows,
    suggest_missing,
)
from napari_atomseg.workflows.measured_views import (
    image_strain,
    map_cells,
    map_feature,
    map_vectors,
    profile_distances,
    profile_feature,
)
from napari_atomseg.workflows.measuring import WHAT, measure
from napari_atomseg.workflows.models import add_model, model_table, models_folder, why_unfit
from napari_atomseg.workflows.network_maps import maps
from napari_atomseg.workflows.provenance import attach_to_image, finder_choice, fit_choices, left_out
from napari_atomseg.workflows.reading import join_series, read, read_columns, why_misplaced
from napari_atomseg.workflows.report import report
from napari_atomseg.workflows.restoration import restoration_difference, restoration_spread, restore
from napari_atomseg.workflows.restored_columns import locate_restored
from napari_atomseg.workflows.sequence_views import kymograph, time_line
from napari_atomseg.workflows.sequences import Sequence, sequence
from napari_atomseg.workflows.series import AlignedSeries, align
from napari_atomseg.workflows.synthesis import LABELS, image_of, synthesis_presets, synthesise, synthesise_into, true_columns
from napari_atomseg.workflows.training import (
    fine_tune,
    recipe_for_crystal,
    recipe_for_metal,
    run_settings,
    starts_for,
    stopped_at,
    train,
    training_folder,
)

__all__ = [
    "ARCHITECTURES",
    "AUTO",
    "BEFORE",
    "CLASSICAL",
    "CONVOLUTIONS",
    "DIRECTIONS",
    "LABELS",
    "METHODS",
    "POOR_FIT",
    "PROBES",
    "RECIPES",
    "RESTORATION",
    "SAMPLES",
    "STRUCTURES",
    "TASKS",
    "VARIED",
    "WHAT",
    "AcquisitionParams",
    "AlignParams",
    "AlignedSeries",
    "ClassicalParams",
    "ClassifierTrainParams",
    "ClusterParams",
    "CompareParams",
    "Comparison",
    "ConvolutionParams",
    "CorrectionParams",
    "CutParams",
    "DetectorParams",
    "Diffractogram",
    "FccMetal",
    "FittedSimulation",
    "IntensityParams",
    "MeasureParams",
    "Measurement",
    "Micrograph",
    "MultisliceParams",
    "NetworkParams",
    "PairSetParams",
    "RefineParams",
    "RestorationParams",
    "Sequence",
    "SequenceParams",
    "SimulationParams",
    "SimulationProgress",
    "Spots",
    "StemParams",
    "SynthesisParams",
    "TemParams",
    "TrainParams",
    "accept_suggested",
    "add_model",
    "align",
    "architecture_of",
    "attach_to_image",
    "belongs_to",
    "calibrate_by_lattice",
    "cluster",
    "compare",
    "comparison_files",
    "comparison_summary",
    "correction_for",
    "correction_names",
    "corrections_that_fit",
    "counts_in",
    "cross_section_library",
    "default_network",
    "describe_structure",
    "draw_sample",
    "estimate_lattice",
    "estimated_size",
    "exit_wave_files",
    "fcc_metals",
    "finder_choice",
    "fine_tune",
    "fit_choices",
    "fit_correction",
    "fit_simulation",
    "has_effect",
    "has_thickness",
    "image_of",
    "image_strain",
    "is_structure_file",
    "join_series",
    "known_pixel_size",
    "kymograph",
    "left_out",
    "line_profile",
    "locate",
    "locate_restored",
    "low_index_zones",
    "make_exit_waves",
    "make_pair_set",
    "make_pairs",
    "map_cells",
    "map_feature",
    "map_names",
    "map_vectors",
    "maps",
    "match_rotation",
    "measure",
    "model_cards",
    "model_names",
    "model_table",
    "models_folder",
    "on_grid_of",
    "on_same_planes",
    "one_frame",
    "pair_set_cost",
    "pairs_cost",
    "params_of",
    "parse_zone_axis",
    "pixel_size_from_line",
    "pixel_size_from_spacing",
    "plus_minus",
    "profile_distances",
    "profile_feature",
    "projected_atoms",
    "read",
    "read_columns",
    "read_correction",
    "read_correction_card",
    "read_recipe",
    "read_structure",
    "recipe_for_crystal",
    "recipe_for_metal",
    "record",
    "recount",
    "refine",
    "rejection_at",
    "report",
    "residual",
    "restoration_difference",
    "restoration_spread",
    "restore",
    "run_settings",
    "sequence",
    "show_frequencies",
    "simulate",
    "simulate_again",
    "simulation_cost",
    "snap",
    "starts_for",
    "stopped_at",
    "straighten_rows",
    "structure_in",
    "structure_summary",
    "suggest_missing",
    "synthesis_presets",
    "synthesise",
    "synthesise_into",
    "time_line",
    "train",
    "train_classifier",
    "training_folder",
    "transfer",
    "true_columns",
    "why_misplaced",
    "why_unfit",
    "write_comparison",
    "write_correction",
    "write_pairs",
]
