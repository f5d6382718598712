import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from tonotopy.encoders import InputError
from tonotopy.encoders.codec import codec_tiny
from tonotopy.encoders.musicgen.conditions import FactorConditions
from tonotopy.encoders.musicgen.config import MusicGenConfig
from tonotopy.encoders.musicgen.decoder import ConditionedDecoder, blocks_of, logits_of
from tonotopy.encoders.musicgen.delay import aligned, delayed, frames_in_column, undelayed
from tonotopy.encoders.musicgen.model import Edit, MusicGen, addition

pytest.importorskip("transformers")
pytestmark = [pytest.mark.numerical, pytest.mark.usefixtures("one_thread")]

K, FRAMES = 3, 12
ALIGNED = FRAMES - K + 1  # the frames that a layer has heard whole, and nothing beyond the end
CONFIG = MusicGenConfig(
    codebooks=K,
    dimension=32,
    layers=3,
    heads=2,
    feedforward=64,
    context=64,
    factors=(("texture", ("line", "chords")), ("register", ("low", "high"))),
)
CONDITION = {"texture": "chords", "register": "low"}


def decoder_of(seed: int) -> ConditionedDecoder:
    """Return a random decoder; its weights are enlarged, so that every one of them decides tokens."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        made = ConditionedDecoder(CONFIG)
        for tensor in made.parameters():
            tensor.mul_(4 if tensor.ndim == 2 else 1)
    return made


@pytest.fixture(scope="module")
def model() -> MusicGen:
    made = decoder_of(0)
    codec = codec_tiny(weights="random", codebooks=K)

    def draw():
        drawn = ConditionedDecoder(CONFIG)
        return drawn.decoder, drawn.conditions

    return MusicGen("tiny", codec, made.decoder, made.conditions, CONFIG.context, "random", draw=draw)


@pytest.fixture(scope="module")
def codes(model: MusicGen) -> Tensor:
    return torch.randint(256, (2, K, FRAMES), generator=torch.Generator().manual_seed(1))


def streams(model: MusicGen, run: Callable[[], Any]) -> list[Tensor]:
    """Return what every block gives while something runs, the last time that it is called."""
    found: dict[int, Tensor] = {}

    def recorder(i: int) -> Callable[..., None]:
        def hook(_module: Any, _inputs: Any, output: Tensor) -> None:
            found[i] = output.clone()

        return hook

    handles = [b.register_forward_hook(recorder(i)) for i, b in enumerate(blocks_of(model.decoder))]
    with torch.inference_mode():
        run()
    for handle in handles:
        handle.remove()
    return [found[i] for i in sorted(found)]


def guided(model: MusicGen, codes: Tensor, guidance: float, edit: Edit | None = None) -> Tensor:
    """Return logits with guidance, each half by itself; an edit of conditional rows changes one of them."""
    own = edit if edit is None or edit.rows == "all" else None
    without, conditional = model.logits(codes, edit=own), model.logits(codes, CONDITION, edit)
    return without + guidance * (conditional - without)


# The delay


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(0, 1000))
def test_undelayed_is_the_inverse(batch, codebooks, frames, seed):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(50, (batch, codebooks, frames), generator=generator)
    columns = delayed(codes, special=50)
    assert columns.shape == (batch, codebooks, frames + codebooks)
    assert torch.equal(undelayed(columns), codes)
    assert int((columns == 50).sum()) == batch * codebooks * codebooks  # and nothing else is there


@given(st.integers(1, 5), st.integers(1, 6))
def test_a_column_holds_the_frames_that_it_is_said_to(codebooks, frames):
    codes = torch.arange(frames).expand(1, codebooks, frames)
    for column, held in enumerate(delayed(codes, special=-99)[0].T.tolist()):
        expected = frames_in_column(column, codebooks)
        assert held == [frame if 0 <= frame < frames else -99 for frame in expected]


def test_the_delay_is_that_of_transformers(model, codes):
    decoder: Any = model.decoder
    begun = F.pad(codes, (1, 0), value=model.special).flatten(0, 1)
    # the first value that it returns is cut where it would go on
    _, pattern = decoder.build_delay_pattern_mask(begun, model.special, max_length=FRAMES + K)
    applied = decoder.apply_delay_pattern_mask(torch.zeros_like(pattern), pattern)
    assert torch.equal(delayed(codes, model.special).flatten(0, 1), applied)


def test_too_few_columns():
    with pytest.raises(InputError, match="3 columns of 3 codebooks: hold no whole frame"):
        undelayed(torch.zeros(1, 3, 3))


# What a frame hears


@pytest.mark.parametrize("codebook", range(K))
@pytest.mark.parametrize("frame", [0, 5, ALIGNED - 1])
def test_a_frame_has_heard_its_codes_and_no_later_ones(model, codes, codebook, frame):
    """Frame t hears codebook q up to frame t + K - 1 - q, exactly."""
    changed = codes.clone()
    changed[:, codebook, frame] = (changed[:, codebook, frame] + 1) % 256
    plain, other = (
        aligned(streams(model, lambda c=c: logits_of(model.decoder, delayed(c, model.special)))[0], K)
        for c in (codes, changed)
    )
    moved = (plain != other).any(dim=-1).all(dim=0)  # [T]
    still = (plain == other).all(dim=-1).all(dim=0)
    expected = torch.arange(ALIGNED) + K - 1 - codebook >= frame
    assert torch.equal(moved, expected)
    assert torch.equal(still, ~expected)


@given(st.integers(1, 5), st.integers(0, 6))
def test_columns_of_frames_hold_no_special_token(codebooks, more):
    columns = delayed(torch.zeros(1, codebooks, codebooks + more, dtype=torch.int64), special=1)
    kept = aligned(columns.transpose(1, 2), codebooks)
    assert kept.shape[1] == more + 1  # and every such column is kept
    assert not kept.any()
    assert int((columns == 0).all(dim=1).sum()) == more + 1


def test_too_few_frames_for_a_layer(model, noise):
    waveforms = noise(1, 320 * (K - 1))
    assert model.encode(waveforms).shape[2] == K - 1
    with pytest.raises(InputError, match="2 frames of 3 codebooks: a layer has heard all codebooks"):
        model.run(waveforms, ["layer_0"])


def test_stages_are_what_hooks_see(model, noise):
    waveforms = noise(2, 3200)
    found = model.run(waveforms, list(model.stages))
    seen = streams(model, lambda: logits_of(model.decoder, delayed(found["codes"], model.special)))
    assert model.layers == ("layer_0", "layer_1", "layer_2")
    for i, stream in enumerate(seen):
        assert torch.equal(found[f"layer_{i}"], stream[:, K : 1 - K].transpose(1, 2))
    of_codec = model.codec.run(waveforms, list(model.codec.stages))
    assert all(torch.equal(found[stage], of_codec[stage]) for stage in of_codec)


def test_codes_are_heard_as_their_waveforms_are(model, noise):
    waveforms = noise(2, 3200)
    found = model.run(waveforms, ["codes", "layer_2", "layer_0"])
    again = model.run_codes(found["codes"], ["layer_2", "layer_0"])
    assert list(again) == ["layer_2", "layer_0"]
    assert all(torch.equal(again[stage], found[stage]) for stage in again)


def test_the_last_layer_is_before_the_final_norm(model, codes):
    decoder: Any = model.decoder
    columns = delayed(codes, model.special)
    last = streams(model, lambda: logits_of(decoder, columns))[-1]
    with torch.inference_mode():
        normed = decoder.model.decoder.layer_norm(last)
        said = torch.stack([head(normed) for head in decoder.lm_heads], dim=1)
        torch.testing.assert_close(said, logits_of(decoder, columns))
    assert not torch.allclose(last, normed, atol=0.1)


def test_layers_wait_for_the_last_codebook(model):
    codec, layer = model.stages["codes"], model.stages["layer_0"]
    assert layer.latency - codec.latency == (K - 1) * codec.hop
    assert layer.receptive_field is None
    assert (layer.channels, layer.hop, layer.kind) == (32, codec.hop, "nonlinear")


def test_a_batch_is_its_waveforms(model, noise):
    waveforms = noise(3, 4800)
    whole = model.run(waveforms, ["latent", "codes", "layer_2"])
    for row in range(3):
        mine = slice(row, row + 1)
        latent = model.run(waveforms[mine], ["latent"])["latent"]
        torch.testing.assert_close(latent, whole["latent"][mine], rtol=1e-4, atol=1e-4)
        alone = model.run_codes(whole["codes"][mine], ["layer_2"])["layer_2"]  # of ties rounding decides
        torch.testing.assert_close(alone, whole["layer_2"][mine], rtol=1e-4, atol=1e-4)


def test_codes_decode_to_what_quantized_does(model, noise):
    waveforms = noise(2, 3200)
    found = model.run(waveforms, ["codes", "quantized"])
    assert torch.equal(model.encode(waveforms), found["codes"])
    torch.testing.assert_close(model.decode_codes(found["codes"]), model.decode(found["quantized"]))


# What the model says


def test_logits_are_of_the_code_that_follows(model, codes):
    """A code's logits do not know it, and know every one in the columns before."""
    said = model.logits(codes)
    assert said.shape == (2, K, FRAMES, 256)
    for codebook, frame in ((0, 0), (1, 4), (2, 6)):
        changed = codes.clone()
        changed[:, codebook, frame] = (changed[:, codebook, frame] + 1) % 256
        moved = (model.logits(changed) != said).any(dim=-1).all(dim=0)  # [K, T]
        columns = torch.arange(FRAMES) + 1 + torch.arange(K)[:, None]
        assert torch.equal(moved, columns > frame + 1 + codebook)


