# SPDX-License-Identifier: MIT
"""Errors a user can act on: each message says what was wrong, the value, and what to do."""


class FastSDFError(Exception):
    """Base of all errors that fastsdf raises on purpose. ``exit_code`` is the CLI's exit status."""

    exit_code = 1


class InputError(FastSDFError):
    """The user's input (a file, an option, a configuration) cannot be used."""

    exit_code = 2


class ScanError(InputError):
    """A scan or mesh file cannot be read, or does not hold enough usable points."""


class ConfigError(InputError):
    """A configuration key or value is unknown or out of range."""


class BackendUnavailable(InputError):
    """A compute backend that was asked for by name cannot run here."""


class UnsupportedDerivative(InputError):
    """A backend cannot compute the derivatives that an operator mode needs."""


class CheckpointError(InputError):
    """A run folder or checkpoint is missing, damaged, or does not fit."""


class BudgetError(InputError):
    """A budget of time or memory cannot be met."""


class TrainingError(FastSDFError):
    """Training cannot go on (for example a loss term became non-finite)."""


class MemoryExhausted(FastSDFError):
    """The machine or its GPU has too little memory for what was asked."""


class MeshingError(FastSDFError):
    """No surface could be extracted from a field."""
