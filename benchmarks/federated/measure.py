"""Run the arms that a results file lacks, in one process or several."""

import argparse
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from benchmarks.federated.field import lay_out, open_texts
from benchmarks.federated.options import settings_of
from benchmarks.federated.outcome import Outcome, sum_up
from benchmarks.federated.records import Results
from benchmarks.federated.run import Order, carry_out
from benchmarks.federated.settings import Arm, Record, Settings


def measure(options: argparse.Namespace) -> Outcome:
    """Run every arm that the results file lacks, and sum up."""
    settings = settings_of(options)
    results = Results(options.results, key=settings.key)
    seeds = tuple(range(1, options.seeds + 1))
    orders = [
        order
        for seed in seeds
        for arm in options.arms
        if _is_open(order := _order(options, settings, arm, seed), results)
    ]
    if orders:
        # What is wrong with the source or the division is said here, before processes start.
        lay_out(open_texts(settings), settings, seed=seeds[0])
    for number, record in enumerate(_records(orders, jobs=options.jobs), start=1):
        results.add(record)
        print(_line(record, number, len(orders)), file=sys.stderr, flush=True)
    records = {arm: _chosen(results.of(arm), seeds) for arm in options.arms}
    return sum_up(settings, {arm: found for arm, found in records.items() if found}, seeds)


def _order(options: argparse.Namespace, settings: Settings, arm: Arm, seed: int) -> Order:
    return Order(
        settings=settings, arm=arm, seed=seed, export=options.export, threads=options.threads
    )


def _is_open(order: Order, results: Results) -> bool:
    if (order.arm, order.seed) not in results.records:
        return True
    is_missing = not Path(order.export, f"seed-{order.seed}", "adapter_config.json").exists()
    return order.arm is Arm.OURS and bool(order.export) and is_missing


def _records(orders: Sequence[Order], *, jobs: int) -> Iterator[Record]:
    if jobs == 1 or len(orders) < 2:
        yield from map(carry_out, orders)
        return
    # A forked process would inherit the threads of torch in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for done in as_completed([pool.submit(carry_out, order) for order in orders]):
            yield done.result()


def _chosen(records: Sequence[Record], seeds: Sequence[int]) -> list[Record]:
    return [record for record in records if record.seed in seeds]


def _line(record: Record, number: int, total: int) -> str:
    figures = ", ".join(f"{name} {value:.4g}" for name, value in record.metrics.items())
    what = f"{record.arm.value}, seed {record.seed}"
    return f"{number} of {total}: {what}: {figures} ({record.seconds:.0f} s)"