def test_token_losses_are_cross_entropies(model, codes):
    for condition in (None, CONDITION):
        said = model.logits(codes, condition)
        expected = F.cross_entropy(said.flatten(0, 2), codes.flatten(), reduction="none")
        torch.testing.assert_close(model.token_losses(codes, condition), expected.view_as(codes))


def test_nothing_asked_for_is_no_condition_to_the_bit(model, codes):
    plain = model.logits(codes)
    assert torch.equal(model.logits(codes, {}), plain)
    assert torch.equal(model.logits(codes, [{}, CONDITION])[0], plain[0])
    assert not torch.equal(model.logits(codes, [{}, CONDITION])[1], plain[1])


def test_every_factor_and_value_counts(model, codes):
    conditions: list[dict[str, str]] = [
        {},
        {"texture": "line"},
        {"texture": "chords"},
        {"register": "low"},
        CONDITION,
    ]
    said = [model.logits(codes[:1], one) for one in conditions]
    for i, one in enumerate(said):
        assert not any(torch.equal(one, other) for other in said[:i])
    tokens = model.tokens([{"register": "high"}], 1)
    assert tokens is not None
    assert not tokens[0, 0].any()
    assert torch.equal(tokens[0, 1], model.conditions.tables[1].weight[1])


def test_conditions_of_their_own_for_each_sequence(model, codes):
    other = {"texture": "line"}
    both = model.logits(codes, [CONDITION, other])
    torch.testing.assert_close(both[:1], model.logits(codes[:1], CONDITION))
    torch.testing.assert_close(both[1:], model.logits(codes[1:], other))


