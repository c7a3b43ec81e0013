# SPDX-License-Identifier: MIT
"""Named evaluation protocols: the constants that make two numbers comparable."""

from dataclasses import dataclass

from fastsdf.errors import InputError


@dataclass(frozen=True)
class Protocol:
    """Constants of an evaluation.

    Attributes:
        name: registry key.
        description: one line for listings.
        thresholds_m: distances for precision, recall and F, metres.
        hallucination_m: mesh area farther than this from the reference counts as hallucinated, metres.
        samples: area-uniform samples per side.
        chamfer: how both Chamfer figures are defined.
    """

    name: str
    description: str
    thresholds_m: tuple[float, ...]
    hallucination_m: float
    samples: int
    chamfer: str


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

PROTOCOLS: dict[str, Protocol] = {ROOM.name: ROOM}


def protocol_named(name: str) -> Protocol:
    """The registered protocol of that name.

    Raises:
        InputError: there is none; the message lists the known names.
    """
    if name not in PROTOCOLS:
        raise InputError(f"unknown evaluation protocol '{name}', known are: {', '.join(sorted(PROTOCOLS))}")
    return PROTOCOLS[name]
