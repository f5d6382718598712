import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.encoders.quantization import residual_quantization
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical

DETERMINED = settings(derandomize=True, deadline=None, max_examples=30)


def drawn(seed: int, n_books: int, size: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Vectors [2, 5, size] and codebooks of 7 entries, each smaller than the one before."""
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(2, 5, size, generator=generator)
    return latent, [torch.randn(7, size, generator=generator) / 2**n for n in range(n_books)]


@pytest.mark.parametrize("which", ["encodec_24khz", "encodec_48khz"])
def test_codes_and_sums_are_the_packages_own(which, request, noise):
    encoder = request.getfixturevalue(which)
    vq = encoder.module.codec.quantizer.vq
    latent = encoder.run(noise(2, 8_000), ["latent"])["latent"]
    found = residual_quantization(latent.transpose(1, 2), encoder.codebooks)
    codes = vq.encode(latent, n_q=8)
    assert torch.equal(found.codes.movedim(-1, 0), codes)
    for n in range(1, 9):
        assert torch.equal(found.vectors[..., n - 1, :].transpose(1, 2), vq.decode(codes[:n]))


def test_every_number_of_codebooks_is_a_stage(encodec_24khz, noise):
    waveforms = noise(2, 6_400)
    names = {"quantized_1": 1, "quantized_2": 2, "quantized_4": 4, "quantized": 8}
    heard = encodec_24khz.run(waveforms, ["latent", *names])
    found = residual_quantization(heard["latent"].transpose(1, 2), encodec_24khz.codebooks)
    for name, n in names.items():
        assert encodec_24khz.stages[name].codebooks == n
        assert torch.equal(found.vectors[..., n - 1, :].transpose(1, 2), heard[name])
    others = [s.codebooks for name, s in encodec_24khz.stages.items() if name not in names]
    assert set(others) == {0}


@DETERMINED
@given(seed=st.integers(0, 1000), n_books=st.integers(1, 4), size=st.integers(1, 6))
def test_margins_are_those_of_all_distances(seed, n_books, size):
    latent, books = drawn(seed, n_books, size)
    found = residual_quantization(latent, books)
    residual = latent.double()
    for n, book in enumerate(books):
        distances = (residual[:, :, None] - book.double()).norm(dim=-1)  # [2, 5, 7]
        nearest, second = distances.sort(dim=-1).values[..., :2].unbind(-1)
        torch.testing.assert_close(found.margins[..., n].double(), second - nearest, rtol=0, atol=1e-5)
        assert (found.margins[..., n] >= 0).all()
        chosen = distances.gather(-1, found.codes[..., n, None])[..., 0]
        torch.testing.assert_close(chosen, nearest, rtol=0, atol=1e-5)
        residual = residual - book.double()[found.codes[..., n]]
    torch.testing.assert_close(found.vectors[..., -1, :].double(), latent - residual, rtol=0, atol=1e-5)


@DETERMINED
@given(seed=st.integers(0, 1000), n_books=st.integers(1, 4))
def test_sums_are_of_the_entries_chosen(seed, n_books):
    latent, books = drawn(seed, n_books, 3)
    found = residual_quantization(latent, books)
    chosen = torch.stack([book[found.codes[..., n]] for n, book in enumerate(books)], dim=-2)
    torch.testing.assert_close(found.vectors, chosen.cumsum(dim=-2))


def test_a_push_below_half_the_margin_changes_no_code():
    latent, books = drawn(0, 1, 4)
    found = residual_quantization(latent, books)
    direction = torch.nn.functional.normalize(torch.ones(4), dim=0)
    near = residual_quantization(latent + 0.49 * found.margins * direction, books)
    assert torch.equal(near.codes, found.codes)


def test_between_two_entries_there_is_no_margin():
    book = torch.tensor([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]])
    found = residual_quantization(torch.tensor([[1.0, 5.0], [0.0, 0.0]]), [book])
    assert found.margins[:, 0].tolist() == [0.0, 2.0]
    assert found.codes[:, 0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("books", "message"),
    [
        ([], "with 0 codebooks: must be at least 1"),
        ([torch.zeros(4, 3), torch.zeros(4, 2)], r"codebook 1 of shape \(4, 2\): must be \[entries, 3\]"),
        ([torch.zeros(1, 3)], r"codebook 0 of shape \(1, 3\)"),
        ([torch.zeros(3)], r"codebook 0 of shape \(3,\)"),
    ],
)
def test_unusable_codebooks(books, message):
    with pytest.raises(InputError, match=message):
        residual_quantization(torch.zeros(5, 3), books)