# The sampler


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("prompted", [False, True])
@pytest.mark.parametrize("guidance", [None, 3.0, 1.0])
def test_greedy_codes_are_the_likeliest_given_those_before(model, codes, cached, prompted, guidance):
    known = 4 if prompted else 0
    prompt = codes[..., :known] if prompted else None
    options: dict[str, Any] = {} if guidance is None else {"condition": CONDITION, "guidance": guidance}
    made = model.generate(FRAMES, seeds=(0, 1), temperature=0, prompt=prompt, cached=cached, **options)
    said = model.logits(made) if guidance is None else guided(model, made, guidance)
    assert torch.equal(made[..., known:], said.argmax(-1)[..., known:])
    if prompted:
        assert torch.equal(made[..., :known], codes[..., :known])
        assert not torch.equal(made[0, :, known:], made[1, :, known:])
    assert len(made.unique()) > 15  # not the same few codes whatever comes before


@pytest.mark.parametrize(("guidance", "cached"), [(1.0, True), (1.0, False), (3.0, False)])
def test_generates_what_transformers_does(model, cached, guidance):
    """Greedy, one sequence, from one column.

    Its `generate` fails without inputs and without `num_return_sequences`. What column 0 is given is
    replaced by the special token; given the special token itself, it masks the column out. Conditions must be
    given doubled for guidance, and its codes are then others with the cache than without. From a prompt it
    feeds the cache the last column only: prompted codes are not compared.
    """
    decoder: Any = model.decoder
    condition = CONDITION if guidance != 1 else None
    tokens = model.tokens(condition, 1)
    doubled = None if tokens is None else torch.cat([tokens, torch.zeros_like(tokens)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # what a model of transformers' own that was loaded from a file has in its generation_config
        decoder.generation_config.decoder_start_token_id = model.special
        made = decoder.generate(
            input_ids=torch.ones(K, 1, dtype=torch.int64),
            encoder_hidden_states=doubled,
            guidance_scale=guidance if condition else None,
            do_sample=False,
            use_cache=cached,
            num_return_sequences=1,
            max_length=FRAMES + K,
        )
    assert torch.equal(model.generate(FRAMES, temperature=0, condition=condition, guidance=guidance), made)


def test_guidance_goes_from_without_to_with(model):
    plain = model.generate(FRAMES, temperature=0)
    conditional, none, strong = (
        model.generate(FRAMES, temperature=0, condition=CONDITION, guidance=g) for g in (1.0, 0.0, 3.0)
    )
    assert torch.equal(none, plain)
    assert torch.equal(conditional, model.logits(conditional, CONDITION).argmax(-1))
    assert not torch.equal(conditional, plain)
    assert not torch.equal(strong, conditional)


def test_nothing_runs_unconditionally_at_guidance_1(model):
    for guidance, rows in ((1.0, 2), (3.0, 4)):
        last = streams(
            model,
            lambda g=guidance: model.generate(
                3, seeds=(0, 1), condition=CONDITION, guidance=g, temperature=0
            ),
        )
        assert {len(stream) for stream in last} == {rows}


@pytest.mark.parametrize("options", [{}, {"condition": CONDITION}, {"top_k": 20, "temperature": 1.5}])
def test_a_sequence_follows_from_its_seed_alone(model, options):
    several = model.generate(FRAMES, seeds=(5, 6, 5), **options)
    assert torch.equal(several[0], several[2])
    assert not torch.equal(several[0], several[1])
    assert torch.equal(model.generate(FRAMES, seeds=(6,), **options), several[1:2])
    torch.manual_seed(3)  # nor on the caller's random state, which stays as it is
    before = torch.get_rng_state()
    assert torch.equal(model.generate(FRAMES, seeds=(5,), **options), several[:1])
    assert torch.equal(torch.get_rng_state(), before)


def test_one_prompt_goes_for_all(model, codes):
    both = model.generate(FRAMES, seeds=(0, 1), prompt=codes[:1, :, :5])
    assert torch.equal(both[..., :5], codes[:1, :, :5].expand(2, -1, -1))
    assert not torch.equal(both[0], both[1])
    each = model.generate(FRAMES, seeds=(0, 0), prompt=codes[..., :5])
    assert torch.equal(each[..., :5], codes[..., :5])
    assert torch.equal(each[0], both[0])


@pytest.mark.parametrize("top_k", [1, 4])
def test_top_k_codes_are_drawn_from(model, top_k):
    made = model.generate(FRAMES, seeds=tuple(range(8)), top_k=top_k, temperature=3.0)
    best = model.logits(made).topk(top_k, dim=-1).indices
    place = (best == made[..., None]).int().argmax(-1)
    assert bool((best == made[..., None]).any(-1).all())
    assert set(place.unique().tolist()) == set(range(top_k))  # each of them


def test_frequencies_are_the_probabilities(model):
    """The first code of the first codebook, from many seeds."""
    temperature, n = 0.5, 2000
    drawn = model.generate(1, seeds=tuple(range(n)), temperature=temperature)[:, 0, 0]
    expected = (model.logits(drawn[:1].expand(1, K)[..., None])[0, 0, 0] / temperature).softmax(-1)
    counts = torch.bincount(drawn, minlength=256)
    likely = expected * n > 5
    chi2 = ((counts - n * expected)[likely] ** 2 / (n * expected)[likely]).sum()
    degrees = int(likely.sum())
    assert degrees > 20
    assert abs(float(chi2) - degrees) < 4 * (2 * degrees) ** 0.5


def test_progress_ends_with_all_frames(model):
    done: list[int] = []
    model.generate(FRAMES, advance=done.append)
    assert done == sorted(done)
    assert done[-1] == FRAMES


# Edits


@pytest.mark.parametrize("rows", ["all", "conditional"])
@pytest.mark.parametrize("condition", [None, CONDITION])
def test_an_empty_edit_changes_nothing(model, codes, rows, condition):
    for edit in (addition("layer_1", torch.zeros(32), rows), Edit("layer_1", lambda s: s, rows)):
        assert torch.equal(model.logits(codes, condition, edit), model.logits(codes, condition))
        made = model.generate(FRAMES, seeds=(0, 1), condition=condition)
        assert torch.equal(model.generate(FRAMES, seeds=(0, 1), condition=condition, edit=edit), made)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("rows", ["all", "conditional"])
def test_an_edit_acts_on_its_rows_at_every_column(model, codes, rows, cached):
    """Greedy codes are those of both halves by themselves, edited or not."""
    edit = addition("layer_1", 3 * torch.eye(32)[4], rows)
    made = model.generate(
        FRAMES, temperature=0, condition=CONDITION, edit=edit, cached=cached, prompt=codes[:1, :, :4]
    )
    assert torch.equal(made[..., 4:], guided(model, made, 3.0, edit).argmax(-1)[..., 4:])
    other = Edit(edit.stage, edit.change, "conditional" if rows == "all" else "all")
    assert not torch.equal(made[..., 4:], guided(model, made, 3.0, other).argmax(-1)[..., 4:])


def test_conditional_rows_leave_the_other_half_alone(model, codes):
    columns = delayed(codes, model.special).repeat(2, 1, 1)
    tokens = model.tokens(CONDITION, 2)
    assert tokens is not None
    tokens = torch.cat([tokens, torch.zeros_like(tokens)])
    edit = addition("layer_1", torch.ones(32), "conditional")

    def run():
        with model.editing(edit, 2):
            logits_of(model.decoder, columns, tokens)

    plain = streams(model, lambda: logits_of(model.decoder, columns, tokens))
    changed = streams(model, run)
    assert torch.equal(plain[0], changed[0])
    assert torch.equal(plain[2][2:], changed[2][2:])
    assert bool((plain[2][:2] != changed[2][:2]).any(dim=-1).all())
    after = streams(model, lambda: logits_of(model.decoder, columns, tokens))
    assert all(torch.equal(one, other) for one, other in zip(plain, after, strict=True))  # it is over


def test_an_addition_adds(model, codes):
    directions = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    columns = delayed(codes, model.special)
    seen: list[Tensor] = []

    def run(edit):
        handle = blocks_of(model.decoder)[2].register_forward_pre_hook(lambda _m, i: seen.append(i[0]))
        model.logits(codes, edit=edit)
        handle.remove()

    run(None)
    run(addition("layer_1", directions))
    run(addition("layer_1", directions[0]))
    assert seen[0].shape[1] == columns.shape[2] - 1
    torch.testing.assert_close(seen[1] - seen[0], directions[:, None].expand_as(seen[0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[2] - seen[0], directions[0].expand_as(seen[0]), atol=1e-5, rtol=0)


def test_an_edit_that_fails_leaves_no_trace(model, codes):
    plain = model.logits(codes)
    with pytest.raises(InputError, match=r"edit at layer_0: gives \(2, 14, 31\) of a stream \(2, 14, 32\)"):
        model.logits(codes, edit=Edit("layer_0", lambda stream: stream[..., 1:]))
    assert torch.equal(model.logits(codes), plain)


# What it refuses


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, "0 frames of 1 sequences: must be at least 1 of each"),
        ({"seeds": ()}, "12 frames of 0 sequences"),
        ({"temperature": -1.0}, "temperature -1.0, top_k 0, guidance 3.0: must be finite"),
        ({"top_k": -1}, "top_k -1"),
        ({"guidance": float("nan")}, "guidance nan"),
        ({"guidance": float("inf")}, "guidance inf"),
        (
            {"prompt": torch.zeros(1, K, FRAMES, dtype=torch.int64)},
            "must be 1 or 1 sequences of fewer than 12",
        ),
        ({"prompt": torch.zeros(2, K, 4, dtype=torch.int64)}, r"prompt of shape \(2, 3, 4\)"),
        ({"prompt": torch.zeros(1, K - 1, 4, dtype=torch.int64)}, r"codes of shape \(1, 2, 4\): must be"),
        ({"prompt": torch.full((1, K, 4), 256)}, "every one must be a whole number, 0 to 255"),
        ({"prompt": torch.zeros(1, K, 4)}, "every one must be a whole number, 0 to 255"),
        ({"condition": {"colour": "red"}}, "condition 'colour': there are texture, register"),
        ({"condition": {"texture": "thick"}}, "condition texture 'thick': must be one of line, chords"),
        (
            {"condition": [CONDITION, CONDITION]},
            "conditions: 2 for 1 sequences; must be one, or one for each",
        ),
        ({"edit": Edit("layer_3", lambda s: s)}, "'layer_3': no layer of tiny; they are layer_0 to layer_2"),
        ({"edit": Edit("latent", lambda s: s)}, "'latent': no layer of tiny"),
    ],
)
def test_bad_input_is_one_line(model, options, message):
    with pytest.raises(InputError, match=message) as raised:
        model.generate(**{"frames": FRAMES, **options})
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) <= 500


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.zeros(2, K, dtype=torch.int64), r"codes of shape \(2, 3\): must be \[B, 3, F\]"),
        (torch.full((1, K, 2), -1), "must be a whole number, 0 to 255"),
        (torch.full((1, K, 2), 256), "must be a whole number, 0 to 255"),
    ],
)
def test_codes_that_are_none(model, codes, message):
    for use in (model.logits, model.token_losses, model.decode_codes):
        with pytest.raises(InputError, match=message):
            use(codes)


