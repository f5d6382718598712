import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.run.compare import compare
from tonotopy.probes.run.registry import schema
from tonotopy.synth.errors import InputError

FREQUENCY = np.geomspace(120, 6000, 16)


def a_run(auc, *, node="codec", stages=("latent",), channels=64, frequency=FREQUENCY, densities=(1, 8)):
    """A run of one encoder that was asked for readouts, AUC [stage, density, component]."""
    variables = {
        "stage": np.array(stages),
        "n_channels": np.full(len(stages), channels),
        "hop": np.full(len(stages), 320),
        "density": np.array(densities),
        "component": np.asarray(frequency),
        "auc": np.broadcast_to(auc, (len(stages), len(densities), len(frequency))),
    }
    about = {
        "encoder": node,
        "role": "encoder",
        "of": "",
        "modality": "waveform",
        "sample_rate": 24_000,
        "weights_sha256": "",
    }
    run = xr.DataTree()
    run[node] = xr.DataTree(xr.Dataset(attrs=about))
    run[f"{node}/readout"] = xr.DataTree(dataset(schema()["readout"], variables))
    return run


def noise(seed, scale=0.02):
    return scale * np.random.default_rng(seed).normal(size=(1, 2, 16))


def test_differences_are_paired_and_flagged_where_the_interval_excludes_none():
    shared = np.linspace(0.5, 0.9, 16)  # far more spread over components than what changes
    better = shared + np.array([0.1, 0.0])[:, None] + noise(1)
    found = compare(a_run(shared + noise(0)), a_run(better))
    assert found["at"].values.tolist() == ["density 1", "density 8"]
    assert found["at_stage"].values.tolist() == ["latent"] * 2
    assert found["flagged"].values.tolist() == [True, False]
    assert found["difference"].values == pytest.approx([0.1, 0.0], abs=0.02)
    assert (found["second"] - found["first"]).values == pytest.approx(found["difference"].values)
    assert (found["high"] - found["low"]).max() < 0.04
    assert found["n_units"].values.tolist() == [16, 16]


def test_the_other_way_round_all_signs_turn():
    one, other = a_run(0.7 + noise(0)), a_run(0.8 + noise(1))
    there, back = compare(one, other), compare(other, one)
    assert there["difference"].values == pytest.approx(-back["difference"].values)
    assert there["p"].values == pytest.approx(back["p"].values)


def test_nothing_changed_nothing_flagged():
    run = a_run(0.7 + noise(0))
    found = compare(run, run)
    assert (found["difference"] == 0).all()
    assert not found["flagged"].any()
    barely = compare(run, a_run((0.7 + noise(0)) * (1 + 1e-7)))
    assert not barely["flagged"].any()  # float32 rounding


def test_of_many_measures_one_in_twenty_is_flagged_by_chance():
    densities = tuple(range(1, 201))
    generator = np.random.default_rng(0)
    one, other = (a_run(generator.normal(size=(1, 200, 16)), densities=densities) for _ in range(2))
    assert 4 <= int(compare(one, other)["flagged"].sum()) <= 25  # of 5 % by chance


def test_units_without_a_value_are_left_out_of_both_means():
    auc = np.full((1, 2, 16), 0.5)
    holed = auc.copy()
    holed[..., 3] = np.nan
    found = compare(a_run(holed), a_run(auc))
    assert found["n_units"].values.tolist() == [15, 15]


def test_conditions_of_compositionality_are_named():
    played = (Condition("partial", 1, -20.0), Condition("pitch", 4, -50.0))

    def planes(stability):
        variables = {
            "stage": np.array(["latent"]),
            "condition": np.array([one.label for one in played]),
            "component_kind": np.array([one.kind for one in played]),
            "density": np.array([one.density for one in played]),
            "component_level_dbfs": np.array([one.level_dbfs for one in played]),
            "stability": np.broadcast_to(stability, (1, 2, 9)),
            "confusion": np.full((1, 2, 9), 0.1),
        }
        run = a_run(0.5)
        run["codec/compositionality"] = xr.DataTree(dataset(schema()["compositionality"], variables))
        return run

    found = compare(planes(0.5), planes(0.8))
    index = found.isel(measure=np.flatnonzero(found["variable"] == "index"))
    assert index["at"].values.tolist() == ["partial among 1 at -20 dBFS", "pitch among 4 at -50 dBFS"]
    assert index["first"].values == pytest.approx([0.4, 0.4])
    assert index["difference"].values == pytest.approx([0.3, 0.3])


