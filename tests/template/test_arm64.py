"""The functions for arm64, under an emulator: they answer every sample as those for x86_64 do. `.ci/arm64` builds them."""

import pytest

from harness import TARGET, LocalSystem
from lambda_process import Function
from samples import EVENTS, samples
from test_packages import FUNCTIONS, local, variables  # noqa: F401

BINARIES = TARGET / "aarch64-unknown-linux-gnu" / "release"
# The emulator, and Debian's libraries for the other processor.
EMULATOR = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]

pytestmark = pytest.mark.arm64


@pytest.fixture(scope="module")
def emulated(variables):  # noqa: F811
    running = {name: Function(BINARIES / name, runner=EMULATOR, **variables) for name in FUNCTIONS}
    yield running
    for function in running.values():
        function.stop()


@pytest.mark.parametrize("sample", samples())
def test_a_function_answers_its_samples(emulated, local: LocalSystem, sample):  # noqa: F811
    name, _, _ = sample.partition("/")
    answer = emulated[name].invoke((EVENTS / f"{sample}.json").read_bytes())
    samples()[sample].check(answer, local.dead_letters())