def test_rows_that_are_none():
    with pytest.raises(InputError, match="edit of rows 'some': must be all or conditional"):
        Edit("layer_0", lambda stream: stream, "some")


def test_a_codec_of_other_codebooks():
    made = decoder_of(0)
    with pytest.raises(InputError, match="tiny: a model of 3 codebooks, the codec codec_tiny gives 2"):
        MusicGen("tiny", codec_tiny("random", codebooks=2), made.decoder, made.conditions, 64, "random")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3, "dimension": 32}, "MusicGen with 3 heads: must divide the dimension 32"),
        ({"layers": 0}, "MusicGen with layers 0: must be a whole number from 1 on"),
        ({"context": 4}, "MusicGen with context 4: must be more columns than 4 codebooks"),
        ({"factors": (("texture", ()),)}, "every factor needs values"),
    ],
)
def test_sizes_that_are_none(options, message):
    with pytest.raises(InputError, match=message):
        MusicGenConfig(**options)


def test_without_factors_nothing_can_be_asked_for():
    with pytest.raises(InputError, match="condition 'texture': there are none"):
        FactorConditions({}, 8).indices([{"texture": "line"}])


# Baselines


@pytest.mark.parametrize("kind", ["random", "permuted", "matched"])
def test_a_baseline_has_the_codec_and_another_language_model(model, kind, noise):
    waveforms = noise(2, 3200)
    drawn = model.randomised(1, kind)
    found, own = (one.run(waveforms, ["codes", "layer_2"]) for one in (drawn, model))
    assert torch.equal(found["codes"], own["codes"])
    assert not torch.allclose(found["layer_2"], own["layer_2"], atol=0.1)
    assert drawn.weights.source == kind
    assert drawn.weights.sha256 != model.weights.sha256
    blocks: list[Any] = [blocks_of(each.decoder)[1] for each in (model, drawn)]
    one, other = (block.fc1.weight.flatten().sort().values for block in blocks)
    assert torch.equal(one, other) == (kind == "permuted")
    tokens = [each.tokens(CONDITION, 1) for each in (model, drawn)]  # drawn anew where the language model is
    assert torch.equal(tokens[0], tokens[1]) == (kind != "random")
    assert drawn.generate(3).shape == (1, K, 3)
