"""The entry of a worker, in this process: its command line and its end."""

import os
import socket

import pytest

from fl.jobs.framing import to_frame
from fl.jobs.launch import WorkerCommand, threads_left
from fl.jobs.messages import TO_WORKER_CODEC, Stop
from fl.worker.entry import serve
from fl.worker.loop import EXIT_REFUSED, Craft
from fl.worker.machine import Machine
from fl.worker.workshop import Workshop


def test_worker_that_is_asked_to_stop_leaves_in_order() -> None:
    machines: list[Machine] = []

    def open_workshop(machine: Machine) -> Craft:
        machines.append(machine)
        return Workshop(machine)

    ours, theirs = socket.socketpair()
    with ours:
        descriptor = theirs.detach()
        command = ["--fd", str(descriptor), "--device", "cuda:1", "--threads", "3"]
        ours.sendall(to_frame(TO_WORKER_CODEC.encode(Stop())))
        assert serve(open_workshop, command) == 0
    assert machines == [Machine(device="cuda:1", threads=3)]


def test_descriptor_that_is_no_socket_is_refused_and_left_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reading, writing = os.pipe()
    try:
        assert serve(Workshop, ["--fd", str(reading)]) == EXIT_REFUSED
        os.write(writing, b"x")
        assert os.read(reading, 1) == b"x"
    finally:
        os.close(reading)
        os.close(writing)
    assert capsys.readouterr().err.startswith(f"--fd {reading}: no socket: a worker is started")


def test_command_line_names_everything_the_worker_needs() -> None:
    command = WorkerCommand(
        module="an.attacker",
        options=("--attack", "zero"),
        device="cpu",
        threads=2,
        memory_bytes_max=5,
    )
    assert command.arguments(7)[-12:] == [
        *("-m", "an.attacker", "--attack", "zero", "--fd", "7", "--device", "cpu"),
        *("--threads", "2", "--memory-bytes-max", "5"),
    ]
    assert command.variables()["OMP_NUM_THREADS"] == "2"


def test_a_core_is_left_for_the_node_and_one_thread_for_the_worker() -> None:
    assert 1 <= threads_left() <= (os.cpu_count() or 1)
    assert threads_left(reserved=10_000) == 1
