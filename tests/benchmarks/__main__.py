"""`make bench`: closed forms, timings and memory side by side, as ratios measured in one run each."""

from ..benchmarks import (
    bench_aliasing,
    bench_compositionality,
    bench_demo,
    bench_dictionaries,
    bench_exactness,
    bench_features,
    bench_forecast,
    bench_latents,
    bench_memory,
    bench_phik,
    bench_probing,
    bench_questions,
    bench_synthesis,
)


def main() -> None:
    """Print the table."""
    print(f"{'what':58} {'ours':>22} {'reference':>26} {'ratio':>8}  {'goal':14}")
    for bench in (
        bench_exactness,
        bench_synthesis,
        bench_probing,
        bench_aliasing,
        bench_compositionality,
        bench_questions,
        bench_features,
        bench_phik,
        bench_latents,
        bench_forecast,
        bench_dictionaries,
        bench_memory,
        bench_demo,
    ):
        for row in bench.rows():
            print(row, flush=True)


if __name__ == "__main__":
    main()