def test_subjects_of_one_run_are_named():
    run = a_run(0.5)
    run["codec.random0"] = a_run(0.6)["codec"].copy()
    run["codec.random0"].attrs["role"] = "baseline"
    found = compare(run, run, "codec.random0")
    assert (found.attrs["first"], found.attrs["second"]) == ("codec.random0", "codec")
    assert found["difference"].values == pytest.approx([-0.1, -0.1])


@pytest.mark.parametrize(
    ("second", "node", "message"),
    [
        (a_run(0.5, stages=("stack_end",)), "", "no measure in common: readout: no stage in common (auc)"),
        (a_run(0.5, frequency=FREQUENCY[:9]), "", "component does not match (16 and 9 values)"),
        (a_run(0.5, frequency=FREQUENCY * 1.01), "", "component does not match"),
        (a_run(0.5, densities=(2, 16)), "", "no density in common"),
        (a_run(0.5), "decoder", "no subject 'decoder' in the second run; there are codec"),
        (xr.DataTree(), "", "the second run holds 0 encoders"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(second, node, message):
    with pytest.raises(InputError) as refused:
        compare(a_run(0.5), second, second_node=node)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_probe_in_common_or_another_modality():
    bare = xr.DataTree(children={"codec": xr.DataTree(xr.Dataset(attrs=a_run(0.5)["codec"].attrs))})
    with pytest.raises(InputError, match="no measure in common"):
        compare(a_run(0.5), bare)
    bare["codec"].attrs["modality"] = "melody"
    with pytest.raises(InputError, match="different modalities, waveform and melody"):
        compare(a_run(0.5), bare)


def tiled(stages, n_channels, bandwidth, **about):
    """A run with channels' bandwidths beside its readouts; they are padded to the widest stage."""
    wide = np.full((len(stages), max(n_channels)), np.nan)
    for row, n in zip(wide, n_channels, strict=True):
        row[:n] = bandwidth
    variables = {
        "stage": np.array(stages),
        "channel": np.arange(max(n_channels)),
        "n_channels": np.array(n_channels),
        "equivalent_noise_bandwidth": wide,
    }
    run = a_run(0.7 + noise(0), **about)
    run["codec/tiling"] = xr.DataTree(dataset(schema()["tiling"], variables))
    return run


def test_other_architectures_compare_but_for_their_channels():
    """Another width, hop and rate: components are paired, channels are not, and that is said."""
    one, other = tiled(("latent",), (64,), 100.0), tiled(("latent",), (32,), 120.0, channels=32)
    other["codec"].attrs["sample_rate"] = 16_000
    found = compare(one, other)
    assert set(found["probe"].values) == {"readout"}
    assert found.attrs["left_out"] == (
        "tiling: n_channels 64 and 32 at latent, its channels cannot be paired (equivalent_noise_bandwidth)"
    )


def test_what_only_one_run_was_measured_at_is_said():
    found = compare(a_run(0.5), a_run(0.6, densities=(8, 16)))
    assert found["at"].values.tolist() == ["density 8"]
    assert found.attrs["left_out"] == "readout: density 1, 16 in one of them alone (auc)"
    assert found.sel(measure="readout: auc at latent, density 8")["n_units"] == 16


def test_runs_are_called_by_their_name_and_weights():
    one, other = a_run(0.5), a_run(0.6)
    one.attrs["name"] = "before"
    one["codec"].attrs["weights_sha256"] = "0123456789abcdef"
    found = compare(one, other)
    assert found.attrs["first_label"] == "before (codec, 012345)"
    assert found.attrs["second_label"] == "codec"  # it has no weights


def test_runs_of_other_stages_compare_at_those_they_share():
    """Channels are padded to a run's widest stage, which the other run may not have heard."""
    one = tiled(("first_layer",), (4,), 100.0)
    found = compare(one, tiled(("first_layer", "stack_end"), (4, 16), 120.0))
    found = found.isel(measure=(found["probe"] == "tiling").values)
    assert found["at_stage"].values.tolist() == ["first_layer"]
    assert found["difference"].item() == pytest.approx(20.0)
    assert found["n_units"].item() == 4
