# SPDX-License-Identifier: MIT
"""The exceptions of fastsdf; each message states what was wrong, the value, and what to do about it."""


class FastSDFError(Exception):
    """Base class of all errors that fastsdf raises on purpose; ``exit_code`` is the exit status of the CLI."""

    exit_code = 1


class InputError(FastSDFError):
    """The user's input (a file, an option, a configuration) cannot be used."""

    exit_code = 2


class ScanError(InputError):
    """A scan or mesh file cannot be read, or does not hold enough usable points."""


class ConfigError(InputError):
    """A configuration key or value is unknown or out of range."""


class BackendUnavailable(InputError):
    """A compute backend that was requested by name cannot run on this machine."""


class UnsupportedDerivative(InputError):
    """A backend cannot compute the derivatives that an operator mode needs."""


class CheckpointError(InputError):
    """A run folder or checkpoint is missing, damaged, or does not match the request."""


class BudgetError(InputError):
    """A time or memory budget cannot be met."""


class TrainingError(FastSDFError):
    """Training cannot continue, for example because a loss term is not finite."""


class MemoryExhausted(FastSDFError):
    """The machine or its GPU has too little memory for the request."""


class MeshingError(FastSDFError):
    """No surface could be extracted from a field."""
