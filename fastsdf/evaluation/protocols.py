# SPDX-License-Identifier: MIT
"""Named evaluation protocols: sets of constants, so that metrics of the same protocol are comparable."""

from dataclasses import dataclass

from fastsdf.errors import InputError


@dataclass(frozen=True)
class Protocol:
    """Constants of an evaluation.

    Attributes:
        name: key in `PROTOCOLS`.
        description: one line for listings.
        thresholds_m: distance limits of precision, recall and F-score, metres.
        hallucination_m: mesh area farther than this from the reference counts as hallucinated, metres.
        samples: number of area-uniform samples per mesh.
        chamfer: definition of the two Chamfer metrics.
    """

    name: str
    description: str
    thresholds_m: tuple[float, ...]
    hallucination_m: float
    samples: int
    chamfer: str


# Thresholds of indoor benchmarks; each value is explained in `Protocol`.
ROOM = Protocol(
    name="room",
    description="indoor scans in metres: exact point-to-surface distances, F at 1, 2.5 and 5 cm",
    thresholds_m=(0.01, 0.025, 0.05),
    hallucination_m=0.05,
    samples=1_000_000,
    chamfer=(
        "chamfer_l1 = (accuracy + completeness) / 2, each a mean of unsquared distances in metres; "
        "chamfer_l2_squared = the sum of both means of squared distances in square metres"
    ),
)

# By name, as `fastsdf.evaluate` takes it.
PROTOCOLS: dict[str, Protocol] = {ROOM.name: ROOM}


def protocol_named(name: str) -> Protocol:
    """Returns the protocol of that name.

    Raises:
        InputError: the name is unknown; the message lists the known names.
    """
    if name not in PROTOCOLS:
        raise InputError(f"unknown evaluation protocol '{name}', known are: {', '.join(sorted(PROTOCOLS))}")
    return PROTOCOLS[name]
